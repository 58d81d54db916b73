// SPDX-License-Identifier: MIT
//
// LangChain's ChatOpenAI and OpenAIEmbeddings, unmodified, through Sluice to
// llama.cpp.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HumanMessage, SystemMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { assertEngineStopped, ENDLESS, MODELS, startStack } from './harness.mjs';

let stack;
before(async () => { stack = await startStack(); });
after(() => stack?.stop());

const MESSAGES = [new SystemMessage('Short words.'), new HumanMessage('Describe a canal in 日本.')];

const through = () => ({ apiKey: 'unused', maxRetries: 0, configuration: { baseURL: stack.baseURL } });
const past = () => ({ apiKey: 'unused', maxRetries: 0, configuration: { baseURL: stack.engineURL } });
const SETTINGS = { temperature: 0, maxTokens: 80 };

for (const model of MODELS) {
    describe(`model ${model}`, () => {
        test('invoke gives the engine\'s own answer', async () => {
            const answer = await new ChatOpenAI({ model, ...SETTINGS, ...through() }).invoke(MESSAGES);
            const own = await new ChatOpenAI({ model: 'tiny', ...SETTINGS, ...past() }).invoke(MESSAGES);
            assert.ok(own.content.length > 80);
            assert.equal(answer.content, own.content);
            assert.equal(answer.response_metadata.finish_reason, 'length');
            assert.deepEqual(answer.usage_metadata, own.usage_metadata);
            assert.equal(answer.usage_metadata.output_tokens, 80);
        });

        test('stream adds up to the same answer, with usage', async () => {
            const pieces = [];
            const llm = new ChatOpenAI({ model, ...SETTINGS, ...through() });
            for await (const piece of await llm.stream(MESSAGES)) pieces.push(piece);
            const whole = pieces.reduce((sum, piece) => sum.concat(piece));
            const own = await new ChatOpenAI({ model: 'tiny', ...SETTINGS, ...past() }).invoke(MESSAGES);
            assert.equal(whole.content, own.content);
            assert.ok(pieces.length > 10, `${pieces.length} pieces`);
            assert.equal(whole.response_metadata.finish_reason, 'length');
            assert.equal(whole.usage_metadata.output_tokens, 80);
        });

        test('leaving a stream stops the engine', async () => {
            const controller = new AbortController();
            const llm = new ChatOpenAI({
                model, ...SETTINGS, ...through(), maxTokens: ENDLESS.max_tokens, modelKwargs: { pace_ms: ENDLESS.pace_ms },
            });
            await assert.rejects(async () => {
                for await (const piece of await llm.stream(MESSAGES, { signal: controller.signal }))
                    if (piece.content) controller.abort();
            }, /abort/i);
            await assertEngineStopped(stack);
        });

        test('embeddings are the engine\'s own', async () => {
            const texts = ['water', 'gate'];
            const vectors = await new OpenAIEmbeddings({ model, ...through() }).embedDocuments(texts);
            assert.deepEqual(vectors, await new OpenAIEmbeddings({ model: 'tiny', ...past() }).embedDocuments(texts));
            assert.notDeepEqual(vectors[0], vectors[1]);
        });
    });
}

test('an unknown model is an error with status 404', async () => {
    const llm = new ChatOpenAI({ model: 'nobody', ...SETTINGS, ...through() });
    await assert.rejects(llm.invoke(MESSAGES), (error) => {
        assert.equal(error.status, 404);
        assert.match(error.message, /nobody/);
        return true;
    });
});
