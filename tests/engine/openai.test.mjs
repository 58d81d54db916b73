// SPDX-License-Identifier: MIT
//
// The official OpenAI SDK, unmodified, through Sluice to llama.cpp. At temperature
// 0 the engine repeats itself exactly, so what a client gets, by whatever way, is
// compared with what the engine says when asked directly.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { assertEngineStopped, direct, ENDLESS, eventually, gatewayOnly, GUARD_MS, MODELS, startStack } from './harness.mjs';

const MESSAGES = [
    { role: 'system', content: 'Say something: 日本語 or Fußgängerübergänge.' },
    { role: 'user', content: 'Tell me about sluices.\n"Quoted", \\ and 🙂.' },
];
const TOKENS = 120;

let stack, openai, engine;
before(async () => {
    stack = await startStack();
    // No retries: a test must not pass at the second try.
    const client = (baseURL) => new OpenAI({ baseURL, apiKey: 'unused', maxRetries: 0, timeout: 4 * GUARD_MS });
    openai = client(stack.baseURL);
    engine = client(stack.engineURL);
});
after(() => stack?.stop());

const chat = (model, more) => ({ model, messages: MESSAGES, max_tokens: TOKENS, ...more });

async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
}
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

/** What the engine itself says to chat(). */
async function expectedText() {
    const answer = await engine.chat.completions.create(chat('tiny'));
    const text = answer.choices[0].message.content;
    assert.match(text, /[^\x00-\x7f]/, 'the text should exercise multi-byte characters');
    return text;
}

