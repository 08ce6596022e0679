#!/usr/bin/env bash
# Builds a program of the sources in a folder as a static binary, without debug information and without paths of this machine.
# Usage: binary.sh SOURCES BINARY VERSION REVISION OS ARCHITECTURE [parley|parley-export]
set -euo pipefail
cli=github.com/parley-gateway/parley/internal/cli

module=$1
[[ ${7:-parley} == parley ]] || module=$1/export
CGO_ENABLED=0 GOOS=$5 GOARCH=$6 go build -C "$module" -trimpath -buildvcs=false \
  -ldflags="-s -w -buildid= -X $cli.release=$3 -X $cli.commit=$4" -o "$2" "./cmd/${7:-parley}"
