#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks that includes point the allowed way, and that each third-party header
# is included in its one place only, and that files do not use each other in circles
# where a folder is built in layers. Prints every violation as file:line.
#
#   lib <- schemas, config <- clients <- service
#   within service: loop, health, quotas <- plan, cache <- flights <- exchange <- http, admin <- the files of service/ itself;
#                   loop, health <- access <- exchange
set -eu
cd "$(dirname "$0")/.."
failed=0

# Where FROM (a path prefix) includes any of the headers matched by a pattern, unless the file matches a further pattern.
deny() {
	from=$1 pattern=$2 why=$3
	found=$(grep -rnE "^#include [<\"]($pattern)" --include='*.c' --include='*.h' $from 2>/dev/null || true)
	if [ -n "$found" ]; then
		echo "$why:"
		echo "$found" | sed 's/^/  /'
		failed=1
	fi
}

deny lib '(schemas|config|clients|service|tools|tests)/' "lib is a leaf"
deny schemas '(config|clients|service|tools|tests)/' "schemas may use lib only"
deny config '(schemas|clients|service|tools|tests)/' "config may use lib only"
deny clients '(service|tools|tests)/' "clients may not use service"
deny "service" '(tools|tests)/' "service may not use tools or tests"
deny "service config clients" 'schemas/(openai|anthropic|responses)/' "only schemas know a particular dialect"
deny "service/loop service/health service/quotas service/usage" 'service/(plan|cache|flights|exchange|http|admin|access|[a-z_]+\.h)' "loop, health, quotas and usage are at the bottom of service"
deny "service/responses" 'service/(plan|cache|flights|exchange|http|admin|access|[a-z_]+\.h)' "stored responses are at the bottom of service"
deny "service/plan service/cache" 'service/(flights|exchange|http|admin|access|[a-z_]+\.h)' "plan and cache may use health and loop"
deny "service/access" 'service/(plan|cache|flights|exchange|http|admin|[a-z_]+\.h)' "access may use health and loop"
deny "service/flights" 'service/(exchange|http|admin|access|[a-z_]+\.h)' "flights may use plan and cache"
deny "service/exchange" 'service/(http|admin|[a-z_]+\.h)' "exchange may use flights, plan and cache"
deny "service/http" 'service/(admin|[a-z_]+\.h)' "http may use exchange"
deny "service/admin" 'service/(http|[a-z_]+\.h)' "admin may use exchange"
deny "tools/sim" '(schemas|config|clients|service|tests)/' "the simulator may use lib only"

# third-party headers: everywhere but their one place
third_party() {
	name=$1 pattern=$2
	shift 2
	found=$(grep -rnE "^ *# *include <($pattern)" --include='*.c' --include='*.h' lib schemas config clients service tools 2>/dev/null || true)
	for allowed in "$@"; do
		found=$(printf '%s\n' "$found" | grep -v "^$allowed" || true)
	done
	if [ -n "$found" ]; then
		echo "$name may be included in $* only:"
		echo "$found" | sed 's/^/  /'
		failed=1
	fi
}
third_party h2o 'h2o(/|\.h)' service/loop/ service/http/
third_party libcurl 'curl/' clients/http/
third_party nghttp2 'nghttp2/' service/http/
third_party hiredis 'hiredis/' clients/redis/
third_party sqlite 'sqlite3\.h' clients/sqlite/
third_party cJSON 'cjson/|cJSON' schemas/openapi
third_party libyaml 'yaml\.h' config/
third_party zlib 'zlib\.h' lib/gunzip.c lib/decoder.c lib/api_key.c
third_party brotli 'brotli/' lib/decoder.c
third_party zstd 'zstd\.h' service/cache/parcel.c lib/decoder.c

# an exchange is built from the bottom up (service/exchange/internal.h)
tools/check-cycles.py service/exchange || failed=1
# struct shared is one module of six files (service/flights/shared_internal.h); the others are in layers below it
tools/check-cycles.py service/flights=shared,leader,follower,replicas,cache_answer,cache_vectors || failed=1

[ "$failed" = 0 ] && echo "dependencies point the right way"
exit $failed
