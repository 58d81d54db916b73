#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the first keys of docker-compose.yml and prints them: one for clients, one for operators. Runs in the image
# of the service, on the store of keys that the configuration names. Needs no more than bash and coreutils.
#
#   first-keys        make the pepper and the keys that are missing
#   first-keys new    give both keys new secrets; the former ones are refused at once
set -euo pipefail
config=/etc/sluice/sluice.yaml
directory=/var/lib/sluice # of the pepper and the store, as the configuration says
mode=${1:-missing}
umask 077

case $mode in
missing | new) ;;
*)
	echo "first-keys: got \"$mode\"; expected new, or nothing" >&2
	exit 2
	;;
esac

# Appears whole or not at all.
if [ ! -e "$directory/pepper" ]; then
	od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$directory/pepper.new"
	mv "$directory/pepper.new" "$directory/pepper"
fi

# Prints the id of the active key NAME; nothing when there is none.
find_id() { # NAME
	local id state name list
	[ -e "$directory/keys.db" ] || return 0
	list=$(sluice keys list --config "$config" --state active)
	while read -r id state name _; do
		[ "$name" != "$1" ] || echo "$id"
	done <<<"$list"
}

# Prints the key NAME when it is new, else that it exists.
show() { # NAME [OPTIONS...]
	local id text
	id=$(find_id "$1")
	id=${id%%$'\n'*}
	if [ -z "$id" ]; then
		text=$(sluice keys create --config "$config" --name "$@")
	elif [ "$mode" = new ]; then
		text=$(sluice keys rotate --config "$config" "$id" --overlap 0s)
	else
		text="the key $id exists; it was printed when it was made"
	fi
	printf '%-10s%s\n' "$1:" "${text%%$'\n'*}" # the first line is the key
}

show client
show operator --admin
