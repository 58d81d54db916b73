// SPDX-License-Identifier: MIT
//
// The official OpenAI SDK, unmodified, speaks Responses through Sluice to an engine that speaks chat completions, and to
// a scripted backend for what a tiny model never does: parallel calls of tools, structured output, refusals, thoughts.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { gatewayOnly, GUARD_MS, makeKey, startScripted, startStack } from './harness.mjs';

const PEPPER = 'a-pepper-of-this-test-0123456789abcdef';
const ASKED = { model: 'tiny', max_output_tokens: 8, temperature: 0, input: 'Tell me about rivers' };
const LEVEL = {
    type: 'function', name: 'get_level', description: 'The level of a river.', strict: true,
    parameters: { type: 'object', properties: { river: { type: 'string' } }, required: ['river'], additionalProperties: false },
};
const call = (id, name, args) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(args) } });

/** Answers by what the chat asks for. */
function respond({ messages, tools, response_format: format }) {
    const last = messages.at(-1);
    if (format?.type === 'json_schema') return { content: '{"name":"Rhine","length":1233}' };
    if (last.role === 'tool') return { content: `It is ${last.content}.` };
    if (last.content === 'refuse') return { refusal: 'I cannot help with that.' };
    if (last.content === 'think') return { reasoning_content: 'Rivers flow downhill.', content: 'Downhill.' };
    if (tools?.some((tool) => tool.function.name === 'sql'))
        return { tool_calls: [call('call_s', 'sql', { input: 'SELECT "level"' })], finish_reason: 'tool_calls' };
    if (tools)
        return {
            content: 'I look.', finish_reason: 'tool_calls',
            tool_calls: [call('call_a', 'get_level', { river: 'Rhine' }), call('call_b', 'get_level', { river: 'Rhone' })],
        };
    return { content: 'Rivers flow to the sea.' };
}

