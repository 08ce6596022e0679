#!/usr/bin/env bash
# Builds the helper for Python, checks its types and its style, and plays the conformance cases against it, with threads and with asyncio.
# Usage: clients/python/check.sh (from the repository's root)
set -euo pipefail

tools/deps.sh python3-venv
work=$PWD/.cache/clients/python
rm -rf "$work/source"
mkdir -p "$work"
cp -r clients/python "$work/source" # a build leaves folders behind
cp gen/descriptor/parley.binpb "$work/source/descriptor.binpb"
[[ -x $work/venv/bin/python ]] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "$work/source[check]" </dev/null
(cd "$work/source" && rm -rf build && "$work/venv/bin/mypy" && "$work/venv/bin/ruff" check --quiet && "$work/venv/bin/ruff" format --check --quiet)
for mode in '' --asyncio; do
  go run ./clients/conformance/run -- "$work/venv/bin/python" "$work/source/driver.py" $mode
done