for (const model of MODELS) {
    describe(`chat with model ${model}`, () => {
        test('a whole answer is the engine\'s own, with usage', async () => {
            const answer = await openai.chat.completions.create(chat(model));
            const own = await engine.chat.completions.create(chat('tiny'));
            assert.deepEqual(answer.choices, own.choices);
            assert.deepEqual(answer.usage, own.usage);
            assert.equal(answer.object, 'chat.completion');
            assert.equal(answer.choices[0].finish_reason, 'length');
            assert.equal(answer.usage.completion_tokens, TOKENS);
        });

        test('a streamed answer adds up to the whole one', async () => {
            const chunks = await collect(await openai.chat.completions.create(chat(model, { stream: true })));
            assert.equal(textOf(chunks), await expectedText());
            assert.equal(chunks[0].choices[0].delta.role, 'assistant');
            assert.deepEqual(chunks.map((c) => c.choices[0]?.finish_reason).filter(Boolean), ['length']);
            assert.equal(new Set(chunks.map((c) => c.id)).size, 1);
        });

        test('a streamed answer tells usage only to who asks for it', async () => {
            const plain = await collect(await openai.chat.completions.create(chat(model, { stream: true })));
            assert.ok(plain.every((chunk) => chunk.choices.length === 1 && !chunk.usage));

            const stream_options = { include_usage: true };
            const asked = await collect(await openai.chat.completions.create(chat(model, { stream: true, stream_options })));
            const last = asked.pop();
            assert.deepEqual(last.choices, []);
            assert.equal(last.usage.completion_tokens, TOKENS);
            assert.equal(last.usage.total_tokens, last.usage.prompt_tokens + TOKENS);
            assert.ok(asked.every((chunk) => chunk.usage === null), 'the other chunks carry usage: null');
        });

        test('the stream helper gives the final completion and its usage', async () => {
            const stream = openai.chat.completions.stream(chat(model, { stream_options: { include_usage: true } }));
            let heard = '';
            stream.on('content', (delta) => { heard += delta; });
            const final = await stream.finalChatCompletion();
            assert.equal(heard, await expectedText());
            assert.equal(final.choices[0].message.content, heard);
            assert.equal(final.choices[0].message.role, 'assistant');
            assert.equal(final.choices[0].finish_reason, 'length');
            assert.equal((await stream.totalUsage()).completion_tokens, TOKENS);
        });

        test('a stop string ends the answer with finish_reason stop', async () => {
            const full = await expectedText();
            const stop = [...full].slice(20, 24).join(''); // whole characters
            const answer = await openai.chat.completions.create(chat(model, { stop: [stop] }));
            assert.equal(answer.choices[0].finish_reason, 'stop');
            assert.equal(answer.choices[0].message.content, full.slice(0, full.indexOf(stop)));
            const chunks = await collect(await openai.chat.completions.create(chat(model, { stop, stream: true })));
            assert.equal(textOf(chunks), answer.choices[0].message.content);
            assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
        });

        test('leaving in the middle of a stream stops the engine', async () => {
            const controller = new AbortController();
            const stream = await openai.chat.completions.create(
                chat(model, { ...ENDLESS, stream: true }), { signal: controller.signal });
            let heard = 0;
            for await (const chunk of stream) if (chunk.choices[0].delta.content && ++heard === 3) controller.abort();
            assert.equal(heard, 3);
            await assertEngineStopped(stack);
        });

        test('leaving the stream helper stops the engine', async () => {
            const stream = openai.chat.completions.stream(chat(model, ENDLESS));
            stream.once('content', () => stream.abort());
            await assert.rejects(stream.finalChatCompletion(), OpenAI.APIUserAbortError);
            await assertEngineStopped(stack);
        });

        test('leaving while waiting for a whole answer stops the engine', async () => {
            const controller = new AbortController();
            const user = `waiting-${model}`;
            const answer = openai.chat.completions.create(
                chat(model, { ...ENDLESS, user }), { signal: controller.signal });
            answer.catch(() => {}); // asserted below
            await eventually('the engine generates', async () => (await stack.requestOf(user))?.tokens > 2);
            controller.abort();
            await assert.rejects(answer, OpenAI.APIUserAbortError);
            await assertEngineStopped(stack);
        });

        test('ten streams at once each get exactly what the engine said to them', async () => {
            // Compared with the engine's record: batching may change the last bit of a sum.
            await Promise.all(Array.from({ length: 10 }, async (_, i) => {
                const user = `crowd-${model}-${i}`;
                const messages = [{ role: 'user', content: `I am number ${i}.` }];
                const chunks = await collect(await openai.chat.completions.create(
                    { model, messages, max_tokens: 200, stream: true, user }));
                const said = await stack.requestOf(user);
                assert.equal(textOf(chunks), said.text);
                assert.equal(said.tokens, 200);
                assert.equal(chunks.at(-1).choices[0].finish_reason, 'length');
            }));
        });

        test('the client\'s own bytes reach the engine', async () => {
            const body = `{ "messages":[{"role" : "user","content":"\\u0068i"}],\n\t"model": "${model}",`
                + ' "max_tokens":1, "temperature":0e0, "unknown": {"big":9007199254740993, "x":[1.0,-0]} }';
            const answer = await fetch(`${stack.baseURL}/chat/completions`, {
                method: 'POST', body, headers: { 'content-type': 'application/json' },
            });
            assert.equal(answer.status, 200, await answer.text());
            assert.equal((await stack.lastRequest()).raw, body.replace(`"${model}"`, '"tiny"'));
        });
    });

    describe(`the other endpoints with model ${model}`, () => {
        const prompt = { max_tokens: 60, prompt: 'Once upon a time' };

        test('legacy completions, whole and streamed, are the engine\'s own', async () => {
            const answer = await openai.completions.create({ model, ...prompt });
            const own = await engine.completions.create({ model: 'tiny', ...prompt });
            assert.deepEqual(answer.choices, own.choices);
            assert.deepEqual(answer.usage, own.usage);
            const chunks = await collect(await openai.completions.create({ model, ...prompt, stream: true }));
            assert.equal(chunks.map((c) => c.choices[0].text).join(''), own.choices[0].text);
            assert.equal(chunks.at(-1).choices[0].finish_reason, 'length');
        });

        test('embeddings, as base64 and as numbers, are the engine\'s own', async () => {
            const input = ['a sluice', 'a gate', '水門'];
            const answer = await openai.embeddings.create({ model, input }); // the SDK asks for base64
            const numbers = await openai.embeddings.create({ model, input, encoding_format: 'float' });
            const own = await engine.embeddings.create({ model: 'tiny', input, encoding_format: 'float' });
            assert.deepEqual(answer.data.map((d) => d.index), [0, 1, 2]);
            assert.deepEqual(numbers.data, own.data);
            assert.deepEqual(answer.data, own.data);
            assert.deepEqual(answer.usage, own.usage);
            assert.notDeepEqual(own.data[0].embedding, own.data[1].embedding);
        });

        test('embeddings that were asked for come from the cache, in the order of the texts', { skip: direct }, async () => {
            const ask = (input, more) => openai.embeddings.create({ model, input, user: 'u', ...more }).withResponse();
            const status = ({ response }) => response.headers.get('cache-status');
            for (const encoding_format of [undefined, 'float']) { // undefined: the SDK asks for base64 and decodes it
                const first = await ask(['a weir', 'a lock'], { encoding_format });
                assert.equal(status(first), 'sluice; fwd=miss');
                const partial = await ask(['a lock', 'a ferry', 'a weir', 'a lock'], { encoding_format });
                assert.equal(status(partial), 'sluice; fwd=partial');
                const hit = await ask(['a ferry', 'a lock', 'a weir'], { encoding_format });
                assert.match(status(hit), /^sluice; hit; ttl=\d+$/);
                const vectors = (data) => data.map((item) => item.embedding);
                const [weir, lock] = vectors(first.data.data);
                const [, ferry] = vectors(partial.data.data);
                assert.deepEqual(vectors(partial.data.data), [lock, ferry, weir, lock]);
                assert.deepEqual(vectors(hit.data.data), [ferry, lock, weir]);
                assert.deepEqual(hit.data.data.map((item) => item.index), [0, 1, 2]);
                assert.deepEqual(hit.data.usage, partial.data.usage); // the repeated text was asked for once
                assert.equal(hit.data.model, first.data.model);
            }
        });
    });
}

