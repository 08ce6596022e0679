#!/usr/bin/env bash
# Says what a long first build is doing; nothing where the packages of a program are built already.
# Usage: coldbuild.sh GO PACKAGE
set -euo pipefail

missing=$("$1" list -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' "$2" | wc -l)
if ((missing > 100)); then
  echo "The first build: Go compiles $missing packages, which takes one to five minutes. The next start takes seconds." >&2
fi
