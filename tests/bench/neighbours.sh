#!/bin/sh
# SPDX-License-Identifier: MIT
# The times of a neighbour before and while somebody misbehaves, a line for each scenario. docs/benchmarks.md tells what
# they mean.
#
#   tests/bench/neighbours.sh PROGRAM
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
SLUICE_NEIGHBOUR_TIMES=yes "$1" >"$log" 2>&1 || status=$?
awk '
	/^\[ RUN / { name = $NF; gsub("_", " ", name) }
	/^TIMES p50 / { median = sprintf("%7.2f %7.2f %6.1f", $3, $4, $5) }
	/^TIMES p99 / { printf "%s   %7.2f %7.2f %6.1f   %s\n", median, $3, $4, $5, name }
	BEGIN { print "p50, ms: before, beside, ratio   p99, ms: the same" }
' "$log"
[ "$status" = 0 ] || cat "$log"
exit $status
