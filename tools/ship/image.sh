#!/usr/bin/env bash
# Builds the image: static binaries of the sources in a folder, the bill of materials of each, and both in an OCI layout.
# Prints the image's digest. The same commit and version give the same digest.
# Usage: image.sh SOURCES OUT VERSION REVISION CREATED
set -euo pipefail
sources=$1 out=$2 version=$3 revision=$4 created=$5
ship=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=()
for architecture in amd64 arm64; do
  binary=$work/$architecture/parley
  bill=$work/$architecture.cdx.json
  "$ship/binary.sh" "$sources" "$binary" "$version" "$revision" linux "$architecture"
  go -C "$ship" tool cyclonedx-gomod bin -json -std -noserial -notimestamp -version "$version" -output "$bill" "$binary" 2>/dev/null
  programs+=(-program "$architecture=$binary=$bill")
done
go -C "$ship" run ./image -out "$out" -version "$version" -revision "$revision" -created "$created" "${programs[@]}"
