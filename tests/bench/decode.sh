#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions per 2 KB chat request, counted by callgrind: read + validate +
# decode from the field tables, beside cJSON_Parse alone. The ratio is bounded.
#
#   tests/bench/decode.sh PATH-OF-DECODE-BENCH
set -eu
bench=$1
file=tests/bench/chat_2k.json
most=160 # percent of cJSON_Parse

# Instructions of COUNT requests, start of the program included.
count() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" "$1" "$file" "$2" 2>&1 |
		sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# Between 100 and 1100 requests the start cancels out.
each() {
	few=$(count "$1" 100)
	many=$(count "$1" 1100)
	echo $(((many - few) / 1000))
}

cjson=$(each cjson)
decode=$(each decode)
percent=$((decode * 100 / cjson))
echo "chat request of $(wc -c <"$file") bytes, instructions each:"
echo "  cJSON_Parse                 $cjson"
echo "  read, validate and decode   $decode ($percent % of it, at most $most %)"
[ "$percent" -le "$most" ]