describe('models', () => {
    test('the list has every configured model', async () => {
        const ids = (await collect(openai.models.list())).map((model) => model.id).sort();
        assert.deepEqual(ids, direct ? ['tiny'] : ['both', 'gone', 'pair', 'scripted', 'tiny']);
    });

    test('one model can be retrieved', async () => {
        for (const id of MODELS) {
            const model = await openai.models.retrieve(id);
            assert.equal(model.id, id);
            assert.equal(model.object, 'model');
            assert.equal(typeof model.created, 'number');
            assert.equal(typeof model.owned_by, 'string');
        }
    });

    test('an unknown model is a NotFoundError everywhere', async () => {
        const isMissing = (error) => {
            assert.ok(error instanceof OpenAI.NotFoundError, String(error));
            assert.equal(error.code, 'model_not_found');
            assert.match(error.message, /nowhere\/to be found/);
            return true;
        };
        const model = 'nowhere/to be found';
        await assert.rejects(openai.models.retrieve(model), isMissing);
        await assert.rejects(openai.chat.completions.create(chat(model)), isMissing);
        await assert.rejects(openai.chat.completions.create(chat(model, { stream: true })), isMissing);
        await assert.rejects(openai.completions.create({ model, prompt: 'x' }), isMissing);
        await assert.rejects(openai.embeddings.create({ model, input: 'x' }), isMissing);
    });
});

