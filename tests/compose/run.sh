#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds the images of deploy/ and runs docker-compose.yml for real, then takes
# everything away again, also on failure and Ctrl-C.
#
#   tests/compose/run.sh                                    a Docker daemon of its own (root)
#   SLUICE_COMPOSE_DAEMON=existing tests/compose/run.sh     the one that `docker` talks to
#   SLUICE_COMPOSE_PORT=8080                                another is taken when this one is in use
#   SLUICE_COMPOSE_LOG=FILE                                 keep what all steps print
#
# The private daemon shares nothing with one that may run already, and needs no
# image registry: daemon.sh makes the base images from Debian's packages.
# Prints one closing line; on failure what went wrong, and the logs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

daemon=${SLUICE_COMPOSE_DAEMON:-private}
tag=test-$$
project=sluice-test-$$
passed=0 failed=0 skipped=0
client='' operator='' # keys that the start has printed
step_pid=''
compose=() # the command, once there is a daemon for it
work=$(mktemp -d /var/tmp/sluice-compose.XXXXXX) || exit 1
log=${SLUICE_COMPOSE_LOG:-$work/log}

. tests/compose/daemon.sh

cleanup() {
	local status=$?
	trap '' INT TERM HUP
	trap - EXIT
	if [ -n "$step_pid" ]; then
		kill "$step_pid" 2>/dev/null
		wait "$step_pid"
	fi
	take_down
	if [ "$daemon" != private ]; then
		rm -rf "$work"
	elif ! daemon_stop; then
		echo "compose: something was left behind in $work, see above" >&2
		status=1
	fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

take_down() {
	[ ${#compose[@]} != 0 ] || return
	timeout 60 "${compose[@]}" down -v --remove-orphans -t 5 >>"$log" 2>&1
	[ "$daemon" = private ] || timeout 60 docker rmi "sluice:$tag" "sluice-sim:$tag" >>"$log" 2>&1
}

# give_up WHY: the machinery failed; the log says how.
give_up() {
	printf 'compose: %s. The end of the log:\n' "$1" >&2
	tail -n 40 "$log" | cut -c1-240 >&2
	exit 1
}

# step SECONDS COMMAND...: output into the log. In the background, so that a signal is acted on at once.
step() {
	local limit=$1 status
	shift
	printf '== at %s s: %s\n' "$SECONDS" "$*" >>"$log"
	timeout -k 10 "$limit" "$@" >>"$log" 2>&1 &
	step_pid=$!
	wait "$step_pid"
	status=$?
	step_pid=''
	[ "$status" != 124 ] || printf '== was not done in %s s\n' "$limit" >>"$log"
	return "$status"
}

# check NAME COMMAND...: one test. Its output is shown when it fails.
check() {
	local name=$1
	shift
	if "$@" >"$work/check" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'not ok: %s\n' "$name" >&2
		sed 's/^/    /' "$work/check" >&2
	fi
}

fails() {
	! "$@"
}

# --- what is checked -------------------------------------------------------

container() {
	"${compose[@]}" ps -q "$1"
}

inspect() { # SERVICE FORMAT
	docker inspect -f "$2" "$(container "$1")"
}

is_healthy() { # SERVICE SECONDS
	local end=$((SECONDS + $2)) state=
	while [ "$SECONDS" -lt "$end" ]; do
		state=$(inspect "$1" '{{.State.Health.Status}}')
		[ "$state" = healthy ] && return
		sleep 0.3
	done
	inspect "$1" '{{json .State}}'
	return 1
}

ask_with() { # KEY URL [CURL-OPTIONS...]
	curl -sS --fail-with-body --max-time 20 "$2" -H "authorization: Bearer $1" "${@:3}"
}

ask() { # PATH [CURL-OPTIONS...]
	ask_with "$client" "$base$1" "${@:2}"
}

ask_admin() { # PATH [CURL-OPTIONS...]
	ask_with "$operator" "$admin_base$1" "${@:2}"
}

# is_refused CODE KEY URL: by 401 with that error code.
is_refused() {
	curl -sS --max-time 20 -w '\nstatus %{http_code}\n' "$3" ${2:+-H "authorization: Bearer $2"} | tee "$work/refused"
	grep -qx 'status 401' "$work/refused" && grep -q "\"$1\"" "$work/refused"
}

# Operators' paths are on their own port alone, which answers to no name that a web page can have.
serves_operators() {
	ask_admin /metrics | grep '^sluice_info' && ask_admin /admin/backends | holds 'len(it["data"]) == 2' &&
		fails ask /metrics && fails ask_admin /metrics -H 'host: page.example'
}

# --- keys ---

# Prints the key that a start has printed for NAME.
key_of() { # NAME
	sed -n "s/.*\b$1: *\(sk-sluice-[0-9A-Za-z]*\).*/\1/p"
}

prints_keys() {
	"${compose[@]}" logs --no-color key >"$work/keys" 2>&1
	client=$(key_of client <"$work/keys") operator=$(key_of operator <"$work/keys")
	sed 's/\(sk-sluice-........\)[0-9A-Za-z]*/\1…/' "$work/keys"
	[ ${#client} = 54 ] && [ ${#operator} = 54 ] && [ "$client" != "$operator" ]
}

asks_for_keys() {
	is_refused missing_api_key '' "$base/v1/models" && is_refused invalid_api_key "${client%?}" "$base/v1/models" &&
		is_refused missing_api_key '' "$admin_base/admin/backends" && is_refused missing_api_key '' "$admin_base/metrics" &&
		fails ask_with "$client" "$admin_base/metrics" && ask /v1/models >/dev/null
}

# The volume has them, and the images nothing.
keeps_keys_out_of_images() {
	[ -z "$(docker run --rm --network none --entrypoint ls "sluice:$tag" -A /var/lib/sluice)" ] &&
		fails docker run --rm --network none --entrypoint grep "sluice:$tag" -rlE 'sk-sluice-[0-9A-Za-z]{44}' /etc /home /usr/local /var
}

# Neither another start nor a container made anew makes another key.
makes_keys_once() {
	"${compose[@]}" up -d --no-build --force-recreate key && "${compose[@]}" logs --no-color key | tee "$work/again"
	[ "$(grep -c 'exists; it was printed' "$work/again")" = 2 ] && [ -z "$(key_of client <"$work/again")" ] && ask /v1/models >/dev/null
}

takes_within() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	until "${@:2}"; do
		[ "$SECONDS" -lt "$end" ] || return
		sleep 0.3
	done
}

makes_new_keys() {
	local former=$client
	"${compose[@]}" run --rm -T key new >"$work/new" && client=$(key_of client <"$work/new") operator=$(key_of operator <"$work/new")
	[ ${#client} = 54 ] && [ "$client" != "$former" ] && takes_within 20 ask /v1/models >/dev/null &&
		is_refused invalid_api_key "$former" "$base/v1/models"
}

# What README says to paste, with the command, the port and the project of this run.
runs_readme() {
	sed -n '/^docker compose up/,/^```$/{/^```$/!p}' README.md |
		sed "s|docker compose|${compose[*]}|; s|http://127.0.0.1:8080|$base|" >"$work/readme"
	[ "$(wc -l <"$work/readme")" -gt 2 ] && bash -e "$work/readme" | tee "$work/stream"
	[ "$(grep '^data: ' "$work/stream" | tail -n 1 | tr -d '\r')" = 'data: [DONE]' ]
}

chat() { # MODEL MEMBERS [CURL-OPTIONS...]
	ask /v1/chat/completions "${@:3}" -H 'content-type: application/json' \
		-d '{"model":"'"$1"'"'"$2"',"messages":[{"role":"user","content":"Tell me about rivers"}]}'
}

# holds EXPRESSION: is it true of `it`, the JSON on standard input?
holds() {
	/usr/bin/python3 -c '
import json, sys
it = json.load(sys.stdin)
print(json.dumps(it, indent=1))
sys.exit(not eval(sys.argv[1]))' "$1"
}

lists_models() {
	ask /v1/models | holds '{m["id"] for m in it["data"]} == {"demo", "demo-fallback", "demo-all"}'
}

answers_whole() { # MODEL CHOICES
	chat "$1" '' | holds '[c["index"] for c in it["choices"]] == list(range('"$2"')) and all(
		c["finish_reason"] == "stop" and c["message"]["content"] for c in it["choices"])'
}

# A deterministic answer is given once by a model, then by the cache, and Redis has it.
keeps_in_redis() {
	chat demo ',"temperature":0' -o /dev/null -D - | tee "$work/first"
	chat demo ',"temperature":0' -o /dev/null -D - | tee "$work/second"
	grep -qi '^cache-status: sluice; fwd=miss' "$work/first" && grep -qi '^cache-status: sluice; hit' "$work/second" &&
		docker exec "$(container redis)" redis-cli --scan --pattern 'sluice:1:*}' | tee "$work/kept" &&
		[ "$(wc -l <"$work/kept")" = 1 ]
}

answers_stream() { # MODEL [CURL-OPTIONS...]
	chat "$1" ',"stream":true' "${@:2}" | tee "$work/stream"
	[ "$(grep -c '^data: {.*"content":"[^"]' "$work/stream")" -gt 10 ] &&
		[ "$(grep '^data: ' "$work/stream" | tail -n 1 | tr -d '\r')" = 'data: [DONE]' ]
}

is_not_root() { # SERVICE
	local id
	id=$(docker exec "$(container "$1")" id -u) && echo "uid $id" && [ "$id" -gt 0 ]
}

# Not even root can put a file anywhere.
is_read_only() { # SERVICE
	# shellcheck disable=SC2016
	[ "$(inspect "$1" '{{.HostConfig.ReadonlyRootfs}}')" = true ] &&
		fails docker exec -u 0 "$(container "$1")" sh -c 'for d in / /tmp /etc /usr/local/bin /var/tmp; do
			touch $d/probe 2>/dev/null && echo "$d takes a file" && exit 0; done; exit 1'
}

is_confined() { # SERVICE
	docker exec "$(container "$1")" grep -E '^(CapBnd|CapEff|NoNewPrivs)' /proc/self/status | tee "$work/confined"
	[ "$(grep -c '^Cap.*:.*0000000000000000$' "$work/confined")" = 2 ] && grep -q '^NoNewPrivs:.*1$' "$work/confined"
}

# The health check can fail: a port where nothing listens, a path that is none.
probe() { # PORT PATH
	docker exec "$(container sluice)" healthcheck "$1" "$2"
}

survives_without_alpha() {
	"${compose[@]}" stop -t 5 sim-alpha && answers_whole demo-fallback 1
}

# One that does not obey the signal is killed later, which its exit code tells.
stops_cleanly() { # SERVICE
	local id
	id=$(container "$1")
	docker stop -t 30 "$id" &&
		docker inspect -f 'exit code {{.State.ExitCode}}, OOM {{.State.OOMKilled}}' "$id" | tee "$work/stop" &&
		grep -qx 'exit code 0, OOM false' "$work/stop"
}

# A configuration whose key is in a secret's file, as deploy/README.md says.
reads_secret() { # FILE...
	local files=()
	for file in "$@"; do files+=(-f "$file"); done
	"${compose[@]}" "${files[@]}" run --rm --no-deps -T sluice --check /etc/sluice/sluice.yaml
}

check_v2() {
	local v2=(env DOCKER_CONFIG="$user_docker_config" docker compose)
	if "${v2[@]}" version >/dev/null 2>&1; then
		check 'compose v2 accepts docker-compose.yml' "${v2[@]}" -f docker-compose.yml config -q
	else
		skipped=$((skipped + 1))
	fi
}

run_checks() {
	check 'sluice becomes healthy' is_healthy sluice 300
	check 'GET /readyz answers 200 on the published port, without a key' curl -sS --fail-with-body "$base/readyz"
	check 'a start prints a key for clients and one for operators' prints_keys
	check 'nobody is served without a key' asks_for_keys
	check 'no key is in the image' keeps_keys_out_of_images
	check 'the commands of README get a streamed answer' runs_readme
	check 'another start makes no other key' makes_keys_once
	check 'keys get new secrets on demand' makes_new_keys
	check 'operators are served on their own port' serves_operators
	check 'a whole answer' answers_whole demo 1
	check 'a streamed answer ends in [DONE]' answers_stream demo
	check 'a streamed answer over HTTP/2' answers_stream demo --http2-prior-knowledge
	check 'demo-all answers with two choices' answers_whole demo-all 2
	check 'the models are listed' lists_models
	check 'a deterministic answer is kept in Redis' keeps_in_redis
	for service in sluice sim-alpha redis; do
		check "$service does not run as root" is_not_root "$service"
		check "$service has a read-only root" is_read_only "$service"
		check "$service has no capabilities" is_confined "$service"
	done
	check 'the health check passes on /readyz' probe 8080 /readyz
	check 'the health check fails on a closed port' fails probe 8081 /readyz
	check 'the health check fails on another status' fails probe 8080 /nothing
	check 'a secret in a file is read' reads_secret docker-compose.yml tests/compose/secret.yml
	check 'demo-fallback answers while sim-alpha is stopped' survives_without_alpha
	check 'sluice stops with exit code 0 on SIGTERM' stops_cleanly sluice
	check 'sim-beta stops with exit code 0 on SIGTERM' stops_cleanly sim-beta
}

# --- the run ---------------------------------------------------------------

case $daemon in
private)
	daemon_install
	daemon_sweep
	daemon_start
	daemon_base_images
	;;
existing) docker info >>"$log" 2>&1 || give_up 'docker has no daemon to talk to' ;;
*) give_up "SLUICE_COMPOSE_DAEMON is \"$daemon\"; expected private or existing" ;;
esac

# free_port PORT: PORT, or another one when that is in use.
free_port() {
	if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
		/usr/bin/python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
	else
		echo "$1"
	fi
}
port=$(free_port "${SLUICE_COMPOSE_PORT:-8080}")
admin_port=$(free_port 9090)
echo "compose: publishing on ports $port and $admin_port"
export SLUICE_TAG=$tag SLUICE_PUBLISH=127.0.0.1:$port SLUICE_PUBLISH_ADMIN=127.0.0.1:$admin_port
base=http://127.0.0.1:$port
admin_base=http://127.0.0.1:$admin_port

if command -v docker-compose >/dev/null; then
	compose=(docker-compose)
else
	compose=(docker compose)
fi
compose+=(-p "$project")

check "${compose[*]:0:1} accepts docker-compose.yml" "${compose[@]}" -f docker-compose.yml config -q
if [ "${compose[0]}" = docker-compose ]; then
	check_v2
fi

for target in sluice sim; do
	name=${target/#sim/sluice-sim}
	build_image "$name:$tag" deploy/Dockerfile . --target "$target" || give_up "building the image $name failed"
done
step 600 "${compose[@]}" up -d --no-build || {
	"${compose[@]}" logs --no-color --tail 40 >>"$log" 2>&1
	give_up 'docker-compose up failed'
}
docker network ls -q --filter driver=bridge >"$work/networks"
run_checks
if [ "$failed" != 0 ]; then
	"${compose[@]}" ps >&2
	"${compose[@]}" logs --no-color --tail 40 >&2
fi
echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ]
