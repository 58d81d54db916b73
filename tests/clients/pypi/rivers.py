# SPDX-License-Identifier: MIT
"""What the scripted backend says (../stack.mjs), and where it is."""

import os
import time
import urllib.request

URL = os.environ["SLUICE_URL"]
MODEL = "rivers"
TEXT = "Rivers flow to the sea: é, 日本, 🙂."
LEVEL = {"river": "Rhine", "level": 148}
USED_TOOL = "I have Rhine: 50 cm, Elbe: 40 cm"
INPUT_TOKENS, OUTPUT_TOKENS = 11, 7

ASK = "Tell me about rivers."
ASK_LEVELS = "How high are Rhine and Elbe?"
ASK_SLOWLY, ASK_WRONGLY, ASK_TOO_OFTEN = "Tell me slowly.", "Ask wrongly.", "Ask too often."
WRONG_WORDS = "no river is asked like that"

GUARD_S = 120  # only so that a test cannot hang for ever


def get_level(river: str) -> str:
    """The level of a river."""
    return f"{river}: {len(river) * 10} cm"


def left() -> int:
    """How many clients have left before their answer was complete, as the backend noticed."""
    with urllib.request.urlopen(os.environ["BACKEND_URL"] + "/left") as answer:
        return int(answer.read())


def wait_left(before: int) -> None:
    """Waits until the backend has noticed that one more client left."""
    end = time.monotonic() + GUARD_S
    while left() <= before:
        assert time.monotonic() < end, "the backend never noticed that its client left"
        time.sleep(0.02)
