#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the pinned client libraries into node_modules/, and the link `node` that
# run.sh uses.

set -eu
cd "$(dirname "$0")"
exec ../node/install.sh tests/clients 22.12.0
