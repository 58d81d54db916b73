# SPDX-License-Identifier: MIT
"""The table of cases. A case says what is asked, what the simulator does, and what is counted."""
import json
import os
import random
from dataclasses import dataclass, field

from suite import proxies

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def chat(stream=False, **members):
    """The chat request of 2 KB, which is a stream's, with members changed."""
    with open(os.path.join(HERE, "chat_2k.json"), encoding="utf-8") as file:
        request = json.load(file)
    request.update(members, stream=stream)
    if not stream:
        del request["stream_options"]
    return json.dumps(request, separators=(",", ":"), ensure_ascii=False)


def long_chat(size):
    """A conversation of about `size` bytes: turns of prose and code, with line ends and quotes to unescape."""
    words = ["river", "gauge", "level", "the", "of", "a", "discharge", "barge", "\"Kaub\"", "{\n    return 0;\n}",
             "über", "forecast", "and", "is", "measured\n", "at", "hour", "\tif (x < y)", "draught", "metres"]
    dice = random.Random(6)
    messages = [{"role": "system", "content": "Answer briefly."}]
    while len(json.dumps(messages, ensure_ascii=False).encode()) < size - 2600:
        role = "user" if len(messages) % 2 == 1 else "assistant"
        messages.append({"role": role, "content": " ".join(dice.choices(words, k=400))})
    messages.append({"role": "user", "content": "And now?"})
    return json.dumps({"model": "demo", "messages": messages}, separators=(",", ":"), ensure_ascii=False)


@dataclass
class Case:
    """One row of the table."""
    name: str
    title: str
    body: str
    sim: list                   # arguments of the simulator
    unit: str = "request"       # what CPU is divided by: request or event
    connections: int = 64
    streams: int = 0            # per connection over HTTP/2; 0: HTTP/1.1
    steady: bool = False        # long streams: all begin, then the window
    status: int = 200
    path: str = "/v1/chat/completions"
    only: tuple = ()            # names of the proxies it makes sense for; empty: all
    warm: bool = False          # asked once beforehand, so that the answer is kept
    seconds: float = 0.6
    latency: float = 0.0        # requests a second of the open loop that measures latencies; 0: none
    direct: bool = True         # the simulator alone is of interest
    sluice: type = proxies.Sluice
    notes: list = field(default_factory=list)


NOW = ["--ttft", "0", "--itl", "0"]
SMALL = NOW + ["--tokens", "4", "--token_bytes", "28"]
LARGE = NOW + ["--tokens", "40", "--token_bytes", "495"]
PACED = ["--ttft", "20ms", "--itl", "20ms", "--tokens", "1000000"]
BURST = NOW + ["--tokens", "200", "--burst", "200"]

CASES = [
    Case("json", "2 KB chat request, answer of 400 bytes", chat(), SMALL, latency=4000),
    Case("json-20k", "2 KB chat request, answer of 20 KB", chat(), LARGE),
    Case("prompt-200k", "prompt of 200 KB, answer of 400 bytes", long_chat(200000), SMALL, connections=16),
    Case("stream", "500 streams of 50 events/s", chat(stream=True), PACED, unit="event", connections=500, steady=True,
         seconds=1.0),
]


def by_name(names):
    """The cases with these names, all when there are none."""
    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"unknown case {unknown[0]}; there are: {' '.join(known)}")
    return [known[name] for name in names] if names else CASES
