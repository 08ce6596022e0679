#!/usr/bin/env bash
# Builds an image: static binaries of the sources in a folder, the bill of materials of each, and both in an OCI layout.
# Prints the image's digest. The same commit and version give the same digest.
# Usage: image.sh SOURCES OUT VERSION REVISION CREATED [MADE]
#   MADE    has what binary.sh and cyclonedx-gomod made of the same sources already: ARCHITECTURE/parley and ARCHITECTURE.cdx.json
#   PROGRAM is a variable: parley, unless it says parley-export
set -euo pipefail
sources=$1 out=$2 version=$3 revision=$4 created=$5 made=${6:-}
program=${PROGRAM:-parley}
ship=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=()
for architecture in amd64 arm64; do
  from=$work
  if [[ -n $made && -f $made/$architecture/$program ]]; then
    from=$made
  else
    "$ship/binary.sh" "$sources" "$work/$architecture/$program" "$version" "$revision" linux "$architecture" "$program"
    go -C "$ship" tool cyclonedx-gomod bin -json -std -noserial -notimestamp -version "$version" -output "$work/$architecture.cdx.json" \
      "$work/$architecture/$program" 2>/dev/null
  fi
  programs+=(-program "$architecture=$from/$architecture/$program=$from/$architecture.cdx.json")
done
go -C "$ship" run ./image -title "$program" -out "$out" -version "$version" -revision "$revision" -created "$created" "${programs[@]}"
