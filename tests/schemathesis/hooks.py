# SPDX-License-Identifier: MIT
"""What only the simulated backend would judge is made acceptable to it, so that every request the
document calls valid must be answered, and every one it calls invalid must be refused by Sluice itself."""

import re

import schemathesis

MODEL = "demo"
DIMENSIONS_MOST = 8192  # of the simulator's vectors
CHOICES_MOST = 128  # of its answers
LIMITS = ("max_tokens", "max_completion_tokens")  # which it wants in 32 bits and positive


def is_integer(value):
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def adapt_body(body):
    if isinstance(body.get("model"), str) and body["model"]:
        body["model"] = MODEL
    for limit in LIMITS:
        if is_integer(body.get(limit)) and not 1 <= body[limit] < 2**31:
            body[limit] = 1
    choices = body.get("n")
    if isinstance(choices, (int, float)) and CHOICES_MOST < choices <= 2**31 - 1:
        body["n"] = CHOICES_MOST
    if isinstance(body.get("request"), dict):
        adapt_body(body["request"])
        # What a JSON Schema can't say either: answers that are compared have one choice each.
        several = body["request"].get("n")
        if body.get("strategy") == "quorum" and isinstance(several, (int, float)) and 1 < several <= CHOICES_MOST:
            body["request"]["n"] = 1
    dimensions = body.get("dimensions")
    if isinstance(dimensions, (int, float)) and DIMENSIONS_MOST < dimensions <= 2**31 - 1:
        body["dimensions"] = DIMENSIONS_MOST
    if isinstance(body.get("encoding_format"), str):
        body["encoding_format"] = "float"
    targets = body.get("targets")
    if isinstance(targets, list) and targets and all(isinstance(target, str) and target for target in targets):
        body["targets"] = [MODEL, MODEL]
    # What a JSON Schema can't say: a response that is stored, and an input of which a chat carries something.
    previous = body.get("previous_response_id")
    if isinstance(previous, str) and 1 <= len(previous) <= 256:
        del body["previous_response_id"]
    if isinstance(body.get("plan"), str):
        body["plan"] = MODEL
    if isinstance(body.get("plan"), dict):
        body["plan"] = {"race": [MODEL, MODEL]}


# What a JSON Schema of the parameter can't say: a day of the calendar, names each once, the id of a row.
USAGE = {
    "from": (r".{10}", "2026-11-01"),
    "to": (r".{10}", "2026-11-30"),
    "by": (r"[a-z,]{0,64}", "day,model"),
    "after": (r"[0-9a-f]{0,4096}", "00005133000464656d6f"),
}


def adapt_usage(query):
    for name, (pattern, value) in USAGE.items():
        if isinstance(query.get(name), str) and re.fullmatch(pattern, query[name], re.DOTALL):
            query[name] = value
    if isinstance(query.get("after"), str) and "by" not in query:
        query["by"] = USAGE["by"][1]


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path == "/v1/responses" and isinstance(case.body, dict) and case.body.get("input"):
        if isinstance(case.body["input"], list):
            case.body["input"].append({"role": "user", "content": "Tell me about rivers"})
    if case.path == "/admin/usage" and case.query:
        adapt_usage(case.query)
    # What no backend can be told is not in the schema: with `refuse` a valid request may be refused.
    if case.headers and case.headers.get("x-sluice-lossy") == "refuse":
        case.headers["x-sluice-lossy"] = "report"
    if isinstance(case.body, dict):
        adapt_body(case.body)
