#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sluice from a shell: every call stands alone, copy what you need. Start the demo
# first with `make run`. Other models of the demo: demo-fallback, and demo-all (which
# gathers two answers as two choices, and so has no embeddings).

set -eu

BASE=${SLUICE_URL:-http://127.0.0.1:8080/v1}
MODEL=${SLUICE_MODEL:-demo}

echo '# Which models are there?'
curl -sS --fail-with-body "$BASE/models"

printf '\n\n# A whole answer\n'
curl -sS --fail-with-body "$BASE/chat/completions" -H 'content-type: application/json' -d '{
  "model": "'"$MODEL"'",
  "messages": [{"role": "user", "content": "What is a sluice?"}],
  "max_tokens": 60
}'

printf '\n\n# The same as a stream: -N shows each event as it comes\n'
curl -sSN --fail-with-body "$BASE/chat/completions" -H 'content-type: application/json' -d '{
  "model": "'"$MODEL"'",
  "messages": [{"role": "user", "content": "What is a sluice?"}],
  "max_tokens": 60,
  "stream": true,
  "stream_options": {"include_usage": true}
}'

printf '# Two models side by side: every lane is told, then the result\n'
curl -sSN --fail-with-body "$BASE/fanout" -H 'content-type: application/json' -d '{
  "targets": ["'"$MODEL"'", "demo-fallback"],
  "strategy": "all",
  "request": {"messages": [{"role": "user", "content": "What is a sluice?"}], "max_tokens": 20},
  "stream": true
}'

printf '# Embeddings\n'
curl -sS --fail-with-body "$BASE/embeddings" -H 'content-type: application/json' -d '{
  "model": "'"$MODEL"'",
  "input": ["a sluice", "a gate"]
}'
echo
