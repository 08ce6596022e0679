#!/usr/bin/env bash
# Compares the protos with those of the last release, the newest tag v… that is reachable. Before the first release there is
# nothing to break. (buf's own git inputs do not work here: an old tree has no .proto-deps.)
# Usage: breaking.sh (from the repository's root, after `make proto-deps`)
set -euo pipefail

if ! tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
  echo 'breaking: no release yet, nothing to compare with'
  exit 0
fi
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
git archive "$tag" buf.yaml proto | tar -x -C "$old"
cp -r .proto-deps "$old/"
"${GO:-go}" tool -modfile=tools/go.mod buf breaking --against "$old"
echo "breaking: nothing breaks $tag"
