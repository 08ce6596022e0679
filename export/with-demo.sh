#!/usr/bin/env bash
# Runs a command with a demo beside it; the word SERVER in it becomes the address of the demo's gRPC listener.
# Usage: with-demo.sh PARLEY COMMAND…
set -euo pipefail

parley=$1
shift
folder=$(mktemp -d)
"$parley" demo --grpc-addr 127.0.0.1:0 --http-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0 >"$folder/out" 2>"$folder/err" &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -rf "$folder"' EXIT

# The page that the demo prints when it serves ends with this line.
until grep -q '^Ctrl-C ends it' "$folder/out"; do
  kill -0 "$demo" 2>/dev/null || { cat "$folder/err" >&2; exit 1; }
  sleep 0.1
done
server=$(awk '$1 == "gRPC" {print $2; exit}' "$folder/out")
"${@//SERVER/$server}"
