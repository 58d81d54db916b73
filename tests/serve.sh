#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a command against the real service in front of a fast simulator, on free
# ports; its model is called demo. SLUICE_URL tells the command where it is.
#
#   tests/serve.sh BUILD-DIRECTORY WORK-DIRECTORY COMMAND…
set -eu
build=$1
work=$2
shift 2
mkdir -p "$work"

pids=""
# shellcheck disable=SC2329
stop() {
	# shellcheck disable=SC2086
	kill $pids 2>/dev/null || true
	wait
}
trap stop EXIT

# Waits until a program has told where it listens, and prints the port.
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
SLUICE_URL=http://127.0.0.1:$(port_of "$work/sluice.log")
export SLUICE_URL
"$@"
