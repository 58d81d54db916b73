#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Chat through Sluice with the official OpenAI package.

    pip install openai
    python3 chat.py "What is a sluice?"

Start the demo first with `make run`. SLUICE_KEY is the key, where one is asked for.
"""

import os
import sys

from openai import OpenAI

# Only the address and the key change: Sluice holds those of the backends. The SDK insists on one.
client = OpenAI(
    base_url=os.environ.get("SLUICE_URL", "http://127.0.0.1:8080/v1"),
    api_key=os.environ.get("SLUICE_KEY", "unused"),
)
model = os.environ.get("SLUICE_MODEL", "demo")
messages = [{"role": "user", "content": " ".join(sys.argv[1:]) or "What is a sluice?"}]

# A whole answer. Most models give one choice, demo-all one per target.
answer = client.chat.completions.create(model=model, messages=messages, max_tokens=60)
for choice in answer.choices:
    print(choice.message.content)
print(f"({answer.usage.total_tokens} tokens)\n")

# The same, word by word. Leaving the loop early stops the model too.
with client.chat.completions.create(
    model=model, messages=messages, max_tokens=60, stream=True
) as stream:
    for chunk in stream:
        for choice in chunk.choices:
            if choice.index == 0:
                print(choice.delta.content or "", end="", flush=True)
print()
