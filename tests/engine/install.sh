#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what tests/engine needs: the pinned packages into node_modules/, and the
# link `node` that run.sh uses. The packages want Node.js 20.12 or newer.

set -eu
cd "$(dirname "$0")"

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || {
    echo "tests/engine: the pinned llama.cpp is for x86-64 Linux, this is $(uname -s) $(uname -m)" >&2
    exit 1
}
exec ../node/install.sh tests/engine 20.12.0
