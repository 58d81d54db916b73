// SPDX-License-Identifier: MIT
//
// Starts what a test file needs, an engine and a Sluice in front of it, on free
// loopback ports, and stops exactly that. With SLUICE_BIN=direct there is no Sluice
// and clients talk to the engine itself: that tests the tests.

import assert from 'node:assert/strict';
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

const config = (engineUrl) => `
listen:
  - 127.0.0.1:0
admin: off
workers: 1
keepalive: 5ms # so that every SDK reads comments before and between events
backends:
  engine: { url: "${engineUrl}/v1", dialect: openai, timeouts: { connect: 20s, first_content: 120s, idle: 120s, total: 600s } }
  dead: { url: "http://127.0.0.1:1/v1", dialect: openai }
  refusing: { url: "http://127.0.0.1:1/v1", dialect: openai, breaker: { enabled: false } }
models:
  tiny: engine/tiny
  both: { fallback: [dead/tiny, engine/tiny] }
  gone: refusing/tiny
  pair: { all: [engine/tiny, { fallback: [dead/tiny, engine/tiny] }] }
`;

// ---- what a test file uses ------------------------------------------------------

/**
 * Engine and Sluice, up and ready. `baseURL` is for clients, `engineURL` goes past Sluice. more: further keys of its
 * configuration, as YAML.
 */
export async function startStack(more = '') {
    const engine = await startEngine();
    let sluice;
    try {
        sluice = direct ? { url: engine.url, stop: async () => {} } : await startSluice(config(engine.url) + more);
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
