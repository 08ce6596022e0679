#!/usr/bin/env bash
# Builds the gateway of the sources in a folder as a static binary, without debug information and without paths of this machine.
# Usage: binary.sh SOURCES BINARY VERSION OS ARCHITECTURE
set -euo pipefail

commit=$(git -C "$1" rev-parse HEAD 2>/dev/null || true)
CGO_ENABLED=0 GOOS=$4 GOARCH=$5 go build -C "$1" -trimpath -buildvcs=false \
  -ldflags="-s -w -buildid= -X github.com/parley-gateway/parley/internal/cli.release=$3 -X github.com/parley-gateway/parley/internal/cli.commit=$commit" -o "$2" ./cmd/parley
