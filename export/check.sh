#!/usr/bin/env bash
# Runs the fences `sh run` of docs/nightly.md against a demo, and holds the files against the manifest with DuckDB and pyarrow.
# Usage: check.sh, from anywhere, with .bin/parley and .bin/parley-export built
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
cache=$root/.cache/export

if ! cmp -s "$here/requirements.txt" "$cache/venv/requirements.txt"; then
  rm -rf "$cache/venv"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$cache/venv/requirements.txt"
fi

# The tests that need the SDKs of clouds, and more kills than `make test` has time for. The flags are those of `make build-export`, so that the
# SDKs are compiled once.
export CGO_ENABLED=0 GOFLAGS=-trimpath
go -C "$here" test -count=1 ./internal/clouds
go -C "$here" test -count=1 -run=TestAKilledExportEndsWithTheSameRows . -export.kills=20

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
  echo 'set -euo pipefail'
  awk '/^```sh run$/ {run = 1; next} /^```/ {run = 0} run' "$root/docs/nightly.md" | sed 's/127\.0\.0\.1:9090/SERVER/g'
} >"$work/page"
grep -q parley-export "$work/page" || { echo 'docs/nightly.md has no command to run' >&2; exit 1; }
cd "$work"
PATH=$root/.bin:$cache/venv/bin:$PATH "$here/with-demo.sh" "$root/.bin/parley" bash -c "$(<"$work/page")"
"$cache/venv/bin/python" "$here/check.py" "$work/export" "$root/.bin/parley-export"
"$cache/venv/bin/python" "$here/nights.py" "$root/.bin/parley" "$root/.bin/parley-export"
"$cache/venv/bin/python" "$here/outage.py" "$root/.bin/parley" "$root/.bin/parley-export"
