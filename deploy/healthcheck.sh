#!/bin/bash
# SPDX-License-Identifier: MIT
# Is the service in this container ready? Exit 0 when GET PATH on the cleartext
# port PORT of 127.0.0.1 answers 200. Needs bash alone: the images carry no curl.
#
#   healthcheck [PORT [PATH]]    8080 /readyz
port=${1:-8080}
path=${2:-/readyz}

exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET %s HTTP/1.1\r\nhost: 127.0.0.1:%s\r\nconnection: close\r\n\r\n' "$path" "$port" >&3
IFS= read -r -t 2 status <&3
echo "$path: ${status%$'\r'}"
[[ $status == 'HTTP/1.1 200 '* ]]
