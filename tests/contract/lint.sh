#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   lint.sh DOCUMENT    both linters of OpenAPI documents; an error, a warning or a hint fails
#
# install.sh comes first. The linters ask nobody: no telemetry, no news of new versions.

set -eu
document=$(readlink -f "$1")
cd "$(dirname "$0")"
[ -x node ] || { echo "tests/contract: run tests/contract/install.sh first" >&2; exit 1; }
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

failed=0
./node node_modules/@redocly/cli/bin/cli.js lint --config redocly.yaml --format=stylish --max-problems=1000 "$document" || failed=1
./node node_modules/@stoplight/spectral-cli/dist/index.js lint --ruleset .spectral.yaml --fail-severity=hint "$document" || failed=1
exit $failed
