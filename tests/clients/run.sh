#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the tests of tests/clients; install.sh comes first.
#
#   SLUICE_BIN=PATH     the binary to test (default: build/sluice of this tree)
#   ./run.sh FILE...    only these test files

set -eu
cd "$(dirname "$0")"

[ -x node ] || { echo "tests/clients: run tests/clients/install.sh first" >&2; exit 1; }

# Only what the tests set themselves: no keys, endpoints or tracing from outside.
for name in $(env | sed -n 's/^\(\(OPENAI\|ANTHROPIC\|LANGCHAIN\|LANGSMITH\|OTEL\|AI_GATEWAY\|NODE\)_[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
export OPENAI_AGENTS_DISABLE_TRACING=1

[ $# -gt 0 ] || set -- *.test.mjs
# The timeout is a guard against hanging for ever, and proves nothing about speed.
exec ./node --test --test-reporter=spec --test-timeout=600000 "$@"
