#!/bin/sh
# SPDX-License-Identifier: MIT
# The generated reference pages: printed by the binary from its own tables,
# committed under docs/reference/, and compared by the tests. A change of the
# contract must also be told in CHANGELOG.md, by its hash.
#
#   tools/reference.sh write|check PATH-OF-SLUICE
set -eu
mode=$1
sluice=$2
cd "$(dirname "$0")/.."
mkdir -p docs/reference
status=0
for topic in api cache config errors failures metrics openapi; do
	case "$topic" in
	openapi) page=docs/reference/openapi.json ;;
	*) page=docs/reference/$topic.md ;;
	esac
	if [ "$mode" = write ]; then
		"$sluice" --describe "$topic" >"$page"
	elif ! "$sluice" --describe "$topic" | diff -u "$page" - >&2; then
		echo "$page is not what the binary describes: run \"make reference\"" >&2
		status=1
	fi
done
hash=$(tools/contract-hash.sh)
if [ "$mode" = check ] && ! grep -q "^\* Contract \`$hash\`: ." CHANGELOG.md; then
	echo "The contract changed (docs/reference/openapi.json). Say how in CHANGELOG.md, with this line:" >&2
	echo "* Contract \`$hash\`: what changed" >&2
	echo "docs/versioning.md tells which changes are allowed." >&2
	status=1
fi
exit $status
