#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions per request, event, cache hit and validation against those
# recorded in tests/bench/ratchet.tsv. One that rose by more than 3 % fails;
# one that fell by more than 1 % should be recorded (make ratchet-write). What
# is translated between dialects may cost twice as much as what is not.
#
#   tests/bench/ratchet.sh check|write BUILD-DIRECTORY
set -eu
mode=$1
build=$2
recorded=tests/bench/ratchet.tsv
now=$build/ratchet.tsv
chat=tests/bench/chat_2k.json

rm -rf "$build/ratchet"
mkdir -p "$build/ratchet"
SLUICE_BIN=$build/sluice RATCHET_DIR=$build/ratchet RATCHET_OUT=$now.new "$build/tests/bench/ratchet_bench" >"$build/ratchet/log" 2>&1 || {
	cat "$build/ratchet/log"
	exit 1
}

decode() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/tests/bench/decode_bench" decode "$chat" "$1" 2>&1 |
		sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
few=$(decode 100)
many=$(decode 1100)
printf 'validation\t%d\n' $(((many - few) / 1000)) >>"$now.new"
mv "$now.new" "$now"

# Joined by name: what is only in one of the files is shown with a dash.
status=0
awk -F'\t' -v mode="$mode" -v now="$now" '
	FILENAME != now { if ($1 !~ /^#/) before[$1] = $2; next }
	{
		change = $1 in before ? ($2 - before[$1]) * 100 / before[$1] : 0
		word = !($1 in before) ? "new" : change > 3 ? "ROSE" : change < -1 ? "fell" : ""
		printf "%-26s %10d %10s %+7.2f %%  %s\n", $1, $2, $1 in before ? before[$1] : "-", change, word
		if (word == "ROSE" || word == "new")
			failed = 1
		if (word == "fell")
			fell = 1
		delete before[$1]
		figure[$1] = $2
	}
	# What is translated costs at most twice as much as what is not.
	function most_twice(name, plain) {
		printf "%-26s %5.2f x %s\n", name, figure[name] / figure[plain], plain
		if (figure[name] > 2 * figure[plain])
			failed = 1
	}
	END {
		most_twice("request-from-messages", "request-h1")
		most_twice("request-to-messages", "request-h1")
		most_twice("request-from-responses", "request-h1")
		most_twice("request-to-responses", "request-h1")
		most_twice("event-from-messages", "event-h1")
		most_twice("event-to-messages", "event-h1")
		most_twice("event-from-responses", "event-h1")
		most_twice("event-to-responses", "event-h1")
		for (name in before) {
			printf "%-26s is recorded but was not measured\n", name
			failed = 1
		}
		if (mode == "write")
			exit 0
		if (fell || failed)
			print "make ratchet-write records these figures; profiles are in the build directory, ratchet/*.callgrind"
		exit failed
	}' "$([ -f $recorded ] && echo $recorded || echo /dev/null)" "$now" || status=$?

if [ "$mode" = write ]; then
	{
		echo "# Instructions (callgrind) of each; see tests/bench/ratchet.sh. Written by make ratchet-write."
		cat "$now"
	} >$recorded
fi
exit $status
