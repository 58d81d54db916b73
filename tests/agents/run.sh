#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the tests of tests/agents; install.sh comes first.
#
#   SLUICE_BIN=PATH     the binary to test (default: build/sluice of this tree)
#   ./run.sh FILE...    only these test files

set -eu
cd "$(dirname "$0")"

[ -x node ] || { echo "tests/agents: run tests/agents/install.sh first" >&2; exit 1; }
[ $# -gt 0 ] || set -- *.test.mjs
# The timeout is a guard against hanging for ever, and proves nothing about speed.
exec ./node --test --test-reporter=spec --test-timeout=600000 "$@"
