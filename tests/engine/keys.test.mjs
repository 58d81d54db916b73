// SPDX-License-Identifier: MIT
//
// The official OpenAI SDK with keys of the gateway: it gets answers with a good one, raises its own exceptions for
// others, and repeats none of them but the 429, after the time that it is told.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { gatewayOnly, GUARD_MS, makeKey, startStack } from './harness.mjs';

const PEPPER = 'a-pepper-of-this-test-0123456789abcdef';
const CHAT = { model: 'tiny', messages: [{ role: 'user', content: 'x' }], max_tokens: 4 };

describe('keys', gatewayOnly, () => {
    let stack, good, narrow, revoked;
    before(async () => {
        [good, narrow, revoked] = ['good', 'narrow', 'revoked'].map((name) => makeKey(name, PEPPER));
        stack = await startStack(`
auth: { mode: keys, pepper: ${PEPPER}, failures: 3 }
keys:
  good: { hash: "${good.hash}" }
  narrow: { hash: "${narrow.hash}", models: [both], endpoints: [chat, models] }
  revoked: { hash: "${revoked.hash}", state: revoked }
`);
    });
    after(() => stack?.stop());

    /** A client that counts its requests. */
    function client(apiKey, maxRetries = 2) {
        const asked = { count: 0 };
        const counted = (...args) => { asked.count++; return fetch(...args); };
        return { asked, openai: new OpenAI({ baseURL: stack.baseURL, apiKey, maxRetries, timeout: GUARD_MS, fetch: counted }) };
    }

    async function fails(apiKey, kind, code, body = CHAT) {
        const { asked, openai } = client(apiKey);
        await assert.rejects(openai.chat.completions.create(body), (error) => {
            assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
            assert.equal(error.code, code);
            return true;
        });
        assert.equal(asked.count, 1, 'it is not repeated');
    }

    test('a good key gets answers, whole and streamed', async () => {
        const { openai } = client(good.key);
        assert.equal((await openai.chat.completions.create(CHAT)).usage.completion_tokens, 4);
        let chunks = 0;
        for await (const chunk of await openai.chat.completions.create({ ...CHAT, stream: true })) chunks += chunk.choices.length;
        assert.ok(chunks >= 4);
    });

    test('a revoked key raises AuthenticationError', () => fails(revoked.key, OpenAI.AuthenticationError, 'revoked_api_key'));

    test('a key without the scope raises PermissionDeniedError', async () => {
        await fails(narrow.key, OpenAI.PermissionDeniedError, 'missing_scope');
        const { openai } = client(narrow.key);
        await assert.rejects(openai.embeddings.create({ model: 'both', input: 'x' }), OpenAI.PermissionDeniedError);
    });

    test('models.list has the models of the key', async () => {
        const ids = [];
        for await (const model of client(narrow.key).openai.models.list()) ids.push(model.id);
        assert.deepEqual(ids, ['both']);
    });

    test('wrong keys raise AuthenticationError, and RateLimitError when they are too many', async () => {
        for (let i = 0; i < 3; i++) await fails(`sk-wrong-${i}`, OpenAI.AuthenticationError, 'invalid_api_key');
        const { openai } = client('sk-wrong', 0);
        await assert.rejects(openai.chat.completions.create(CHAT), (error) => {
            assert.ok(error instanceof OpenAI.RateLimitError, error.message);
            assert.equal(error.code, 'too_many_wrong_keys');
            const seconds = Number(error.headers.get('retry-after'));
            assert.ok(seconds >= 1 && seconds <= 20, `${seconds} s`);
            return true;
        });
        assert.equal((await client(good.key).openai.chat.completions.create(CHAT)).object, 'chat.completion');
    });
});
