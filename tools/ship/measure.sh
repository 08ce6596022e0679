#!/usr/bin/env bash
# Prints what an image takes, compressed, and how long a gateway takes from its start until it is ready: the median of nine starts.
# Usage: measure.sh PARLEY IMAGE VERSION
set -euo pipefail
parley=$1 image=$2 version=$3

for architecture in amd64 arm64; do
  manifest=$(jq -r --arg architecture "$architecture" '.manifests[] | select(.platform.architecture == $architecture) | .digest' \
    <(skopeo inspect --raw "oci:$image:$version"))
  bytes=$(jq '[.layers[].size] | add' "$image/blobs/sha256/${manifest#sha256:}")
  echo "image $version, linux/$architecture: $bytes bytes compressed (bar: 20000000)"
done

for _ in {1..9}; do
  begin=${EPOCHREALTIME/./}
  coproc gateway { exec "$parley" serve --grpc-addr=127.0.0.1:0 --http-addr=127.0.0.1:0 --admin-addr=127.0.0.1:0 --audit-file=/dev/null \
    --graph-url=http://127.0.0.1:9 --graph-credential=none 2>/dev/null; }
  IFS= read -r line <&"${gateway[0]}"
  [[ $line == *' is ready: '* ]] || { echo "the gateway said: $line" >&2; exit 1; }
  echo $((${EPOCHREALTIME/./} - begin))
  process=$gateway_PID
  kill "$process"
  wait "$process" || true
done | sort -n | awk '{ took[NR] = $1 } END { printf "start to ready: %.3f s, the median of %d starts (bar: 0.3 s)\n", took[int((NR + 1) / 2)] / 1e6, NR }'
