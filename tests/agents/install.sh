#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the pinned agents (400 MB each) into node_modules/, and the link `node` that
# run.sh uses.

set -eu
cd "$(dirname "$0")"

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || {
    echo "tests/agents: the pinned agents are for x86-64 Linux, this is $(uname -s) $(uname -m)" >&2
    exit 1
}
exec ../node/install.sh tests/agents 20.12.0
