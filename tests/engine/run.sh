#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the tests of tests/engine; install.sh comes first. Writes the model to
# build/engine/tiny.gguf and starts an engine and a Sluice for each test file.
#
#   SLUICE_BIN=PATH     the binary to test (default: build/sluice of this tree)
#   SLUICE_BIN=direct   no Sluice: the clients talk to the engine, which tests the tests
#   ./run.sh FILE...    only these test files

set -eu
cd "$(dirname "$0")"

[ -x node ] || { echo "tests/engine: run tests/engine/install.sh first" >&2; exit 1; }

# Only what the tests set themselves: no keys, endpoints or tracing from outside.
for name in $(env | sed -n 's/^\(\(OPENAI\|ANTHROPIC\|LANGCHAIN\|LANGSMITH\|OTEL\|AI_GATEWAY\|NODE\)_[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done

[ $# -gt 0 ] || set -- *.test.mjs
./node make_gguf.mjs ../../build/engine/tiny.gguf
# The timeout is a guard against hanging for ever, and proves nothing about speed.
exec ./node --test --test-reporter=spec --test-timeout=600000 "$@"
