#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages that a target needs, and only what is missing.
#
#   tools/install.sh build|test|lint|…   the groups are the case below
#
# As root it installs; as anybody else it says what to install and fails.
set -eu

build="gcc make pkg-config libh2o-evloop-dev libssl-dev libcurl4-openssl-dev libnghttp2-dev libcjson-dev libyaml-dev libhiredis-dev libsqlite3-dev libzstd-dev libbrotli-dev libxxhash-dev zlib1g-dev"
run="curl ca-certificates"
test="libcmocka-dev openssl redis-server redis-sentinel nodejs npm"
lint="clang clang-tidy clang-format cppcheck python3"
sanitize="clang libclang-rt-14-dev llvm"
bench="valgrind nginx-light haproxy redis-server python3 openssl"
peers="python3 python3-venv nodejs npm"
profile="linux-perf"
browser="chromium nodejs npm"
schemathesis="python3 python3-venv"

packages=""
for group in "$@"; do
	case "$group" in
	build) packages="$packages $build" ;;
	run) packages="$packages $run" ;;
	test) packages="$packages $test" ;;
	lint) packages="$packages $lint" ;;
	sanitize) packages="$packages $sanitize" ;;
	bench) packages="$packages $bench" ;;
	peers) packages="$packages $peers" ;;
	profile) packages="$packages $profile" ;;
	browser) packages="$packages $browser" ;;
	schemathesis) packages="$packages $schemathesis" ;;
	*)
		echo "tools/install.sh: unknown group \"$group\"; expected build, run, test, lint, sanitize, bench, peers, profile, browser or schemathesis" >&2
		exit 2
		;;
	esac
done

# A program that is there already, from wherever, counts as its package.
provided() {
	case "$1" in
	linux-perf) command -v perf >/dev/null ;;
	nodejs) command -v node >/dev/null ;;
	python3) command -v python3 >/dev/null ;;
	python3-venv) python3 -c "import venv, ensurepip" 2>/dev/null ;;
	npm | chromium | curl | make | gcc | clang | openssl) command -v "$1" >/dev/null ;;
	*) return 1 ;;
	esac
}

missing=""
for package in $packages; do
	if ! provided "$package" && ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok'; then
		missing="$missing $package"
	fi
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
	echo "These packages are missing:$missing" >&2
	echo "Install them as root and try again:" >&2
	echo "  apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

# Runs apt-get, again and again as long as another apt or dpkg has the lock, for up to five minutes.
patient_apt() {
	tries=150
	while ! said=$(apt-get "$@" 2>&1 >/dev/null); do
		case $said in
		*"get lock"* | *"lock-frontend"* | *"Unable to lock"*) ;;
		*) tries=0 ;;
		esac
		if [ "$tries" = 0 ]; then
			echo "$said" >&2
			return 1
		fi
		[ "$tries" != 150 ] || echo "waiting for another apt to finish" >&2
		tries=$((tries - 1))
		sleep 2
	done
}

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
patient_apt update -q
# shellcheck disable=SC2086
patient_apt install -q -y --no-install-recommends $missing
