#!/bin/sh
# SPDX-License-Identifier: MIT
# Starts the service with its embedded demonstration and the two simulators that
# its configuration names, and stops all of them on Ctrl-C.
#
#   tools/run.sh BUILD-DIRECTORY
set -eu
build=$1
pids=""

# shellcheck disable=SC2329
stop() {
	trap - INT TERM EXIT
	# shellcheck disable=SC2086
	kill $pids 2>/dev/null || true
	wait
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

start_sim() {
	"$build/sluice-sim" --listen "127.0.0.1:$1" --name "$2" --ttft 150ms --itl 30ms --tokens 40 >/dev/null &
	pids="$pids $!"
}

start_sim 9101 alpha
start_sim 9102 beta
"$build/sluice" &
sluice=$!
pids="$pids $sluice"

for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	if curl -s -o /dev/null --max-time 1 http://127.0.0.1:8080/readyz; then
		break
	fi
	if ! kill -0 "$sluice" 2>/dev/null; then
		echo "The service did not start; is another program using 127.0.0.1:8080 or 9090?" >&2
		exit 1
	fi
	sleep 0.1
done

for pid in $pids; do
	if ! kill -0 "$pid" 2>/dev/null; then
		echo "A simulator did not start; are 127.0.0.1:9101 and 9102 free?" >&2
		exit 1
	fi
done

cat <<'END'

Sluice answers on http://127.0.0.1:8080/v1 with the models demo, demo-fallback and demo-all. Try:

  curl -N http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' -d '{"model":"demo","stream":true,"messages":[{"role":"user","content":"Tell me about rivers"}]}'

For operators, on http://127.0.0.1:9090: the API to read and to try at /docs, metrics at /metrics, and /admin/backends.

Ctrl-C stops everything.

END
wait "$sluice"
