// SPDX-License-Identifier: MIT
//
// The official Anthropic SDK, unmodified: it takes what Sluice tells of an engine that speaks chat completions, and
// raises its own errors.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { gatewayOnly, GUARD_MS, makeKey, startStack } from './harness.mjs';

const PEPPER = 'a-pepper-of-this-test-0123456789abcdef';
const ASKED = { model: 'tiny', max_tokens: 8, temperature: 0, messages: [{ role: 'user', content: 'Tell me about rivers' }] };

describe('messages', gatewayOnly, () => {
    let stack, key, hourly;
    before(async () => {
        [key, hourly] = ['good', 'hourly'].map((name) => makeKey(name, PEPPER));
        stack = await startStack(`
auth: { mode: keys, pepper: ${PEPPER} }
keys:
  good: { hash: "${key.hash}" }
  hourly: { hash: "${hourly.hash}", limits: { requests: 1/hour } }
`);
    });
    after(() => stack?.stop());

    function client(apiKey, maxRetries = 0) {
        return new Anthropic({ baseURL: stack.baseURL.replace(/\/v1$/, ''), apiKey, maxRetries, timeout: GUARD_MS });
    }

    test('a message is answered', async () => {
        const { data, response, request_id: id } = await client(key.key).messages.create(ASKED).withResponse();
        assert.equal(data.type, 'message');
        assert.equal(data.role, 'assistant');
        assert.equal(data.content[0].type, 'text');
        assert.ok(['end_turn', 'max_tokens'].includes(data.stop_reason));
        assert.ok(data.usage.input_tokens > 0);
        assert.equal(data.usage.output_tokens > 0, true);
        assert.equal(id ?? response.headers.get('request-id'), response.headers.get('x-request-id'));
    });

    test('a stream is put together to the same message', async () => {
        const whole = await client(key.key).messages.create(ASKED);
        const seen = [];
        const stream = client(key.key).messages.stream(ASKED);
        stream.on('streamEvent', (event) => seen.push(event.type));
        const message = await stream.finalMessage();
        assert.equal(message.content.map((block) => block.text).join(''), whole.content.map((block) => block.text).join(''));
        assert.equal(message.stop_reason, whole.stop_reason);
        assert.equal(message.usage.output_tokens, whole.usage.output_tokens);
        assert.equal(seen[0], 'message_start');
        assert.equal(seen.at(-1), 'message_stop');
    });

    test('system, tools and their results are taken', async () => {
        const message = await client(key.key).messages.create({
            ...ASKED,
            system: [{ type: 'text', text: 'Answer in one sentence.' }],
            tools: [{ name: 'get_level', description: 'The level of a river.', input_schema: { type: 'object', properties: { river: { type: 'string' } } } }],
            tool_choice: { type: 'none' },
            messages: [
                { role: 'user', content: 'How high is the Rhine?' },
                { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'get_level', input: { river: 'Rhine' } }] },
                { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: '148 cm' }] },
            ],
        });
        assert.equal(message.type, 'message');
    });

    test('an abort ends the stream', async () => {
        const stream = client(key.key).messages.stream({ ...ASKED, max_tokens: 400 });
        await assert.rejects(async () => { for await (const event of stream) if (event.type === 'content_block_delta') stream.abort(); }, Anthropic.APIUserAbortError);
    });

    test('errors are those of the SDK', async () => {
        const refused = (apiKey, asked, kind, words) => assert.rejects(client(apiKey).messages.create(asked), (error) => {
            assert.ok(error instanceof kind, `${error}`);
            assert.match(error.message, words);
            return true;
        });
        await refused('sk-nobody', ASKED, Anthropic.AuthenticationError, /authentication_error/);
        await refused(key.key, { ...ASKED, model: 'none' }, Anthropic.NotFoundError, /not_found_error/);
        await refused(key.key, { ...ASKED, max_tokens: undefined }, Anthropic.BadRequestError, /max_tokens is required/);
        await client(hourly.key).messages.create(ASKED);
        await refused(hourly.key, ASKED, Anthropic.RateLimitError, /1 requests per hour \(keys\.hourly\)/);
    });
});
