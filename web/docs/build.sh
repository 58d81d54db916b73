#!/bin/sh
# SPDX-License-Identifier: MIT
# Compresses the files of the docs page into C arrays. Without npm, or with
# DOCS=no, it says so and writes empty ones: the program then has no page.
#
#   web/docs/build.sh OUTPUT-DIRECTORY
set -eu
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
ui=node_modules/swagger-ui-dist

fetch() {
	[ "${DOCS:-yes}" = yes ] || { echo "DOCS=$DOCS" && return 1; }
	cmp -s package-lock.json node_modules/.installed && return 0
	command -v npm >/dev/null || { echo "npm is not there" && return 1; }
	npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2 ||
		{ echo "npm could not fetch swagger-ui-dist" && return 1; }
	cp package-lock.json node_modules/.installed
}

# pack SOURCE NAME: NAME.inc, the bytes and a zero behind them
pack() {
	if [ -n "$missing" ]; then
		echo 0 >"$out/$2.inc"
	else
		{ gzip -9nc "$1" | od -v -An -tx1 | sed 's/\([0-9a-f][0-9a-f]\)/0x\1,/g' && echo 0; } >"$out/$2.inc"
	fi
}

missing=$(fetch) || echo "The docs page is left out of this build: $missing. Everything else is there." >&2
pack index.html index.html
pack docs.css docs.css
pack docs.js docs.js
pack "$ui/swagger-ui.css" swagger-ui.css
pack "$ui/swagger-ui-bundle.js" swagger-ui-bundle.js
