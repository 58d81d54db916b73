#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs h2spec, the conformance suite for HTTP/2 servers, against the real binary,
# in cleartext by prior knowledge and over TLS by ALPN.
#
#   tests/h2spec/run.sh BUILD-DIRECTORY
#
# h2spec comes through the Go module proxy, pinned.
set -eu
build=$(cd "$1" && pwd)
version=v2.2.1+incompatible
here=$(mktemp -d)
sluice=""
# shellcheck disable=SC2329
stop() {
	[ -z "$sluice" ] || kill "$sluice" 2>/dev/null || true
	wait
	rm -rf "$here"
}
trap stop EXIT INT TERM

if ! command -v go >/dev/null; then
	echo "h2spec needs Go: apt-get install golang-go" >&2
	exit 1
fi
if [ ! -x "$build/h2spec/h2spec" ]; then
	GOBIN="$build/h2spec" go install "github.com/summerwind/h2spec/cmd/h2spec@$version"
fi

openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout "$here/key.pem" -out "$here/cert.pem" 2>/dev/null
cat >"$here/sluice.yaml" <<END
listen:
  - 127.0.0.1:0
  - address: 127.0.0.1:0
    tls: { certificate: $here/cert.pem, key: $here/key.pem }
admin: off
workers: 1
backends:
  none: { url: http://127.0.0.1:1/v1 }
models:
  none: none/none
END
"$build/sluice" --config "$here/sluice.yaml" 2>"$here/log" &
sluice=$!
for _ in $(seq 1200); do
	[ "$(grep -c '"msg":"listening"' "$here/log" || true)" = 2 ] && break
	sleep 0.1
done
port_of() {
	grep "\"tls\":\"$1\"" "$here/log" | sed 's/.*"address":"[^"]*:\([0-9]*\)".*/\1/'
}

# The cleartext port speaks HTTP/1.1, too: what does not begin with HTTP/2's preface is a malformed HTTP/1.1 request there
# and gets a 400 instead of a GOAWAY. Over TLS, where ALPN has chosen, the same case must pass.
allowed_in_clear="Sends invalid connection preface"

status=0
"$build/h2spec/h2spec" -h 127.0.0.1 -p "$(port_of no)" -P /livez -o 30 >"$here/clear" || true
"$build/h2spec/h2spec" -h 127.0.0.1 -p "$(port_of yes)" -P /livez -o 30 -t -k >"$here/tls" || status=1
if sed -n '/^Failures:/,$p' "$here/clear" | grep '×' | grep -qv "$allowed_in_clear"; then
	status=1
fi
if ! grep -q ' passed, ' "$here/clear"; then
	status=1
fi
if [ "$status" != 0 ]; then
	cat "$here/clear" "$here/tls"
	tail -n 20 "$here/log"
fi
echo "cleartext: $(tail -n 1 "$here/clear")"
echo "TLS:       $(tail -n 1 "$here/tls")"
exit $status
