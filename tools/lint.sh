#!/bin/sh
# SPDX-License-Identifier: MIT
# The lint gates. Every one of them runs; the script fails if any did.
set -u
cd "$(dirname "$0")/.."
failed=0
jobs=$(nproc)
flags="-I. -Ibuild -include build/lint.h -D_GNU_SOURCE -DH2O_USE_LIBUV=0 -std=gnu11"
product=$(find lib schemas config clients service tools -name '*.c')

gate() {
	name=$1
	shift
	if "$@" >build/lint.log 2>&1; then
		echo "ok    $name"
	else
		echo "FAIL  $name"
		cat build/lint.log
		failed=1
	fi
}

tidy() {
	# shellcheck disable=SC2086
	printf '%s\n' $product | xargs -P "$jobs" -I FILE tools/tidy.sh FILE $flags
}

format() {
	# shellcheck disable=SC2086
	find lib schemas config clients service tools tests -name '*.[ch]' -not -path '*/node_modules/*' | xargs clang-format --dry-run --Werror
}

# every header compiles alone
headers() {
	status=0
	for header in $(find lib schemas config clients service tools -name '*.h'); do
		# shellcheck disable=SC2086
		gcc $flags -Wall -Wextra -Werror -fsyntax-only -x c "$header" || status=1
	done
	return $status
}

check() {
	# shellcheck disable=SC2086
	cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability --std=c11 \
		--suppress=missingIncludeSystem -j "$jobs" -I. -D_GNU_SOURCE $product
}

mkdir -p build
echo '#define SLUICE_VERSION "lint"' >build/lint.h
gate "dependency directions" tools/check-dependencies.sh
gate "gcc, warnings as errors" make -j"$jobs" CC=gcc build
# clang's do not depend on what it optimises
gate "clang, warnings as errors" make -j"$jobs" BUILD=build-clang CC=clang OPT=-O0 build
gate "headers compile alone" headers
gate "clang-format" format
gate "cppcheck" check
gate "clang-tidy" tidy
exit $failed
