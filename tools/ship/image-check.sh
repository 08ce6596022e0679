#!/usr/bin/env bash
# Checks the image that `make image` built: a second build in another folder has its digest, it holds what it says, and its demo
# answers from an empty root, as the image's user, who can write nothing there.
# Usage: image-check.sh IMAGE VERSION REVISION CREATED
set -euo pipefail
image=$(realpath "$1") version=$2 revision=$3 created=$4
ship=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
limit=$((20 * 1000 * 1000))

fail() { printf 'image: %s\n' "$*" >&2; exit 1; }

[[ $(id -u) == 0 ]] || fail 'run as root: the demo is started by chroot'
work=$(mktemp -d)
demo=
trap '[[ -z $demo ]] || kill "$demo" 2>/dev/null || true; rm -rf "$work"' EXIT

digest=$(jq -r '.manifests[0].digest' "$image/index.json")
mkdir "$work/sources"
(cd "$ship/../.." && git ls-files -z --cached --others --exclude-standard | tar --null -T - -c) | tar -x -C "$work/sources"
again=$("$ship/image.sh" "$work/sources" "$work/again" "$version" "$revision" "$created")
[[ $again == "$digest" ]] || fail "a second build has the digest $again, the first $digest"
echo "two builds: $digest"

for architecture in amd64 arm64; do
  skopeo --override-arch "$architecture" copy --quiet "oci:$image:$version" "oci:$work/$architecture:$version"
  config=$(skopeo --override-arch "$architecture" inspect --config "oci:$work/$architecture:$version")
  jq -e --arg version "$version" --arg revision "$revision" '.config
    | .User == "65532:65532" and .Labels["org.opencontainers.image.version"] == $version
      and .Labels["org.opencontainers.image.revision"] == $revision' <<<"$config" >/dev/null || fail "$architecture: labels or user: $config"
  size=$(jq '[.layers[].size] | add' < <(skopeo inspect --raw "oci:$work/$architecture:$version"))
  ((size <= limit)) || fail "$architecture: $size bytes compressed, more than $limit"
  echo "$architecture: $size bytes compressed"
done
skopeo inspect --raw "oci:$image:$version" | jq -r '.manifests[] | select(.annotations["vnd.docker.reference.type"]) | .digest' |
  while IFS=: read -r _ attestation; do
    bill=$(jq -r '.layers[0].digest' "$image/blobs/sha256/$attestation")
    jq -e '.predicate.bomFormat == "CycloneDX" and (.predicate.components | length > 20)' "$image/blobs/sha256/${bill#sha256:}" >/dev/null ||
      fail "the attestation $attestation is no bill of materials"
    echo "bill of materials: $bill"
  done

architecture=$(go env GOARCH)
umoci unpack --image "$work/$architecture:$version" "$work/bundle" 2>/dev/null
root=$work/bundle/rootfs
file=$(find "$root" -perm -o=w ! -type l -print -quit)
if [[ -n $file ]]; then
  fail "everybody may write $file"
fi
# What every container runtime puts there: a null device, which a file of the user stands in for, and /proc. Where this machine lets nobody
# mount, shared memory stands in for the latter.
mkdir "$root/dev" "$root/proc"
install --mode=600 --owner=65532 --group=65532 /dev/null "$root/dev/null"
mounted=(unshare --mount bash -c 'mount --bind /proc "$1/proc" && shift && exec "$@"' mounted "$root")
if ! "${mounted[@]}" true 2>/dev/null; then
  mounted=()
  install --directory --mode=1777 "$root/dev/shm"
fi
mkfifo "$work/out"
chmod 755 "$work" "$work/bundle"
"${mounted[@]}" chroot --userspec=65532:65532 "$root" /usr/local/bin/parley demo --grpc-addr=127.0.0.1:0 --http-addr=127.0.0.1:0 \
  --admin-addr=127.0.0.1:0 --sim-addr=127.0.0.1:0 >"$work/out" 2>"$work/err" &
demo=$!
exec 3<"$work/out"
rest=
while IFS= read -r -t 120 line <&3; do
  if [[ $line == *'REST       http://'* ]]; then rest=${line##*http://} rest=${rest%%/*}; fi
  [[ $line != 'Ctrl-C ends it.' ]] || break
done
[[ -n $rest ]] || fail "the demo did not start: $(cat "$work/err")"
chroot --userspec=65532:65532 "$root" /usr/local/bin/parley healthcheck --http-addr="$rest" || fail 'the probe says that the demo is not ready'
users=$(curl -sS --fail --max-time 120 "http://$rest/v1/users" | jq '.users | length')
((users > 0)) || fail 'the demo lists no users'
chroot --userspec=65532:65532 "$root" /usr/local/bin/parley version | grep -qF "parley $version " || fail 'the binary has another version'
kill -TERM "$demo"
wait "$demo" || fail "the demo ended with exit code $?"
demo=
echo "the demo in the image lists $users users"
