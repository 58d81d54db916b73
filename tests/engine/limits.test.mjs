// SPDX-License-Identifier: MIT
//
// The official OpenAI SDK under limits of the gateway: it raises its own exception, waits as long as it is told when
// that is soon, and asks once when it is not.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { gatewayOnly, GUARD_MS, makeKey, startStack } from './harness.mjs';

const PEPPER = 'a-pepper-of-this-test-0123456789abcdef';
const CHAT = { model: 'tiny', messages: [{ role: 'user', content: 'x' }], max_tokens: 4 };

describe('limits', gatewayOnly, () => {
    let stack, brief, hourly, tokens;
    before(async () => {
        [brief, hourly, tokens] = ['brief', 'hourly', 'tokens'].map((name) => makeKey(name, PEPPER));
        stack = await startStack(`
auth: { mode: keys, pepper: ${PEPPER} }
keys:
  brief: { hash: "${brief.hash}", limits: { requests: 1/second } }
  hourly: { hash: "${hourly.hash}", limits: { requests: 1/hour } }
  tokens: { hash: "${tokens.hash}", limits: { tokens: 100000/hour } }
cache: { policy: off }
`);
    });
    after(() => stack?.stop());

    /** A client that counts its requests. */
    function client(apiKey, maxRetries) {
        const asked = { count: 0 };
        const counted = (...args) => { asked.count++; return fetch(...args); };
        return { asked, openai: new OpenAI({ baseURL: stack.baseURL, apiKey, maxRetries, timeout: GUARD_MS, fetch: counted }) };
    }

    test('a limit that has room soon is waited for', async () => {
        const { asked, openai } = client(brief.key, 20);
        for (let i = 0; i < 3; i++) assert.equal((await openai.chat.completions.create(CHAT)).object, 'chat.completion');
        assert.ok(asked.count >= 3);
    });

    test('a limit that has none for long raises RateLimitError at once', async () => {
        const { asked, openai } = client(hourly.key, 5);
        await openai.chat.completions.create(CHAT);
        await assert.rejects(openai.chat.completions.create({ ...CHAT, stream: true }), (error) => {
            assert.ok(error instanceof OpenAI.RateLimitError, error.message);
            assert.equal(error.code, 'limit_reached');
            assert.match(error.message, /1 requests per hour \(keys\.hourly\)/);
            assert.equal(error.headers.get('x-ratelimit-remaining-requests'), '0');
            assert.ok(Number(error.headers.get('retry-after')) > 60);
            return true;
        });
        assert.equal(asked.count, 2, 'it is not repeated');
    });

    test('answers tell what is left', async () => {
        const { openai } = client(tokens.key, 0);
        const left = async () => {
            const { response } = await openai.chat.completions.create(CHAT).withResponse();
            assert.equal(response.headers.get('x-ratelimit-limit-tokens'), '100000');
            assert.match(response.headers.get('x-ratelimit-reset-tokens'), /^(\d+h)?(\d+m)?\d+s$|^\d+ms$/);
            assert.match(response.headers.get('ratelimit-policy'), /^"keys\.tokens\.tokens";q=100000;w=3600$/);
            return Number(response.headers.get('x-ratelimit-remaining-tokens'));
        };
        const first = await left();
        const second = await left();
        assert.ok(second < first && first < 100000, `${first}, then ${second}`);
        const { data } = await (await fetch(`${stack.baseURL}/limits`, { headers: { 'x-api-key': tokens.key } })).json();
        assert.equal(data.length, 1);
        assert.equal(data[0].reserved, 0);
    });
});
