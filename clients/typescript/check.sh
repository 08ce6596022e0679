#!/usr/bin/env bash
# Builds the helper for TypeScript, checks its types, runs its tests, and plays the conformance cases against it.
# Usage: clients/typescript/check.sh (from the repository's root)
set -euo pipefail

tools/deps.sh node npm
work=$PWD/.cache/clients/typescript
rm -rf "$work"
mkdir -p "$work"
(
  cd clients/typescript
  npm ci --silent --no-fund --no-audit </dev/null
  node generate.mjs "$work/api.ts"
  diff -q "$work/api.ts" src/api.ts >/dev/null || { echo 'src/api.ts is not what the OpenAPI document generates: run `npm run generate`' >&2; exit 1; }
  rm -rf out dist
  npm test --silent >"$work/tests" </dev/null || { cat "$work/tests" >&2; exit 1; }
  npm pack --silent --pack-destination "$work" >/dev/null </dev/null
)
go run ./clients/conformance/run -- node clients/typescript/out/test/driver.js
# The package as it is published, from an empty folder.
mkdir "$work/user"
cd "$work/user"
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --no-fund --no-audit "$work"/*.tgz </dev/null
node --input-type=module -e 'import { EventStream } from "@parley-gateway/client"; new EventStream({ baseUrl: "http://127.0.0.1", request: { parent: "users/me" } });'
