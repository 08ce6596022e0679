#!/usr/bin/env bash
# Runs every fuzz target of the main module, one after another.
# Usage: fuzz.sh TIME (a duration such as 5s, or a count such as 1000x)
set -euo pipefail

time=${1:?usage: fuzz.sh TIME}
targets=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Go sometimes reports the end of the fuzzing time as a failure of the input under way. Without a failing
# input that is none, and the target runs once more.
fuzz() {
  "${GO:-go}" test -run='^$' -fuzz="^$1\$" -fuzztime="$time" "$2" </dev/null 2>&1 | tee "$log"
}

while IFS=: read -r file _ line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
  echo "== $name (${file%/*})"
  if ! fuzz "$name" "./${file%/*}"; then
    grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || exit 1
    fuzz "$name" "./${file%/*}"
  fi
  targets=$((targets + 1))
done < <(grep -rnE --include='*_test.go' --exclude-dir=tools --exclude-dir='.*' '^func Fuzz[A-Za-z0-9_]*\(' -- * | sort)
echo "fuzz: $targets targets"
