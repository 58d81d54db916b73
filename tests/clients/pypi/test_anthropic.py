# SPDX-License-Identifier: MIT
"""The official anthropic library: Messages, counts of tokens, models."""

import unittest

import anthropic
import rivers

TOOL = {
    "name": "get_level",
    "input_schema": {"type": "object", "properties": {"river": {"type": "string"}}, "required": ["river"]},
}


def asked(text):
    return {"model": rivers.MODEL, "max_tokens": 80, "messages": [{"role": "user", "content": text}]}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


class AnthropicTest(unittest.TestCase):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=rivers.URL, api_key="unused", max_retries=0)
        self.addCleanup(self.client.close)

    def test_a_text_comes_whole_with_its_usage(self):
        message = self.client.messages.create(**asked(rivers.ASK))
        self.assertEqual(text_of(message), rivers.TEXT)
        self.assertEqual(message.stop_reason, "end_turn")
        self.assertEqual(message.usage.input_tokens, rivers.INPUT_TOKENS)

    def test_a_stream_comes_in_pieces_with_its_usage(self):
        with self.client.messages.stream(**asked(rivers.ASK)) as stream:
            pieces = list(stream.text_stream)
            message = stream.get_final_message()
        self.assertEqual("".join(pieces), rivers.TEXT)
        self.assertGreater(len(pieces), 3)
        self.assertEqual(message.usage.output_tokens, rivers.OUTPUT_TOKENS)

    def test_tools_are_called_two_at_once_whole_and_streamed(self):
        for stream in (False, True):
            ask = asked(rivers.ASK_LEVELS)
            if stream:
                with self.client.messages.stream(**ask, tools=[TOOL]) as events:
                    message = events.get_final_message()
            else:
                message = self.client.messages.create(**ask, tools=[TOOL])
            self.assertEqual(message.stop_reason, "tool_use")
            calls = [block for block in message.content if block.type == "tool_use"]
            self.assertEqual(len(calls), 2)
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": rivers.get_level(**call.input)} for call in calls
            ]
            ask["messages"] += [
                {"role": "assistant", "content": message.content},
                {"role": "user", "content": results},
            ]
            self.assertEqual(text_of(self.client.messages.create(**ask, tools=[TOOL])), rivers.USED_TOOL)

    def test_errors_are_those_of_the_library(self):
        with self.assertRaisesRegex(anthropic.BadRequestError, rivers.WRONG_WORDS):
            self.client.messages.create(**asked(rivers.ASK_WRONGLY))
        with self.assertRaises(anthropic.RateLimitError):
            self.client.messages.create(**asked(rivers.ASK_TOO_OFTEN))
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.client.models.retrieve("none")
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")
        self.assertTrue(caught.exception.request_id)

    def test_losses_are_refused_where_the_client_says_so(self):
        thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
        with self.assertRaisesRegex(anthropic.BadRequestError, "thinking"):
            self.client.messages.create(**{**asked(rivers.ASK), **thinking}, extra_headers={"x-sluice-lossy": "refuse"})
        answer = self.client.messages.with_raw_response.create(**{**asked(rivers.ASK), **thinking})
        self.assertEqual(answer.headers["x-sluice-dropped"], "thinking")

    def test_leaving_a_stream_ends_the_generation(self):
        before = rivers.left()
        with self.client.messages.stream(**asked(rivers.ASK_SLOWLY)) as stream:
            next(iter(stream.text_stream))
        rivers.wait_left(before)

    def test_tokens_are_counted_about(self):
        counted = self.client.messages.with_raw_response.count_tokens(
            model=rivers.MODEL, messages=[{"role": "user", "content": rivers.ASK}]
        )
        self.assertEqual(counted.headers["x-sluice-estimated"], "true")
        self.assertIn(counted.parse().input_tokens, range(5, 60))

    def test_models_are_listed_in_pages(self):
        models = list(self.client.models.list(limit=1))
        self.assertEqual([(model.id, model.type, model.display_name) for model in models], [(rivers.MODEL, "model", rivers.MODEL)])
        self.assertEqual(self.client.models.retrieve(rivers.MODEL).created_at.year, 1970)


if __name__ == "__main__":
    unittest.main()
