#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a command against the real service in front of a fast simulator, on free
# ports. Its models: demo, gated (waits behind its third token until the simulator's gate is opened), cut (breaks).
# SLUICE_URL and SLUICE_ADMIN_URL tell the command where its listeners are, SLUICE_KEYS_URL where the admin listener of
# another service with a store of keys is, SIM_URL where the simulator takes orders. SLUICE_PUBLIC: what else the public
# listener serves, as the key `public` lists it.
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

# Waits until a program has told where it listens, in a line with those words, and prints the port.
port_of() {
	for _ in $(seq 1200); do
		port=$(sed -n '/'"${2:-.}"'/s/.*127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$1" | head -n 1)
		[ -n "$port" ] && echo "$port" && return
		sleep 0.1
	done
	echo "nothing listens: $(cat "$1")" >&2
	exit 1
}

"$build/sluice-sim" --listen 127.0.0.1:0 --control 127.0.0.1:0 --ttft 0ms --itl 0ms --tokens 4 >"$work/sim.log" 2>&1 &
pids="$pids $!"
sim=$(port_of "$work/sim.log" listening)
SIM_URL=http://127.0.0.1:$(port_of "$work/sim.log" control)
cat >"$work/sluice.yaml" <<YAML
listen: [127.0.0.1:0]
admin: 127.0.0.1:0
public: [${SLUICE_PUBLIC:-}]
workers: 1
backends: { sim: { url: "http://127.0.0.1:$sim/v1" } }
models:
  demo: sim/river-1
  gated: sim/river-1;gate=3;tokens=6
  cut: sim/river-1;reset_mid;after=3
YAML
"$build/sluice" --config "$work/sluice.yaml" >"$work/sluice.log" 2>&1 &
pids="$pids $!"
SLUICE_URL=http://127.0.0.1:$(port_of "$work/sluice.log" '"listener":"public"')
SLUICE_ADMIN_URL=http://127.0.0.1:$(port_of "$work/sluice.log" '"listener":"admin"')
# Another one whose clients show keys, for the operations on the store of keys.
rm -f "$work/keys.db"
cat >"$work/keyed.yaml" <<YAML
listen: [127.0.0.1:0]
admin: 127.0.0.1:0
auth: { pepper: no-secret-as-nobody-else-gets-here, store: sqlite, file: keys.db }
workers: 1
backends: { sim: { url: "http://127.0.0.1:$sim/v1" } }
models: { demo: sim/river-1 }
YAML
"$build/sluice" --config "$work/keyed.yaml" >"$work/keyed.log" 2>&1 &
pids="$pids $!"
SLUICE_KEYS_URL=http://127.0.0.1:$(port_of "$work/keyed.log" '"listener":"admin"')
export SLUICE_URL SLUICE_ADMIN_URL SLUICE_KEYS_URL SIM_URL
"$@"
