# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# For run.sh: a Docker daemon of its own, with all its state under $work, and base
# images made from Debian's packages. Uses $work, $log, step and give_up of run.sh.
# Every process is ended by its pid; a daemon that runs already is not touched: no
# firewall rule, no docker0, no forwarding switch, a containerd namespace of its own.

daemon_pid=''
user_docker_config=${DOCKER_CONFIG:-${HOME:-/root}/.docker}
base_image=debian:bookworm-slim

# Programs and the Debian packages that have them.
daemon_install() {
	local pair missing=()
	for pair in dockerd:docker.io docker:docker.io docker-compose:docker-compose mmdebstrap:mmdebstrap \
		iptables:iptables curl:curl; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	if [ "$(id -u)" != 0 ]; then
		echo "compose: a private Docker daemon needs root; SLUICE_COMPOSE_DAEMON=existing uses one that runs." >&2
		[ ${#missing[@]} = 0 ] ||
			echo "Missing as well: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	[ ${#missing[@]} = 0 ] && return
	echo "compose: installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	step 600 apt-get update -q || give_up 'apt-get update failed'
	step 900 apt-get install -q -y --no-install-recommends "${missing[@]}" ||
		give_up 'apt-get install failed'
}

daemon_start() {
	local tries
	export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/config
	unset DOCKER_CONTEXT DOCKER_TLS_VERIFY
	mkdir -p "$DOCKER_CONFIG"
	echo $$ >"$work/pid"
	echo '{}' >"$work/daemon.json"
	# setsid: Ctrl-C is for this script, which still needs the daemon. setpriv: should this script be killed, the
	# daemon ends as well.
	setsid setpriv --pdeathsig TERM dockerd --config-file "$work/daemon.json" --host "$DOCKER_HOST" \
		--data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/docker.pid" \
		--containerd-namespace "$project" --containerd-plugins-namespace "$project-plugins" \
		--bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
		>>"$work/dockerd.log" 2>&1 &
	daemon_pid=$!
	for ((tries = 0; tries < 1500; tries++)); do
		docker info >/dev/null 2>&1 && return
		kill -0 "$daemon_pid" 2>/dev/null || break
		sleep 0.2
	done
	tail -n 30 "$work/dockerd.log" >>"$log"
	give_up 'dockerd did not start'
}

# The two images that docker-compose.yml and deploy/Dockerfile take from a registry.
daemon_base_images() {
	# Like the official image: no documentation, no fsync per package. The lists stay: apt in RUN has them at once.
	step 900 env TMPDIR="$work" mmdebstrap --variant=minbase --include=ca-certificates --skip=cleanup/apt/lists \
		--dpkgopt=force-unsafe-io --dpkgopt=path-exclude='/usr/share/doc/*' \
		--dpkgopt=path-exclude='/usr/share/man/*' bookworm "$work/rootfs.tar" ||
		give_up 'mmdebstrap failed'
	step 300 docker import -c 'CMD ["bash"]' "$work/rootfs.tar" "$base_image" || give_up 'docker import failed'
	rm "$work/rootfs.tar"
	build_image redis:7 tests/compose/redis/Dockerfile tests/compose/redis || give_up 'building redis:7 failed'
}

# build_image TAG DOCKERFILE CONTEXT [OPTIONS...]
build_image() {
	local builder=()
	# The private daemon has no bridge: RUN uses the host's network, which the classic builder allows.
	[ "$daemon" = existing ] || builder=(env DOCKER_BUILDKIT=0)
	step 900 "${builder[@]}" docker build --network host --build-arg http_proxy --build-arg https_proxy \
		-t "$1" -f "$2" "${@:4}" "$3"
}

# Pids whose command line names the daemon's directory: shims that outlived it.
daemon_orphans() {
	local dir
	for dir in /proc/[0-9]*; do
		grep -qsF "$work/exec" "$dir/cmdline" && echo "${dir#/proc/}"
	done
}

# Takes away what a daemon that has ended left in DIRECTORY, and its bridges. False when something stays.
daemon_remove_left() { # DIRECTORY
	local name left=0
	while read -r name; do
		ip link del "br-$name" 2>/dev/null
	done < <(cat "$1/networks" 2>/dev/null)
	while read -r name; do
		umount -l "$name" 2>/dev/null || { echo "still mounted: $name" >&2; left=1; }
	done < <(awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
	[ "$left" = 0 ] && rm -rf "$1"
}

# Runs that were killed could not do it themselves.
daemon_sweep() {
	local dir pid
	for dir in "${work%.*}".*; do
		pid=$(cat "$dir/pid" 2>/dev/null) && [ ! -d "/proc/$pid" ] && daemon_remove_left "$dir"
	done
}

# Ends the daemon and what it left. False when something stays.
daemon_stop() {
	local tries pid containers networks
	if [ -S "$work/docker.sock" ]; then
		containers=$(timeout 10 docker ps -aq)
		# shellcheck disable=SC2086
		[ -z "$containers" ] || timeout 60 docker rm -f $containers >/dev/null 2>&1
		networks=$(timeout 10 docker network ls -q --filter driver=bridge)
		# shellcheck disable=SC2086
		[ -z "$networks" ] || timeout 30 docker network rm $networks >/dev/null 2>&1
	fi
	if [ -n "$daemon_pid" ]; then
		kill -TERM "$daemon_pid" 2>/dev/null
		for ((tries = 0; tries < 1500; tries++)); do
			kill -0 "$daemon_pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$daemon_pid" 2>/dev/null
		wait "$daemon_pid" 2>/dev/null
	fi
	for pid in $(daemon_orphans); do
		kill -KILL "$pid" 2>/dev/null
	done
	daemon_remove_left "$work"
}
