#!/usr/bin/env bash
# Installs what the named tools need from Debian's packages, only when a tool is missing.
# Usage: deps.sh TOOL…
set -euo pipefail

declare -A package=(
  [gcc]=gcc [git]=git [node]=nodejs [npm]=npm [python3-venv]=python3-venv [curl]=curl [jq]=jq [javac]=default-jdk-headless [mvn]=maven [cargo]=cargo
  [protoc]=protobuf-compiler [php]=php-cli [php-protobuf]=php-google-protobuf [ruby]=ruby [ruby-protobuf]=ruby-google-protobuf [strings]=binutils
  [chromium]=chromium [pngquant]=pngquant [skopeo]=skopeo [umoci]=umoci [promtool]=prometheus [openssl]=openssl [redis-server]=redis-server
)

present() {
  case $1 in
    php-protobuf) [[ -d /usr/share/php/Google/Protobuf ]] ;;
    ruby-protobuf) ruby -e 'require "google/protobuf"' 2>/dev/null ;;
    python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing=()
for tool in "$@"; do
  present "$tool" || missing+=("${package[$tool]}")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi
if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
  echo "missing: ${missing[*]}; install them, on Debian with: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
apt-get update -qq </dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
