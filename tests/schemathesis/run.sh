#!/bin/sh
# SPDX-License-Identifier: MIT
# schemathesis against the real service in front of a simulator: every check, on
# data that the OpenAPI document allows and on data that it does not.
#
#   tests/schemathesis/run.sh BUILD-DIRECTORY
#
# EXAMPLES (100): cases per operation; SEED: repeats a run.
set -eu
cd "$(dirname "$0")/../.."
tests=$PWD/tests
build=$(cd "$1" && pwd)
work=$build/schemathesis
mkdir -p "$work"

if ! cmp -s tests/schemathesis/requirements.txt "$work/installed"; then
	python3 -m venv "$work/venv"
	"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/schemathesis/requirements.txt
	cp tests/schemathesis/requirements.txt "$work/installed"
fi

# It writes caches where it stands.
cd "$work"
SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$tests/schemathesis
export SCHEMATHESIS_HOOKS PYTHONPATH
# It asks one address for everything, also for operations with servers of their own.
SLUICE_PUBLIC='metrics, docs, openapi, admin'
export SLUICE_PUBLIC
# shellcheck disable=SC2016
exec "$tests/serve.sh" "$build" "$work" sh -c 'exec venv/bin/schemathesis --config-file "$0" run "$SLUICE_URL/openapi.json" --url "$SLUICE_URL" "$@"' \
	"$tests/schemathesis/schemathesis.toml" \
	--checks all --mode all --request-timeout 120 --max-examples "${EXAMPLES:-100}" ${SEED:+--seed "$SEED"} --no-color