describe('responses', gatewayOnly, () => {
    let stack, scripted, key, hourly;
    before(async () => {
        [key, hourly] = ['good', 'hourly'].map((name) => makeKey(name, PEPPER));
        scripted = await startScripted(respond);
        stack = await startStack(`
auth: { mode: keys, pepper: ${PEPPER} }
keys:
  good: { hash: "${key.hash}" }
  hourly: { hash: "${hourly.hash}", limits: { requests: 1/hour } }
`, scripted.url);
    });
    after(async () => { await stack?.stop(); await scripted?.stop(); });

    const client = (apiKey = key.key) => new OpenAI({ baseURL: stack.baseURL, apiKey, maxRetries: 0, timeout: GUARD_MS });
    const ask = (more) => client().responses.create({ model: 'scripted', input: 'Tell me about rivers', ...more });

    test('an engine answers a response', async () => {
        const { data, response } = await client().responses.create(ASKED).withResponse();
        assert.equal(data.object, 'response');
        assert.ok(['completed', 'incomplete'].includes(data.status));
        assert.equal(data.incomplete_details?.reason, data.status === 'incomplete' ? 'max_output_tokens' : undefined);
        assert.ok(data.output_text.length > 0);
        assert.ok(data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
        assert.equal(data.max_output_tokens, 8);
        assert.equal(response.headers.get('x-sluice-dropped'), null);
    });

    test('a stream of an engine adds up to the whole response', async () => {
        const whole = await client().responses.create(ASKED);
        const seen = [];
        const stream = client().responses.stream(ASKED);
        stream.on('event', (event) => seen.push(event));
        const final = await stream.finalResponse();
        assert.equal(final.output_text, whole.output_text);
        assert.equal(final.status, whole.status);
        assert.deepEqual(final.usage, whole.usage);
        assert.deepEqual(seen.map((event) => event.sequence_number), seen.map((_, i) => i));
        assert.equal(seen[0].type, 'response.created');
        assert.equal(seen.at(-1).type, `response.${whole.status}`);
        const deltas = seen.filter((event) => event.type === 'response.output_text.delta');
        assert.equal(deltas.map((event) => event.delta).join(''), whole.output_text);
    });

    for (const stream of [false, true]) {
        const how = stream ? 'streamed' : 'whole';
        const run = (more) => stream
            ? client().responses.stream({ model: 'scripted', input: 'Tell me about rivers', ...more }).finalResponse()
            : ask(more);

        test(`parallel calls of tools and their outputs make two turns, ${how}`, async () => {
            const input = [{ role: 'user', content: 'How high are the Rhine and the Rhone?' }];
            const first = await run({ input, tools: [LEVEL] });
            const calls = first.output.filter((item) => item.type === 'function_call');
            assert.deepEqual(calls.map((item) => [item.call_id, item.name, JSON.parse(item.arguments)]), [
                ['call_a', 'get_level', { river: 'Rhine' }], ['call_b', 'get_level', { river: 'Rhone' }]]);
            assert.equal(first.output_text, 'I look.');
            const outputs = calls.map(({ call_id }) => ({ type: 'function_call_output', call_id, output: '148 cm' }));
            const second = await run({ input: [...input, ...first.output, ...outputs], tools: [LEVEL] });
            assert.equal(second.output_text, 'It is 148 cm.');
            assert.deepEqual(scripted.seen.at(-1).messages.map(({ role }) => role), ['user', 'assistant', 'tool', 'tool']);
            assert.deepEqual(scripted.seen.at(-1).messages[1].tool_calls.map(({ id }) => id), ['call_a', 'call_b']);
        });

        test(`a custom tool gets its text, ${how}`, async () => {
            const response = await run({ tools: [{ type: 'custom', name: 'sql', description: 'Runs SQL.' }] });
            const [item] = response.output;
            assert.deepEqual([item.type, item.name, item.input], ['custom_tool_call', 'sql', 'SELECT "level"']);
        });

        test(`structured output follows its schema, ${how}`, async () => {
            const text = { format: { type: 'json_schema', name: 'river', strict: true, schema: {
                type: 'object', properties: { name: { type: 'string' }, length: { type: 'number' } },
                required: ['name', 'length'], additionalProperties: false } } };
            const asked = { model: 'scripted', input: 'The Rhine', text };
            const river = stream // the SDK parses whole answers alone
                ? JSON.parse((await client().responses.stream(asked).finalResponse()).output_text)
                : (await client().responses.parse(asked)).output_parsed;
            assert.deepEqual(river, { name: 'Rhine', length: 1233 });
            assert.equal(scripted.seen.at(-1).response_format.json_schema.name, 'river');
        });

        test(`a refusal and thoughts are items of their own, ${how}`, async () => {
            const refused = await run({ input: 'refuse' });
            const [{ type, refusal }] = refused.output[0].content;
            assert.deepEqual([type, refusal], ['refusal', 'I cannot help with that.']);
            const thought = await run({ input: 'think' });
            assert.deepEqual(thought.output.map((item) => item.type), ['reasoning', 'message']);
            assert.equal(thought.output[0].content[0].text, 'Rivers flow downhill.');
            assert.equal(thought.output_text, 'Downhill.');
        });
    }

    test('what no backend is told is named', async () => {
        const { response } = await ask({ truncation: 'auto', include: ['reasoning.encrypted_content'] }).withResponse();
        assert.equal(response.headers.get('x-sluice-dropped'), 'include, truncation');
    });

    test('a conversation goes on from a stored response, which can be read, listed and deleted', async () => {
        const { responses } = client();
        const first = await ask({ input: 'How high is the Rhine?', tools: [LEVEL] });
        const outputs = first.output.filter((item) => item.type === 'function_call')
            .map(({ call_id }) => ({ type: 'function_call_output', call_id, output: '148 cm' }));
        const second = await ask({ input: outputs, tools: [LEVEL], previous_response_id: first.id });
        assert.equal(second.output_text, 'It is 148 cm.');
        assert.equal(second.previous_response_id, first.id);
        assert.deepEqual(await responses.retrieve(second.id), second);
        const types = [];
        for await (const item of responses.inputItems.list(second.id, { limit: 2, order: 'asc' })) types.push(item.type);
        assert.deepEqual(types, ['message', 'message', 'function_call', 'function_call', 'function_call_output', 'function_call_output']);
        await responses.delete(second.id);
        await assert.rejects(responses.retrieve(second.id), OpenAI.NotFoundError);
    });

    test('an abort ends the stream', async () => {
        const stream = client().responses.stream({ ...ASKED, max_output_tokens: 400 });
        await assert.rejects(async () => {
            for await (const event of stream) if (event.type === 'response.output_text.delta') stream.abort();
        }, OpenAI.APIUserAbortError);
    });

    test('errors are those of the SDK', async () => {
        const refused = (apiKey, asked, kind, words) => assert.rejects(client(apiKey).responses.create(asked), (error) => {
            assert.ok(error instanceof kind, `${error}`);
            assert.match(error.message, words);
            return true;
        });
        await refused('sk-nobody', ASKED, OpenAI.AuthenticationError, /key/);
        await refused(key.key, { ...ASKED, model: 'none' }, OpenAI.NotFoundError, /does not exist/);
        await refused(key.key, { ...ASKED, input: undefined }, OpenAI.BadRequestError, /input is required/);
        await refused(key.key, { ...ASKED, background: true }, OpenAI.BadRequestError, /background must be false/);
        await refused(key.key, { ...ASKED, previous_response_id: 'resp_1' }, OpenAI.BadRequestError, /no stored response/);
        await client(hourly.key).responses.create(ASKED);
        await refused(hourly.key, ASKED, OpenAI.RateLimitError, /1 requests per hour \(keys\.hourly\)/);
    });
});
