#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the pinned linters into node_modules/, and the link `node`. Redocly wants Node.js 22.12 or newer.

set -eu
exec "$(dirname "$0")/../node/install.sh" tests/contract 22.12.0
