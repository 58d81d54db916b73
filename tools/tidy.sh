#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-tidy on one file, a few seconds of work. It is not done again for what passed before: the same bytes in the file
# and in every header that it includes, system headers too, under the same rules and flags, by the same clang-tidy.
#
#   tools/tidy.sh FILE FLAGS…
#
# TIDY_CACHE: where that is noted (~/.cache/sluice-tidy); "no": nowhere.
set -eu
file=$1
shift
cache=${TIDY_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/sluice-tidy}
[ "$cache" != no ] || exec clang-tidy --quiet "$file" -- "$@"

key=$({
	echo "$file $*"
	clang-tidy --version
	clang "$@" -M "$file" | tr -d '\\' | tr ' ' '\n' | sed '1d; /^$/d' | sort -u | xargs sha256sum .clang-tidy
} | sha256sum | cut -d ' ' -f 1)
[ ! -e "$cache/$key" ] || exit 0
clang-tidy --quiet "$file" -- "$@"
mkdir -p "$cache"
: >"$cache/$key"
