#!/bin/sh
# SPDX-License-Identifier: MIT
# The docs page in Chromium; and a build without the page, which must be as good but for the page.
#
#   tests/docs-page/run.sh BUILD-DIRECTORY
set -eu
cd "$(dirname "$0")/../.."
CHROMIUM=$(command -v chromium)
DOCS_PICTURES=$(cd "$1" && pwd)/docs-page
export CHROMIUM DOCS_PICTURES
tests/serve.sh "$1" "$1/docs-page" tests/docs-page/node --test tests/docs-page/page.test.mjs

# The parts that know the page, compiled without it, in front of everything else as it is.
bare=$1/docs-page/bare
mkdir -p "$bare"
DOCS=no web/docs/build.sh "$bare/web/docs" 2>"$bare/said"
grep -q "left out of this build: DOCS=no" "$bare/said"
${CC:-gcc} -I. -I"$bare" -D_GNU_SOURCE -std=gnu11 -c -o "$bare/docs_page.o" service/admin/docs_page.c
# shellcheck disable=SC2046
${CC:-gcc} -pthread ${SAN:-} -o "$bare/sluice" "$1/service/main.o" "$bare/docs_page.o" \
	$(for f in service clients schemas config lib; do echo "$1/libsluice-$f.a"; done) \
	${LDLIBS:?what the program is linked with, of the Makefile}
ln -sf "$(cd "$1" && pwd)/sluice-sim" "$bare/sluice-sim"
# shellcheck disable=SC2016
tests/serve.sh "$bare" "$bare" sh -euc '
	curl -s "$SLUICE_ADMIN_URL/docs" | grep -q "\"code\":\"not_found\"" || { echo "/docs of a bare build is not 404" >&2; exit 1; }
	curl -s "$SLUICE_ADMIN_URL/docs" | grep -q "built without the docs page"
	curl -s "$SLUICE_ADMIN_URL/openapi.json" | grep -q "\"openapi\"" && echo "a build without the page says so"'
