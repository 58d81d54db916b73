#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs other gateways into FOLDER, each from its own registry. One that can't be had leaves a reason instead of a version.
#
#   tests/bench/peers.sh build/peers
set -u
mkdir -p "$1"
cd "$1" || exit 1

# peer NAME: runs install_NAME in its folder, once; keeps the end of what it said when it fails.
peer() {
	[ -e "$1/version" ] && return
	mkdir -p "$1"
	echo "installing $1"
	if (cd "$1" && "install_$1" >install.log 2>&1); then
		rm -f "$1/reason"
		"version_$1" >"$1/version"
	else
		grep -v '^$' "$1/install.log" | tail -n 1 | sed 's/^[[:space:]]*//' >"$1/reason"
		echo "$1 can't be installed: $(cat "$1/reason")"
	fi
}

install_litellm() {
	python3 -m venv . && bin/pip install -q 'litellm[proxy]==1.108.7'
}
version_litellm() {
	litellm/bin/pip show litellm | sed -n 's/^Version: //p'
}

# It streams with this server of hono's only.
install_portkey() {
	echo '{"private":true,"dependencies":{"@portkey-ai/gateway":"1.15.2"},"overrides":{"@hono/node-server":"1.14.1"}}' >package.json
	npm install --ignore-scripts --no-audit --no-fund
}
version_portkey() {
	node -p 'require("./portkey/node_modules/@portkey-ai/gateway/package.json").version'
}

install_bifrost() {
	command -v go >/dev/null || { echo "there is no go command"; return 1; }
	GOBIN="$PWD/bin" go install github.com/maximhq/bifrost/transports/bifrost-http@latest
}
version_bifrost() {
	go version -m bifrost/bin/bifrost-http | awk '$1 == "mod" { print $3 }'
}

for name in bifrost portkey litellm; do
	peer "$name"
done
exit 0
