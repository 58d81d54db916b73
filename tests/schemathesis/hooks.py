# SPDX-License-Identifier: MIT
"""What only the simulated backend would judge is made acceptable to it, so that every request the
document calls valid must be answered, and every one it calls invalid must be refused by Sluice itself."""

import schemathesis

MODEL = "demo"
DIMENSIONS_MOST = 8192  # of the simulator's vectors


def adapt_body(body):
    if isinstance(body.get("model"), str) and body["model"]:
        body["model"] = MODEL
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
