#!/usr/bin/env bash
# Lints gen/openapi/openapi.json with the linters pinned in package-lock.json; a warning fails.
# Usage: run.sh (from the repository's root)
set -euo pipefail

work=.cache/openapilint
mkdir -p "$work"
cp tools/openapilint/{package.json,package-lock.json,.npmrc,redocly.yaml,spectral.yaml} "$work/"
cp gen/openapi/openapi.json "$work/openapi.json"
cd "$work"
npm ci --silent --no-fund --no-audit </dev/null
REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true ./node_modules/.bin/redocly lint --config redocly.yaml openapi.json
./node_modules/.bin/spectral lint --ruleset spectral.yaml --fail-severity hint openapi.json
