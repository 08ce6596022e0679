#!/usr/bin/env bash
# Builds the gateway of the sources in a folder as a static binary, without debug information and without paths of this machine.
# Usage: binary.sh SOURCES BINARY VERSION REVISION OS ARCHITECTURE
set -euo pipefail
cli=github.com/parley-gateway/parley/internal/cli

CGO_ENABLED=0 GOOS=$5 GOARCH=$6 go build -C "$1" -trimpath -buildvcs=false \
  -ldflags="-s -w -buildid= -X $cli.release=$3 -X $cli.commit=$4" -o "$2" ./cmd/parley
