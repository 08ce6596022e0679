#!/usr/bin/env bash
# Replaces gateways of an earlier commit by those of the working copy, under load behind a balancer: clients/go/internal/rollout.
#
# Usage: upgrade-check.sh PARLEY-BINARY [COMMIT]
# Without a commit it takes the newest tag before HEAD, else the first commit whose gateways end without failing a call. A clone without
# its history compares the working copy with itself, and says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
new=$PWD/$1
base=${2:-}
first=ca1b04dbd1cdecc5799a1a6866821652683eefb4
if [[ -z $base ]]; then
  base=$(git describe --tags --abbrev=0 HEAD^ 2>/dev/null || echo "$first")
  if ! git cat-file -e "$base^{commit}" 2>/dev/null; then
    echo "upgrade: $base is not in this clone; the working copy is upgraded to itself"
    exec go -C clients/go run ./internal/rollout -from "$new" -to "$new"
  fi
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
git archive "$base" | tar -x -C "$work/source"
CGO_ENABLED=0 go -C "$work/source" build -trimpath -buildvcs=false -o "$work/parley" ./cmd/parley
echo "upgrade: from $base ($(git log -1 --format=%cs "$base")) to the working copy"
go -C clients/go run ./internal/rollout -from "$work/parley" -to "$new"
