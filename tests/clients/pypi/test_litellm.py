# SPDX-License-Identifier: MIT
"""litellm as a client, by its providers for chat completions and for Messages."""

import json
import unittest

import litellm
import rivers

litellm.suppress_debug_info = True

TOOL = {
    "type": "function",
    "function": {
        "name": "get_level",
        "description": "The level of a river.",
        "parameters": {"type": "object", "properties": {"river": {"type": "string"}}, "required": ["river"]},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"river": {"type": "string"}, "level": {"type": "integer"}},
    "required": ["river", "level"],
    "additionalProperties": False,
}


class Cases:
    """The cases of both providers."""

    def complete(self, text, **more):
        ask = {"messages": [{"role": "user", "content": text}], "max_tokens": 80, "max_retries": 0, **more}
        return litellm.completion(model=self.model, api_base=self.base, api_key="unused", **ask)

    def test_a_text_comes_whole_with_its_usage(self):
        answer = self.complete(rivers.ASK)
        self.assertEqual(answer.choices[0].message.content, rivers.TEXT)
        self.assertEqual(answer.usage.completion_tokens, rivers.OUTPUT_TOKENS)

    def test_a_stream_comes_in_pieces(self):
        pieces = [chunk.choices[0].delta.content or "" for chunk in self.complete(rivers.ASK, stream=True) if chunk.choices]
        self.assertEqual("".join(pieces), rivers.TEXT)
        self.assertGreater(len(pieces), 3)

    def test_tools_are_called_two_at_once(self):
        message = self.complete(rivers.ASK_LEVELS, tools=[TOOL]).choices[0].message
        self.assertEqual(len(message.tool_calls), 2)
        said = [{"role": "user", "content": rivers.ASK_LEVELS}, message.model_dump()]
        for call in message.tool_calls:
            level = rivers.get_level(**json.loads(call.function.arguments))
            said.append({"role": "tool", "tool_call_id": call.id, "content": level})
        answer = self.complete("", messages=said, tools=[TOOL])
        self.assertEqual(answer.choices[0].message.content, rivers.USED_TOOL)

    def test_an_answer_follows_a_schema(self):
        form = {"type": "json_schema", "json_schema": {"name": "level", "schema": SCHEMA, "strict": True}}
        answer = self.complete(rivers.ASK, response_format=form)
        self.assertEqual(json.loads(answer.choices[0].message.content), rivers.LEVEL)

    def test_errors_are_those_of_the_library(self):
        with self.assertRaisesRegex(litellm.BadRequestError, rivers.WRONG_WORDS):
            self.complete(rivers.ASK_WRONGLY)
        with self.assertRaises(litellm.RateLimitError):
            self.complete(rivers.ASK_TOO_OFTEN)


class ChatTest(Cases, unittest.TestCase):
    model, base = "openai/" + rivers.MODEL, rivers.URL + "/v1"


class MessagesTest(Cases, unittest.TestCase):
    model, base = "anthropic/" + rivers.MODEL, rivers.URL


if __name__ == "__main__":
    unittest.main()