describe('errors', () => {
    /** Asserts a BadRequestError about `param`, with all four members in its body and the finding in its details. */
    const isBadRequest = (param) => (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError, String(error));
        assert.equal(error.param, param);
        const { details, ...four } = error.error;
        assert.deepEqual(Object.keys(four).sort(), ['code', 'message', 'param', 'type']);
        assert.equal(error.type, 'invalid_request_error');
        assert.deepEqual(Object.keys(details[0]).sort(), ['input', 'loc', 'msg', 'type']);
        assert.equal(details[0].msg, error.error.message);
        assert.equal(details[0].type, error.code);
        return true;
    };

    test('a message without a role is told by its path', async () => {
        const messages = [MESSAGES[0], { content: 'no role' }];
        for (const stream of [false, true])
            await assert.rejects(openai.chat.completions.create({ model: 'tiny', messages, stream }), isBadRequest('messages[1].role'));
    });

    const wrong = [
        ['messages[0].role', { messages: [{ role: 7, content: 'x' }] }],
        ['messages', { messages: [] }],
        ['messages', { messages: 'hello' }],
        ['temperature', { temperature: 'hot' }],
        ['max_tokens', { max_tokens: 1.5 }],
        ['n', { n: 0 }],
        ['stream', { stream: 'yes' }],
    ];
    for (const [param, more] of wrong)
        test(`${JSON.stringify(more)} is refused as ${param}, and never reaches the engine`, gatewayOnly, async () => {
            const user = `refused-${JSON.stringify(more)}`;
            await assert.rejects(openai.chat.completions.create(chat('tiny', { ...more, user })), isBadRequest(param));
            assert.equal(await stack.requestOf(user), undefined);
        });

    test('missing members are named', gatewayOnly, async () => {
        await assert.rejects(openai.chat.completions.create({ messages: MESSAGES }), isBadRequest('model'));
        await assert.rejects(openai.chat.completions.create({ model: 'tiny' }), isBadRequest('messages'));
        await assert.rejects(openai.embeddings.create({ model: 'tiny' }), isBadRequest('input'));
        await assert.rejects(openai.completions.create({ model: 'tiny' }), isBadRequest('prompt'));
    });

    test('a body that is not JSON is an error of the same shape', async () => {
        const answer = await fetch(`${stack.baseURL}/chat/completions`, {
            method: 'POST', body: '{"model": "tiny", ', headers: { 'content-type': 'application/json' },
        });
        assert.equal(answer.status, 400);
        assert.match(answer.headers.get('content-type'), /^application\/json/);
        const { error } = await answer.json();
        assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
        assert.equal(error.param, null);
    });

    test('what the engine itself refuses comes back with its reason', async () => {
        const messages = [{ role: 'user', content: 'long '.repeat(5000) }];
        await assert.rejects(openai.chat.completions.create({ model: 'tiny', messages }), (error) => {
            assert.ok(error instanceof OpenAI.BadRequestError, String(error));
            assert.match(error.message, /does not fit the context/);
            return true;
        });
        // An engine that counts tokens for longer than `keepalive` refuses in a stream that has begun.
        const streamed = async () => collect(await openai.chat.completions.create({ model: 'tiny', messages, stream: true }));
        await assert.rejects(streamed, (error) => {
            assert.ok(error instanceof OpenAI.APIError, String(error));
            assert.match(error.message, /does not fit the context/);
            assert.equal(error.code, 'context_length_exceeded');
            return true;
        });
    });

    test('a model whose only backend is down is a server error, also for a stream', gatewayOnly, async () => {
        for (const stream of [false, true])
            await assert.rejects(openai.chat.completions.create(chat('gone', { stream })), (error) => {
                assert.ok(error instanceof OpenAI.InternalServerError, String(error));
                assert.equal(error.status, 502);
                assert.equal(error.code, 'upstream_connect');
                return true;
            });
    });
});

describe('what only Sluice does', gatewayOnly, () => {
    test('answers say their request id and which target gave them', async () => {
        for (const model of MODELS)
            for (const stream of [false, true]) {
                const headers = { 'x-request-id': `asked-for-${model}` };
                const { data, response, request_id } =
                    await openai.chat.completions.create(chat(model, { stream }), { headers }).withResponse();
                if (stream) await collect(data);
                assert.equal(request_id, `asked-for-${model}`);
                assert.equal(response.headers.get('x-sluice-target'), 'engine/tiny');
            }
    });

    test('the plan "all" gives one choice per target, whole and streamed', async () => {
        const expected = await expectedText();
        const answer = await openai.chat.completions.create(chat('pair'));
        assert.deepEqual(answer.choices.map((c) => c.index), [0, 1]);
        for (const choice of answer.choices) assert.equal(choice.finish_reason, 'length');

        // The two run side by side in the engine: same prompt, so at least a common beginning.
        const stream = openai.chat.completions.stream(chat('pair'));
        const final = await stream.finalChatCompletion();
        assert.equal(final.choices.length, 2);
        for (const choice of [...answer.choices, ...final.choices]) {
            assert.equal(choice.message.content.slice(0, 12), expected.slice(0, 12));
            assert.equal(choice.sluice_target, 'engine/tiny');
        }
    });
});
