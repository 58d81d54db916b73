# SPDX-License-Identifier: MIT
"""The official openai library, in chat completions."""

import json
import unittest

import openai
import pydantic
import rivers

TOOL = {
    "type": "function",
    "function": {
        "name": "get_level",
        "parameters": {"type": "object", "properties": {"river": {"type": "string"}}, "required": ["river"]},
    },
}


class Level(pydantic.BaseModel):
    river: str
    level: int


def asked(text):
    return {"model": rivers.MODEL, "messages": [{"role": "user", "content": text}]}


class OpenAiTest(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=rivers.URL + "/v1", api_key="unused", max_retries=0)
        self.addCleanup(self.client.close)

    def test_a_text_comes_whole_with_its_usage(self):
        answer = self.client.chat.completions.create(**asked(rivers.ASK))
        self.assertEqual(answer.choices[0].message.content, rivers.TEXT)
        self.assertEqual(answer.usage.completion_tokens, rivers.OUTPUT_TOKENS)

    def test_a_stream_comes_in_pieces_with_its_usage(self):
        stream = self.client.chat.completions.create(**asked(rivers.ASK), stream=True, stream_options={"include_usage": True})
        chunks = list(stream)
        pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        self.assertEqual("".join(pieces), rivers.TEXT)
        self.assertGreater(len(pieces), 3)
        self.assertEqual(chunks[-1].usage.completion_tokens, rivers.OUTPUT_TOKENS)

    def test_tools_are_called_two_at_once(self):
        ask = asked(rivers.ASK_LEVELS)
        message = self.client.chat.completions.create(**ask, tools=[TOOL]).choices[0].message
        self.assertEqual(len(message.tool_calls), 2)
        ask["messages"].append(message)
        for call in message.tool_calls:
            level = rivers.get_level(**json.loads(call.function.arguments))
            ask["messages"].append({"role": "tool", "tool_call_id": call.id, "content": level})
        answer = self.client.chat.completions.create(**ask, tools=[TOOL])
        self.assertEqual(answer.choices[0].message.content, rivers.USED_TOOL)

    def test_an_answer_follows_a_schema(self):
        answer = self.client.chat.completions.parse(**asked(rivers.ASK), response_format=Level)
        self.assertEqual(answer.choices[0].message.parsed, Level(**rivers.LEVEL))

    def test_errors_are_those_of_the_library(self):
        with self.assertRaisesRegex(openai.BadRequestError, rivers.WRONG_WORDS):
            self.client.chat.completions.create(**asked(rivers.ASK_WRONGLY))
        with self.assertRaises(openai.RateLimitError):
            self.client.chat.completions.create(**asked(rivers.ASK_TOO_OFTEN))
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(**{**asked(rivers.ASK), "model": "none"})

    def test_leaving_a_stream_ends_the_generation(self):
        before = rivers.left()
        stream = self.client.chat.completions.create(**asked(rivers.ASK_SLOWLY), stream=True)
        next(iter(stream))
        stream.close()
        rivers.wait_left(before)

    def test_models_are_listed(self):
        self.assertEqual([model.id for model in self.client.models.list()], [rivers.MODEL])


if __name__ == "__main__":
    unittest.main()
