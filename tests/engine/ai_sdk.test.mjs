// SPDX-License-Identifier: MIT
//
// The Vercel AI SDK with its generic OpenAI-compatible provider, unmodified, through
// Sluice to llama.cpp.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateText, streamText } from 'ai';
import { assertEngineStopped, ENDLESS, MODELS, startStack } from './harness.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

let stack, sluice, engine;
before(async () => {
    stack = await startStack();
    const provider = (baseURL) => createOpenAICompatible({ name: 'sluice', baseURL, apiKey: 'unused', includeUsage: true });
    sluice = provider(stack.baseURL);
    engine = provider(stack.engineURL);
});
after(() => stack?.stop());

const ASK = { system: 'Be brief: é.', prompt: 'What does a sluice do? 🙂', maxOutputTokens: 80, temperature: 0, maxRetries: 0 };

for (const name of MODELS) {
    describe(`model ${name}`, () => {
        test('generateText gives the engine\'s own answer', async () => {
            const answer = await generateText({ model: sluice(name), ...ASK });
            const own = await generateText({ model: engine('tiny'), ...ASK });
            assert.equal(answer.text, own.text);
            assert.equal(answer.finishReason, 'length');
            assert.equal(answer.usage.outputTokens, 80);
            assert.equal(answer.usage.inputTokens, own.usage.inputTokens);
        });

        test('streamText gives the same text, piece by piece, and the usage', async () => {
            const stream = streamText({ model: sluice(name), ...ASK });
            const pieces = [];
            for await (const piece of stream.textStream) pieces.push(piece);
            const own = await generateText({ model: engine('tiny'), ...ASK });
            assert.equal(pieces.join(''), own.text);
            assert.ok(pieces.length > 10, `${pieces.length} pieces`);
            assert.equal(await stream.finishReason, 'length');
            assert.equal((await stream.usage).outputTokens, 80);
        });

        test('leaving a stream stops the engine', async () => {
            const controller = new AbortController();
            const stream = streamText({
                model: sluice(name), ...ASK, abortSignal: controller.signal, maxOutputTokens: ENDLESS.max_tokens,
                providerOptions: { sluice: { pace_ms: ENDLESS.pace_ms } },
            });
            const kinds = [];
            for await (const part of stream.fullStream) {
                if (part.type === 'text-delta') controller.abort();
                kinds.push(part.type);
            }
            assert.equal(kinds.at(-1), 'abort');
            await assertEngineStopped(stack);
            assert.match((await stack.lastRequest()).raw, /"pace_ms":50/, 'the provider passes its own options on');
        });

        test('embedMany gives the engine\'s own vectors', async () => {
            const values = ['water', 'gate'];
            const answer = await embedMany({ model: sluice.textEmbeddingModel(name), values, maxRetries: 0 });
            const own = await embedMany({ model: engine.textEmbeddingModel('tiny'), values, maxRetries: 0 });
            assert.equal(answer.embeddings.length, 2);
            assert.deepEqual(answer.embeddings, own.embeddings);
        });
    });
}

test('an unknown model is an APICallError with the gateway\'s message', async () => {
    await assert.rejects(generateText({ model: sluice('nobody'), ...ASK }), (error) => {
        assert.ok(APICallError.isInstance(error), String(error));
        assert.equal(error.statusCode, 404);
        assert.equal(error.isRetryable, false);
        assert.match(error.message, /nobody/);
        return true;
    });
});
