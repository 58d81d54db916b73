# SPDX-License-Identifier: MIT
"""What only the simulated backend would judge is made acceptable to it, so that every request the
document calls valid must be answered, and every one it calls invalid must be refused by Sluice itself."""

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
    dimensions = body.get("dimensions")
    if isinstance(dimensions, (int, float)) and DIMENSIONS_MOST < dimensions <= 2**31 - 1:
        body["dimensions"] = DIMENSIONS_MOST
    if isinstance(body.get("encoding_format"), str):
        body["encoding_format"] = "float"
    targets = body.get("targets")
    if isinstance(targets, list) and targets and all(isinstance(target, str) and target for target in targets):
        body["targets"] = [MODEL, MODEL]
    if isinstance(body.get("plan"), str):
        body["plan"] = MODEL
    if isinstance(body.get("plan"), dict):
        body["plan"] = {"race": [MODEL, MODEL]}


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.body, dict):
        adapt_body(case.body)
