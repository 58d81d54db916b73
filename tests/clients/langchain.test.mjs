// SPDX-License-Identifier: MIT
//
// LangChain, unmodified, by ChatOpenAI, which speaks chat completions, and ChatAnthropic, which speaks Messages.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChatAnthropic } from '@langchain/anthropic';
import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { BUSY, getLevel, LEVEL, LEVEL_SCHEMA, RIVER_SCHEMA, SLOW, startStack, TEXT, USAGE, USED_TOOL, WRONG } from './stack.mjs';

let stack;
before(async () => { stack = await startStack(); });
after(() => stack?.stop());

const SETTINGS = { model: 'rivers', apiKey: 'unused', maxRetries: 0, maxTokens: 80 };
const clients = {
    '@langchain/openai': () => new ChatOpenAI({ ...SETTINGS, configuration: { baseURL: stack.baseURL } }),
    '@langchain/anthropic': () => new ChatAnthropic({ ...SETTINGS, anthropicApiUrl: stack.url }),
};

const MESSAGES = [new SystemMessage('Be brief.'), new HumanMessage('Tell me about rivers.')];
const levels = tool(getLevel, { name: 'get_level', description: 'The level of a river.', schema: RIVER_SCHEMA });
const QUESTION = new HumanMessage('How high are Rhine and Elbe?');

/** Has the tools called that an answer asks for, and asks again. */
async function useTools(llm, answer) {
    const results = [];
    for (const call of answer.tool_calls) results.push(new ToolMessage({ tool_call_id: call.id, content: await levels.invoke(call.args) }));
    return llm.invoke([QUESTION, answer, ...results]);
}

for (const [name, client] of Object.entries(clients)) {
    describe(name, () => {
        test('a text comes whole, with its usage', async () => {
            const answer = await client().invoke(MESSAGES);
            assert.equal(answer.text, TEXT);
            assert.equal(answer.usage_metadata.input_tokens, USAGE.input);
            assert.equal(answer.usage_metadata.output_tokens, USAGE.output);
        });

        test('a stream comes in pieces, with its usage', async () => {
            const pieces = [];
            for await (const piece of await client().stream(MESSAGES)) pieces.push(piece);
            const whole = pieces.reduce((sum, piece) => sum.concat(piece));
            assert.ok(pieces.filter((piece) => piece.text).length > 3, `${pieces.length} pieces`);
            assert.equal(whole.text, TEXT);
            assert.equal(whole.usage_metadata.output_tokens, USAGE.output);
        });

        test('tools are called, two at once, whole and streamed', async () => {
            const llm = client().bindTools([levels]);
            const whole = await llm.invoke([QUESTION]);
            assert.deepEqual(whole.tool_calls.map((call) => call.args.river), ['Rhine', 'Elbe']);
            assert.equal((await useTools(llm, whole)).text, USED_TOOL);
            let streamed;
            for await (const piece of await llm.stream([QUESTION])) streamed = streamed === undefined ? piece : streamed.concat(piece);
            assert.deepEqual(streamed.tool_calls.map((call) => call.args.river), ['Rhine', 'Elbe']);
            assert.equal((await useTools(llm, streamed)).text, USED_TOOL);
        });

        test('an answer follows a schema', async () => {
            assert.deepEqual(await client().withStructuredOutput(LEVEL_SCHEMA).invoke(MESSAGES), LEVEL);
        });

        test('errors have the status and the words of the backend', async () => {
            const fails = (question, status, words) =>
                assert.rejects(client().invoke(question), (error) => {
                    assert.equal(error.status, status);
                    assert.match(error.message, words);
                    return true;
                });
            await fails(`Ask ${WRONG}.`, 400, /no river is asked like that/);
            await fails(`Ask ${BUSY}.`, 429, /too many rivers/);
        });

        test('an abort ends the generation', async () => {
            const before = stack.leftSoFar();
            const controller = new AbortController();
            await assert.rejects(async () => {
                for await (const piece of await client().stream(`Tell me ${SLOW}.`, { signal: controller.signal }))
                    if (piece.text) controller.abort();
            }, /abort/i);
            await stack.left(before);
        });
    });
}
