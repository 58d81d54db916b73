#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   run.sh DOCUMENT RECORD    judges the checker by its own tests, then RECORD with it
#
# Installs the pinned packages into node_modules/ when they are not there. Needs
# Debian's nodejs (18 or newer) and npm.

set -eu
cd "$(dirname "$0")"

for tool in node npm; do
    command -v "$tool" >/dev/null || {
        echo "tests/conformance: $tool is missing. On Debian: apt-get install --no-install-recommends nodejs npm" >&2
        exit 1
    }
done

stamp=node_modules/.installed
if ! cmp -s "$stamp" package-lock.json; then
    npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
    cp package-lock.json "$stamp"
fi

node --test check.test.mjs >node_modules/.self-test.log || {
    cat node_modules/.self-test.log
    exit 1
}
exec node check.mjs --document "$1" --errors ../../lib/errors.def "$2"
