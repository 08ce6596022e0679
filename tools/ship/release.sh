#!/usr/bin/env bash
# Puts together everything of a release in .bin/release/VERSION: archives, images, chart, contract, bills of materials, notes, provenance,
# checksums and, with a key, their signature. It publishes nothing.
# Usage: release.sh VERSION
#   TARGETS     the operating systems and architectures of the archives, for a rehearsal of some
#   SIGNING_KEY a private key in PEM form; signs the checksums, which hold the digest of everything else, and the provenance by openssl
#   COSIGN_KEY  a private key of cosign, to sign the two by cosign
set -euo pipefail
version=$1
ship=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ship/../.."

fail() { printf 'release: %s\n' "$*" >&2; exit 1; }

[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "$version is no version such as v0.1.0 or v0.1.0-rc.1"
[[ -z $(git status --porcelain) ]] || fail 'the work tree has changes that are not committed'
[[ -z ${COSIGN_KEY:-} ]] || command -v cosign >/dev/null || fail 'COSIGN_KEY is set, and there is no cosign'
[[ -z ${SIGNING_KEY:-} || -r ${SIGNING_KEY:-} ]] || fail 'SIGNING_KEY is set, and the file cannot be read'
revision=$(git rev-parse HEAD) created=$(git log -1 --format=%ct)
out=$PWD/.bin/release/$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out"

# pack FOLDER ARCHIVE: a tar of a folder's content; the same content gives the same bytes.
pack() { tar --sort=name --mtime="@$created" --owner=0 --group=0 --numeric-owner -C "$1" -c . | gzip -n -9 >"$2"; }

# The section of this version, or for a pre-release what is not released yet.
awk -v heading="## ${version#v}" '
  /^## / { inside = index($0, heading) == 1; if (inside) { found = 1 } }
  inside { print }
  END { exit !found }' CHANGELOG.md >"$out/notes.md" || {
  [[ $version == *-* ]] || fail "CHANGELOG.md has no section ## ${version#v}"
  awk '/^## / { inside = /^## Unreleased/ } inside { print }' CHANGELOG.md >"$out/notes.md"
}

for target in ${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}; do
  os=${target%/*} architecture=${target#*/}
  name=parley_${version}_${os}_$architecture
  folder=$work/$name
  mkdir "$folder"
  binary=parley
  [[ $os != windows ]] || binary=parley.exe
  "$ship/binary.sh" "$PWD" "$folder/$binary" "$version" "$revision" "$os" "$architecture"
  cp README.md SECURITY.md CHANGELOG.md "$folder/"
  go -C "$ship" tool cyclonedx-gomod bin -json -std -noserial -notimestamp -version "$version" -output "$out/$name.cdx.json" "$folder/$binary"
  if [[ $os == linux ]]; then # the image holds the same programs
    mkdir -p "$work/made/$architecture"
    cp "$folder/$binary" "$work/made/$architecture/"
    cp "$out/$name.cdx.json" "$work/made/$architecture.cdx.json"
  fi
  if [[ $os == windows ]]; then
    python3 - "$folder" "$out/$name.zip" "$created" <<'PYTHON'
import pathlib, sys, time, zipfile

folder, archive, created = pathlib.Path(sys.argv[1]), sys.argv[2], time.gmtime(int(sys.argv[3]))[:6]
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as to:
    for path in sorted(folder.iterdir()):
        to.writestr(zipfile.ZipInfo(path.name, created), path.read_bytes(), zipfile.ZIP_DEFLATED)
PYTHON
  else
    pack "$folder" "$out/$name.tar.gz"
  fi
done

mkdir "$work/contract"
cp -r proto "$work/contract/proto"
cp gen/descriptor/parley.binpb gen/descriptor/parley-full.binpb gen/openapi/openapi.json "$work/contract/"
pack "$work/contract" "$out/parley_${version}_contract.tar.gz"

digest=$("$ship/image.sh" "$PWD" "$work/image" "$version" "$revision" "$created" "$work/made")
pack "$work/image" "$out/parley_${version}_image.tar.gz"
export_digest=$(PROGRAM=parley-export "$ship/image.sh" "$PWD" "$work/image-export" "$version" "$revision" "$created")
pack "$work/image-export" "$out/parley-export_${version}_image.tar.gz"

helm=$("$ship/helm.sh" "$PWD/.cache/chart")
"$helm" package deploy/helm/parley --destination "$out" --version "${version#v}" --app-version "$version" >/dev/null

(cd "$out" && sha256sum -- * >"$work/checksums.txt")
mv "$work/checksums.txt" "$out/checksums.txt"
# What it was made of, as an in-toto statement with SLSA's predicate.
jq -n --rawfile sums "$out/checksums.txt" --arg version "$version" --arg revision "$revision" --arg go "$(go env GOVERSION)" '{
  _type: "https://in-toto.io/Statement/v1",
  subject: [$sums | rtrimstr("\n") | split("\n")[] | split("  ") | {name: .[1], digest: {sha256: .[0]}}],
  predicateType: "https://slsa.dev/provenance/v1",
  predicate: {
    buildDefinition: {
      buildType: "https://github.com/parley-gateway/parley/blob/main/docs/releasing.md",
      externalParameters: {command: "make release", version: $version},
      internalParameters: {go: $go},
      resolvedDependencies: [{uri: "git+https://github.com/parley-gateway/parley", digest: {gitCommit: $revision}}]
    },
    runDetails: {builder: {id: "https://github.com/parley-gateway/parley/blob/main/tools/ship/release.sh"}}
  }
}' >"$out/provenance.intoto.json"
"$ship/sign.sh" "$out"
if [[ -n ${COSIGN_KEY:-} ]]; then
  for file in checksums.txt provenance.intoto.json; do
    cosign sign-blob --yes --key "$COSIGN_KEY" --tlog-upload=false --use-signing-config=false --bundle "$out/$file.sigstore.json" "$out/$file"
  done
fi
echo "release $version of $revision, image $digest, image of the exporter $export_digest:"
(cd "$out" && du -h -- * | sort -k 2)
