#!/usr/bin/env bash
# Lints gen/openapi/openapi.json with the linter pinned in package-lock.json.
# Usage: run.sh (from the repository's root)
set -euo pipefail

work=.cache/openapilint
mkdir -p "$work"
cp tools/openapilint/{package.json,package-lock.json,.npmrc,redocly.yaml} "$work/"
cp gen/openapi/openapi.json "$work/openapi.json"
cd "$work"
npm ci --silent --no-fund --no-audit </dev/null
REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true ./node_modules/.bin/redocly lint --config redocly.yaml openapi.json
