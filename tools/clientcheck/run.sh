#!/usr/bin/env bash
# Shows that the served descriptor set is all that a client needs: starts `parley demo`, fetches /descriptor.binpb into an
# empty folder, generates a Python and a TypeScript client from it alone, and lets both list events and read a stream to
# its summary.
# Usage: run.sh (from the repository's root)
set -euo pipefail

here=$PWD/tools/clientcheck
work=$(mktemp -d)
gateway=

# Stops the gateway that was started here and removes the folder.
finish() {
  local code=$?
  if [[ -n $gateway ]]; then
    kill "$gateway" 2>/dev/null || true
    wait "$gateway" 2>/dev/null || true
  fi
  if ((code != 0)) && [[ -s $work/gateway.log ]]; then
    echo 'clients: the gateway said last:' >&2
    tail -n 20 "$work/gateway.log" >&2
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

say() { printf 'clients: %s\n' "$*"; }

"${GO:-go}" build -o "$work/parley" ./cmd/parley

# Ports that were free a moment ago.
read -r grpc_port http_port admin_port sim_port < <(python3 - <<'PY'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(s.getsockname()[1] for s in sockets))
PY
)
export PARLEY_GRPC_ADDR=127.0.0.1:$grpc_port PARLEY_HTTP_ADDR=127.0.0.1:$http_port
export PARLEY_ADMIN_ADDR=127.0.0.1:$admin_port PARLEY_SIM_ADDR=127.0.0.1:$sim_port

"$work/parley" demo >"$work/gateway.log" 2>&1 </dev/null &
gateway=$!
for ((try = 0; ; try++)); do
  curl -fsS -o /dev/null --max-time 5 "http://$PARLEY_HTTP_ADDR/readyz" 2>/dev/null && break
  if ! kill -0 "$gateway" 2>/dev/null || ((try == 300)); then
    say 'parley demo does not become ready' >&2
    exit 1
  fi
  sleep 0.2
done
say "the gateway is ready"

mkdir "$work/python" "$work/typescript"
cp "$here"/python/* "$work/python/"
cp -r "$here"/typescript/. "$work/typescript/"
curl -fsS -o "$work/descriptor.binpb" "http://$PARLEY_HTTP_ADDR/descriptor.binpb"

# Python: protoc comes with grpcio-tools. It is asked for every file of the set, the imports included; the protobuf runtimes
# bring google/protobuf themselves.
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$work/python/requirements.txt" </dev/null
protoc=("$work/venv/bin/python" -m grpc_tools.protoc "--descriptor_set_in=$work/descriptor.binpb")
mapfile -t files < <("$work/venv/bin/python" "$work/python/files.py" "$work/descriptor.binpb")
say "the descriptor set has ${#files[@]} files to generate"

mkdir "$work/python/gen"
"${protoc[@]}" "--python_out=$work/python/gen" "--grpc_python_out=$work/python/gen" "${files[@]}"
PYTHONPATH="$work/python/gen" "$work/venv/bin/python" "$work/python/client.py" "$PARLEY_GRPC_ADDR"

# TypeScript: protobuf-es and connect's gRPC transport.
cd "$work/typescript"
npm ci --silent --no-fund --no-audit </dev/null
mkdir src/gen
"${protoc[@]}" --plugin=protoc-gen-es=node_modules/.bin/protoc-gen-es --es_out=src/gen \
  --es_opt=target=ts,import_extension=js "${files[@]}"
node_modules/.bin/tsc
node out/client.js "$PARLEY_GRPC_ADDR"
