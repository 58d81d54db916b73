#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints what CHANGELOG.md calls the committed contract by: the hash of docs/reference/openapi.json, shortened.
set -eu
cd "$(dirname "$0")/.."
sha256sum docs/reference/openapi.json | sed 's/^\(.\{12\}\).*/sha256:\1/'
