#!/usr/bin/env bash
# Generates everything of gen/ into FOLDER/gen: Go code, the descriptor sets with imports and comments, the OpenAPI document; and the
# Go code of the protos that are no part of the contract into FOLDER/internal.
# Usage: generate.sh FOLDER (from the repository's root, after `make proto-deps`)
set -euo pipefail

out=${1:?usage: generate.sh FOLDER}
buf=("${GO:-go}" tool -modfile=tools/go.mod buf)

rm -rf "$out"
mkdir -p "$out/gen/descriptor" "$out/gen/openapi"
"${buf[@]}" generate -o "$out"
# The module of the generated Go code is kept by hand: it names what the code needs, and nothing of the gateway.
cp gen/go/go.mod gen/go/go.sum "$out/gen/go/"
"${buf[@]}" generate --config buf.internal.yaml --template buf.gen.internal.yaml -o "$out"
"${buf[@]}" build proto --as-file-descriptor-set -o "$out/built.binpb"
out=$(cd "$out" && pwd)
"${GO:-go}" -C tools run ./descriptorset "$out/built.binpb" "$out/gen/descriptor/parley.binpb" "$out/gen/descriptor/parley-full.binpb"
"${GO:-go}" -C tools run ./openapifix "$out/openapi-parts" "$out/gen/descriptor/parley-full.binpb" \
  ../docs/errors.md openapifix/examples.json "$out/gen/openapi/openapi.json"
