# SPDX-License-Identifier: MIT
"""pydantic-ai with its models for chat completions and for Messages."""

import unittest

import anthropic
import openai
import pydantic
import rivers
from pydantic_ai import Agent, ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Level(pydantic.BaseModel):
    river: str
    level: int


class Cases:
    """The cases of both models."""

    def agent(self, **more):
        return Agent(self.model, instructions="Be brief.", **more)

    async def test_a_text_comes_whole_with_its_usage(self):
        result = await self.agent().run(rivers.ASK)
        self.assertEqual(result.output, rivers.TEXT)
        self.assertEqual(result.usage.output_tokens, rivers.OUTPUT_TOKENS)

    async def test_a_stream_comes_in_pieces(self):
        async with self.agent().run_stream(rivers.ASK) as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        self.assertEqual("".join(pieces), rivers.TEXT)
        self.assertGreater(len(pieces), 3)

    async def test_tools_are_called_two_at_once(self):
        heard = []
        agent = self.agent()

        @agent.tool_plain
        def get_level(river: str) -> str:
            """The level of a river."""
            heard.append(river)
            return rivers.get_level(river)

        result = await agent.run(rivers.ASK_LEVELS)
        self.assertEqual(sorted(heard), ["Elbe", "Rhine"])
        self.assertEqual(result.output, rivers.USED_TOOL)

    async def test_an_answer_follows_a_schema(self):
        result = await self.agent(output_type=Level).run(rivers.ASK)
        self.assertEqual(result.output, Level(**rivers.LEVEL))

    async def test_errors_have_the_status_of_the_backend(self):
        with self.assertRaises(ModelHTTPError) as caught:
            await self.agent().run(rivers.ASK_WRONGLY)
        self.assertEqual(caught.exception.status_code, 400)
        self.assertIn(rivers.WRONG_WORDS, str(caught.exception))

    async def test_leaving_a_stream_ends_the_generation(self):
        before = rivers.left()
        with self.assertRaises(InterruptedError):
            async with self.agent().run_stream(rivers.ASK_SLOWLY) as result:
                async for _ in result.stream_text(delta=True, debounce_by=None):
                    raise InterruptedError
        rivers.wait_left(before)


class ChatTest(Cases, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        client = openai.AsyncOpenAI(base_url=rivers.URL + "/v1", api_key="unused", max_retries=0)
        self.addAsyncCleanup(client.close)
        self.model = OpenAIChatModel(rivers.MODEL, provider=OpenAIProvider(openai_client=client))


class MessagesTest(Cases, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        client = anthropic.AsyncAnthropic(base_url=rivers.URL, api_key="unused", max_retries=0)
        self.addAsyncCleanup(client.close)
        self.model = AnthropicModel(rivers.MODEL, provider=AnthropicProvider(anthropic_client=client))


if __name__ == "__main__":
    unittest.main()
