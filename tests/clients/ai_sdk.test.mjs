// SPDX-License-Identifier: MIT
//
// The Vercel AI SDK, unmodified, by two providers: one speaks chat completions, the other Messages. The backend speaks
// chat completions, and both providers are told the same.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, isStepCount, Output, streamText, tool } from 'ai';
import { BUSY, getLevel, LEVEL, LEVEL_SCHEMA, RIVER_SCHEMA, SLOW, startStack, TEXT, USAGE, USED_TOOL, WRONG } from './stack.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

let stack;
before(async () => { stack = await startStack(); });
after(() => stack?.stop());

const providers = {
    '@ai-sdk/openai-compatible': () =>
        createOpenAICompatible({ name: 'sluice', baseURL: stack.baseURL, apiKey: 'unused', includeUsage: true, supportsStructuredOutputs: true })('rivers'),
    '@ai-sdk/anthropic': () => createAnthropic({ baseURL: stack.baseURL, apiKey: 'unused' })('rivers'),
};

const ASK = { instructions: 'Be brief.', prompt: 'Tell me about rivers.', maxOutputTokens: 80, maxRetries: 0 };
const TOOLS = { get_level: tool({ description: 'The level of a river.', inputSchema: RIVER_SCHEMA, execute: getLevel }) };

for (const [name, provider] of Object.entries(providers)) {
    describe(name, () => {
        test('a text comes whole, with its usage', async () => {
            const answer = await generateText({ model: provider(), ...ASK });
            assert.equal(answer.text, TEXT);
            assert.equal(answer.finishReason, 'stop');
            assert.equal(answer.usage.inputTokens, USAGE.input);
            assert.equal(answer.usage.outputTokens, USAGE.output);
            const [system, user] = stack.asked.at(-1).messages;
            assert.equal(system.role, 'system');
            assert.match(JSON.stringify(user), /Tell me about rivers/);
        });

        test('a stream comes in pieces, with its usage', async () => {
            const stream = streamText({ model: provider(), ...ASK });
            const pieces = [];
            for await (const piece of stream.textStream) pieces.push(piece);
            assert.ok(pieces.length > 3, `${pieces.length} pieces`);
            assert.equal(pieces.join(''), TEXT);
            assert.equal((await stream.usage).outputTokens, USAGE.output);
            assert.equal(await stream.finishReason, 'stop');
        });

        test('tools are called, two at once, whole and streamed', async () => {
            const asked = { model: provider(), ...ASK, prompt: 'How high are Rhine and Elbe?', tools: TOOLS, stopWhen: isStepCount(3) };
            const answer = await generateText(asked);
            assert.equal(answer.steps.length, 2);
            assert.deepEqual(answer.steps[0].toolCalls.map((call) => call.input.river), ['Rhine', 'Elbe']);
            assert.equal(answer.text, USED_TOOL);
            const stream = streamText(asked);
            assert.equal((await stream.steps).at(-1).text, USED_TOOL);
        });

        test('an answer follows a schema', async () => {
            const answer = await generateText({ model: provider(), ...ASK, output: Output.object({ schema: LEVEL_SCHEMA }) });
            assert.deepEqual(answer.output, LEVEL);
        });

        test('errors are APICallErrors with the status and the words of the backend', async () => {
            const fails = (prompt, status, retryable, words) =>
                assert.rejects(generateText({ model: provider(), ...ASK, prompt }), (error) => {
                    assert.ok(APICallError.isInstance(error), String(error));
                    assert.equal(error.statusCode, status);
                    assert.equal(error.isRetryable, retryable);
                    assert.match(error.message, words);
                    return true;
                });
            await fails(`Ask ${WRONG}.`, 400, false, /no river is asked like that/);
            await fails(`Ask ${BUSY}.`, 429, true, /too many rivers/);
        });

        test('an abort ends the generation', async () => {
            const before = stack.leftSoFar();
            const controller = new AbortController();
            const stream = streamText({ model: provider(), ...ASK, prompt: `Tell me ${SLOW}.`, abortSignal: controller.signal });
            const kinds = [];
            for await (const part of stream.fullStream) {
                if (part.type === 'text-delta') controller.abort();
                kinds.push(part.type);
            }
            assert.equal(kinds.at(-1), 'abort');
            await stack.left(before);
        });
    });
}
