#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   tests/clients/pypi/run.sh BUILD-DIRECTORY
#
# Client libraries of Python, pinned, through the Sluice of that directory to the scripted backend.

set -eu
cd "$(dirname "$0")/../../.."
here=tests/clients/pypi
build=$(cd "$1" && pwd)
work=$build/clients-pypi
mkdir -p "$work"

if ! cmp -s $here/requirements.txt "$work/installed"; then
	python3 -m venv "$work/venv"
	"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r $here/requirements.txt
	cp $here/requirements.txt "$work/installed"
fi

export SLUICE_BIN="$build/sluice"
exec tests/clients/node tests/clients/pypi/run.mjs "$work/venv/bin/python"
