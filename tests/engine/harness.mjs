// SPDX-License-Identifier: MIT
//
// Starts what a test file needs, an engine and a Sluice in front of it, on free
// loopback ports, and stops exactly that. With SLUICE_BIN=direct there is no Sluice
// and clients talk to the engine itself: that tests the tests.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { eventually, ROOT, SLUICE, start, startSluice } from '../node/processes.mjs';

export { eventually, GUARD_MS, makeKey } from '../node/processes.mjs';

export const MODEL_FILE = join(ROOT, 'build/engine/tiny.gguf');

/** True when the clients talk to the engine itself. */
export const direct = SLUICE === 'direct';
/** For test options: skips what only a gateway does. */
export const gatewayOnly = { skip: direct && 'there is no Sluice (SLUICE_BIN=direct)' };
/** The model names that every client is tried with. */
export const MODELS = direct ? ['tiny'] : ['tiny', 'both'];

async function startEngine() {
    const server = join(ROOT, 'tests/engine/server.mjs');
    const engine = start('engine', process.execPath, [server, '--model', MODEL_FILE, '--until-eof']);
    const address = await engine.line((line) => line.match(/^engine listening on (\S+)/)?.[1]);
    return { ...engine, url: `http://${address}` };
}

const config = (engineUrl, scriptedUrl) => `
listen:
  - 127.0.0.1:0
admin: off
workers: 1
keepalive: 5ms # so that every SDK reads comments before and between events
backends:
  engine: { url: "${engineUrl}/v1", dialect: openai, timeouts: { connect: 20s, first_content: 120s, idle: 120s, total: 600s } }
  dead: { url: "http://127.0.0.1:1/v1", dialect: openai }
  refusing: { url: "http://127.0.0.1:1/v1", dialect: openai, breaker: { enabled: false } }
  scripted: { url: "${scriptedUrl}/v1", dialect: openai }
models:
  scripted: scripted/scripted
  tiny: engine/tiny
  both: { fallback: [dead/tiny, engine/tiny] }
  gone: refusing/tiny
  pair: { all: [engine/tiny, { fallback: [dead/tiny, engine/tiny] }] }
`;

// ---- what a test file uses ------------------------------------------------------

/**
 * A backend that answers what the test says, for what a tiny model never does. respond(request, call) gets the body of a
 * chat and the number of the call, and returns the message of the answer, with finish_reason. It streams when it is
 * asked to: the text, then the pieces of all tool calls in turn.
 */
export async function startScripted(respond) {
    const seen = [];
    const server = createServer(async (incoming, response) => {
        let text = '';
        for await (const piece of incoming) text += piece;
        const request = JSON.parse(text);
        seen.push(request);
        const { finish_reason = 'stop', ...message } = respond(request, seen.length);
        const about = { id: 'chatcmpl-1', created: 1790000000, model: 'scripted' };
        const usage = { prompt_tokens: 4, completion_tokens: 6, total_tokens: 10 };
        if (!request.stream) {
            response.setHeader('content-type', 'application/json');
            response.end(JSON.stringify({ ...about, object: 'chat.completion', usage,
                choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason }] }));
            return;
        }
        const send = (choices, more) => response.write(`data: ${JSON.stringify({ ...about, object: 'chat.completion.chunk', choices, ...more })}\n\n`);
        const delta = (fields, finish = null) => send([{ index: 0, delta: fields, finish_reason: finish }]);
        response.setHeader('content-type', 'text/event-stream');
        delta({ role: 'assistant', content: '' });
        const { content, tool_calls: calls = [], ...others } = message;
        for (const [name, value] of Object.entries(others)) delta({ [name]: value });
        for (const piece of content?.match(/.{1,4}/gs) ?? []) delta({ content: piece });
        const call = (index, fields) => delta({ tool_calls: [{ index, ...fields }] });
        calls.forEach(({ id, function: { name } }, i) => call(i, { id, type: 'function', function: { name, arguments: '' } }));
        const pieces = calls.map((one) => one.function.arguments.match(/.{1,5}/gs) ?? []);
        for (let i = 0; pieces.some((of) => i < of.length); i++)
            pieces.forEach((of, index) => i < of.length && call(index, { function: { arguments: of[i] } }));
        delta({}, finish_reason);
        send([], { usage });
        response.end('data: [DONE]\n\n');
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {
        url: `http://127.0.0.1:${server.address().port}`,
        seen,
        stop: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
    };
}

/**
 * Engine and Sluice, up and ready. `baseURL` is for clients, `engineURL` goes past Sluice. more: further keys of its
 * configuration, as YAML. scriptedUrl: of the backend that the model "scripted" asks, startScripted() makes one.
 */
export async function startStack(more = '', scriptedUrl = 'http://127.0.0.1:1') {
    const engine = await startEngine();
    let sluice;
    try {
        sluice = direct ? { url: engine.url, stop: async () => {} } : await startSluice(config(engine.url, scriptedUrl) + more);
    } catch (error) {
        await engine.stop();
        throw error;
    }
    const requests = async () => (await (await fetch(`${engine.url}/engine/stats`)).json()).requests;
    return {
        baseURL: `${sluice.url}/v1`,
        engineURL: `${engine.url}/v1`,
        /** What the engine saw last; see server.mjs for the fields. */
        lastRequest: async () => (await requests()).at(-1),
        /** What the engine saw of the request with this `user`. */
        requestOf: async (user) => (await requests()).find((entry) => entry.user === user),
        async stop() {
            try { await sluice.stop(); } finally { await engine.stop(); }
        },
    };
}

/** Asserts that the generation ended because its client left, before it was complete. */
export async function assertEngineStopped(stack) {
    const request = await eventually('the engine ends the generation', async () => {
        const last = await stack.lastRequest();
        return last.end && last;
    });
    assert.equal(request.end, 'left');
    assert.ok(request.tokens < request.max_tokens, `${request.tokens} tokens of ${request.max_tokens}`);
}

/**
 * Fields for a request that is still running whenever its client leaves: left
 * alone it would take longer than any guard here.
 */
export const ENDLESS = { max_tokens: 1000, pace_ms: 50 };
