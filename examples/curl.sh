#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sluice from a shell: every call stands alone, copy what you need. Start the demo
# first with `make run`. SLUICE_URL and SLUICE_MODEL choose another service and
# model; without SLUICE_MODEL it is the first one that the service lists. SLUICE_KEY
# is the key, where one is asked for.

set -eu

BASE=${SLUICE_URL:-http://127.0.0.1:8080/v1}
KEY=${SLUICE_KEY:-unused}

echo '# Which models are there?'
MODELS=$(curl -sS --fail-with-body "$BASE/models" -H "authorization: Bearer $KEY")
echo "$MODELS"
FIRST=$(echo "$MODELS" | sed -n 's/.*"first_id":"\([^"]*\)".*/\1/p')
MODEL=${SLUICE_MODEL:-$FIRST}

printf '\n# A whole answer\n'
curl -sS --fail-with-body "$BASE/chat/completions" \
	-H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '{
  "model": "'"$MODEL"'",
  "messages": [{"role": "user", "content": "What is a sluice?"}],
  "max_tokens": 60
}'

printf '\n\n# The same as a stream: -N shows each event as it comes\n'
curl -sSN --fail-with-body "$BASE/chat/completions" \
	-H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '{
  "model": "'"$MODEL"'",
  "messages": [{"role": "user", "content": "What is a sluice?"}],
  "max_tokens": 60,
  "stream": true,
  "stream_options": {"include_usage": true}
}'

printf '# Two models side by side: every lane is told, then the result\n'
curl -sSN --fail-with-body "$BASE/fanout" \
	-H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '{
  "targets": ["'"$MODEL"'", "'"$FIRST"'"],
  "strategy": "all",
  "request": {"messages": [{"role": "user", "content": "What is a sluice?"}], "max_tokens": 20},
  "stream": true
}'

printf '# Embeddings; a model that gathers several answers has none\n'
curl -sS "$BASE/embeddings" \
	-H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '{
  "model": "'"$MODEL"'",
  "input": ["a sluice", "a gate"]
}'
echo
