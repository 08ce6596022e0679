#!/usr/bin/env bash
# Checks the Helm chart and the settings beside it; see chart_check.py.
# Usage: chart-check.sh PARLEY
set -euo pipefail
parley=$(realpath "$1")
ship=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$ship/../.." && pwd)
cache=$root/.cache/chart

helm=$("$ship/helm.sh" "$cache")
if ! cmp -s "$ship/requirements.txt" "$cache/venv/requirements.txt"; then
  rm -rf "$cache/venv"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$ship/requirements.txt"
  cp "$ship/requirements.txt" "$cache/venv/requirements.txt"
fi
go -C "$root/tools/kubescore" build -o "$cache/kube-score" github.com/zegl/kube-score/cmd/kube-score
"$cache/venv/bin/python" "$ship/chart_check.py" "$helm" "$cache/kube-score" "$parley" "$root/deploy/helm/parley"
