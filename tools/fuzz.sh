#!/usr/bin/env bash
# Runs every fuzz target of the main module, one after another.
# Usage: fuzz.sh TIME (a duration such as 5s, or a count such as 1000x)
set -euo pipefail

time=${1:?usage: fuzz.sh TIME}
targets=0
while IFS=: read -r file _ line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
  echo "== $name (${file%/*})"
  "${GO:-go}" test -run='^$' -fuzz="^$name\$" -fuzztime="$time" "./${file%/*}" </dev/null
  targets=$((targets + 1))
done < <(grep -rnE --include='*_test.go' --exclude-dir=tools --exclude-dir='.*' '^func Fuzz[A-Za-z0-9_]*\(' -- * | sort)
echo "fuzz: $targets targets"
