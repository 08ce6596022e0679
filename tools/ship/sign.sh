#!/usr/bin/env bash
# Signs the checksums and the provenance of a release with the key of SIGNING_KEY, and holds that the signatures verify; without the variable
# it does nothing.
# Usage: sign.sh FOLDER
set -euo pipefail
[[ -n ${SIGNING_KEY:-} ]] || exit 0
public=$(mktemp)
trap 'rm -f "$public"' EXIT
openssl pkey -in "$SIGNING_KEY" -pubout -out "$public"
for file in checksums.txt provenance.intoto.json; do
  openssl dgst -sha256 -sign "$SIGNING_KEY" -out "$1/$file.sig" "$1/$file"
  openssl dgst -sha256 -verify "$public" -signature "$1/$file.sig" "$1/$file" >/dev/null || { echo "sign: the signature of $file is wrong" >&2; exit 1; }
done
