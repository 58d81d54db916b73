# SPDX-License-Identifier: MIT
"""The table of cases. A case says what is asked, what the simulator does, and what is counted."""
import json
import os
import random
from dataclasses import dataclass

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


def kept_chat(stream=False, **more):
    """One that may be answered from the cache: deterministic, and without the picture, whose URL may change its content."""
    with open(os.path.join(HERE, "chat_2k.json"), encoding="utf-8") as file:
        messages = json.load(file)["messages"]
    for message in messages:
        if isinstance(message["content"], list):
            message["content"] = [part for part in message["content"] if part["type"] == "text"]
    return chat(stream, messages=messages, temperature=0, **more)


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
    only: tuple = ()            # names of the proxies it makes sense for; empty: all
    seconds: float = 0.5        # of the window
    latency: float = 0.0        # requests a second of the open loop that measures latencies; 0: none
    direct: bool = False        # the simulator alone is of interest
    peers: bool = False         # other gateways can do it, too
    hit: bool = False           # Sluice must not ask the simulator
    sluice: type = proxies.Sluice

    def is_stream(self):
        """Whether a stream is asked for."""
        return '"stream":true' in self.body


NOW = ["--ttft", "0", "--itl", "0"]
SMALL = NOW + ["--tokens", "4", "--token_bytes", "28"]
LARGE = NOW + ["--tokens", "40", "--token_bytes", "495"]
PACED = ["--ttft", "20ms", "--itl", "20ms", "--tokens", "1000000"]
BURST = NOW + ["--tokens", "200", "--burst", "200"]
CACHED = NOW + ["--tokens", "20", "--burst", "20"]

CASES = [
    Case("json", "2 KB chat request, answer of 400 bytes", chat(), SMALL, direct=True, latency=2000, peers=True),
    Case("json-20k", "2 KB chat request, answer of 20 KB", chat(), LARGE, latency=1000),
    Case("prompt-200k", "prompt of 200 KB, answer of 400 bytes", long_chat(200000), SMALL, connections=16),
    Case("stream", "500 streams of 50 events/s", chat(stream=True), PACED, unit="event", connections=500, steady=True,
         seconds=1.0),
    Case("stream-h2", "the same, clients over HTTP/2 (10 connections)", chat(stream=True), PACED, unit="event",
         connections=10, streams=50, steady=True, seconds=1.0),
    Case("burst", "streams of 200 events, sent at once", chat(stream=True), BURST, unit="event", connections=16,
         peers=True),
    Case("hit", "cache hit in memory, 400 bytes (nginx: proxied)", kept_chat(), SMALL, hit=True),
    # `user` does not count for the key: other bytes each time, and the same answer.
    Case("hit-anew", "the same, each request in other bytes", kept_chat(user="########"), SMALL, hit=True),
    Case("hit-stream", "the same as a stream of 20 tokens", kept_chat(stream=True), CACHED, hit=True),
    Case("hit-redis", "cache hit in Redis, 400 bytes (nginx: proxied)", kept_chat(), SMALL, hit=True,
         only=("nginx", "sluice"), sluice=proxies.SluiceRedis),
    Case("hit-redis-stream", "the same as a stream of 20 tokens", kept_chat(stream=True), CACHED, hit=True,
         only=("nginx", "sluice"), sluice=proxies.SluiceRedis),
    Case("bad-json", "2 KB of JSON cut off, refused (nginx: by the simulator)", chat()[:-20], SMALL, status=400,
         only=("nginx", "sluice")),
    Case("bad-model", "2 KB request for a model that is not there, refused", chat(model="nobody"), SMALL, status=404,
         only=("sluice",)),
    Case("key-limit", "2 KB chat request with a key and a limit of tokens (nginx: neither)", chat(), SMALL,
         only=("nginx", "sluice"), sluice=proxies.SluiceLimit),
    Case("bad-key", "2 KB chat request, refused for its key", chat(), SMALL, status=401, only=("sluice",),
         sluice=proxies.SluiceExpired),
    Case("fan-out", "one request to three backends (`all`; nginx: to one)", chat(model="three"), SMALL,
         only=("nginx", "sluice")),
]


def by_name(names):
    """The cases with these names, all when there are none."""
    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"unknown case {unknown[0]}; there are: {' '.join(known)}")
    return [known[name] for name in names] if names else CASES
