#!/bin/sh
# SPDX-License-Identifier: MIT
# schemathesis against the real service in front of a simulator: every check, on
# data that the OpenAPI document allows and on data that it does not.
#
#   tests/schemathesis/run.sh BUILD-DIRECTORY
#
# EXAMPLES (150): cases per operation; SEED: repeats a run.
set -eu
cd "$(dirname "$0")/../.."
build=$1
work=$build/schemathesis
mkdir -p "$work"

if ! cmp -s tests/schemathesis/requirements.txt "$work/installed"; then
	python3 -m venv "$work/venv"
	"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/schemathesis/requirements.txt
	cp tests/schemathesis/requirements.txt "$work/installed"
fi

pids=""
# shellcheck disable=SC2329
stop() {
	# shellcheck disable=SC2086
	kill $pids 2>/dev/null || true
	wait
}
trap stop EXIT

# Waits until a program has told on its standard error where it listens, and prints the port.
port_of() {
	for _ in $(seq 100); do
		port=$(sed -n 's/.*127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$1" | head -n 1)
		[ -n "$port" ] && echo "$port" && return
		sleep 0.1
	done
	echo "nothing listens: $(cat "$1")" >&2
	exit 1
}

"$build/sluice-sim" --listen 127.0.0.1:0 --ttft 0ms --itl 0ms --tokens 4 >"$work/sim.log" 2>&1 &
pids="$pids $!"
sim=$(port_of "$work/sim.log")
cat >"$work/sluice.yaml" <<YAML
listen: [127.0.0.1:0]
workers: 1
backends: { sim: { url: "http://127.0.0.1:$sim/v1" } }
models: { demo: sim/river-1 }
YAML
"$build/sluice" --config "$work/sluice.yaml" >"$work/sluice.log" 2>&1 &
pids="$pids $!"
port=$(port_of "$work/sluice.log")

SCHEMATHESIS_HOOKS=hooks PYTHONPATH=tests/schemathesis "$work/venv/bin/schemathesis" \
	--config-file tests/schemathesis/schemathesis.toml run "http://127.0.0.1:$port/openapi.json" \
	--checks all --mode all --max-examples "${EXAMPLES:-150}" ${SEED:+--seed "$SEED"} --no-color
