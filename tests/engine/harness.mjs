// SPDX-License-Identifier: MIT
//
// Starts what a test file needs, an engine and a Sluice in front of it, on free
// loopback ports, and stops exactly that. With SLUICE_BIN=direct there is no Sluice
// and clients talk to the engine itself: that tests the tests.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = resolve(import.meta.dirname, '../..');
const SLUICE = process.env.SLUICE_BIN || join(ROOT, 'build/sluice');
export const MODEL_FILE = join(ROOT, 'build/engine/tiny.gguf');

/** True when the clients talk to the engine itself. */
export const direct = SLUICE === 'direct';
/** For test options: skips what only a gateway does. */
export const gatewayOnly = { skip: direct && 'there is no Sluice (SLUICE_BIN=direct)' };
/** The model names that every client is tried with. */
export const MODELS = direct ? ['tiny'] : ['tiny', 'both'];

export const GUARD_MS = 120_000; // only so that a test cannot hang for ever

const guard = () => sleep(GUARD_MS, null, { ref: false });

/** Waits until probe() returns something truthy, and returns it. */
export async function eventually(what, probe) {
    for (const end = Date.now() + GUARD_MS; Date.now() < end; await sleep(20)) {
        const value = await probe();
        if (value) return value;
    }
    assert.fail(`never happened: ${what}`);
}

// ---- processes ----------------------------------------------------------------

const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Starts a program; keeps its last lines to tell when something goes wrong. */
function start(name, command, args) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const lines = [], listeners = new Set();
    const onLine = (line) => {
        lines.push(line);
        if (lines.length > 40) lines.shift();
        listeners.forEach((listener) => listener(line));
    };
    children.add(child);
    createInterface(child.stdout).on('line', onLine);
    createInterface(child.stderr).on('line', onLine);

    const ended = new Promise((done) => {
        child.on('error', (error) => done(`could not be started: ${error.message}`));
        child.on('close', (code, signal) => done(`ended with ${signal ?? `status ${code}`}`));
    }).finally(() => children.delete(child));
    const story = (how) => new Error([`${name} ${how}; its last lines:`, ...lines].join('\n  '));

    return {
        /** Resolves to match(line) of the first line for which that is truthy. */
        async line(match) {
            let listener;
            const found = new Promise((done) => listeners.add(listener = (line) => match(line) && done(match(line))));
            const gone = ended.then((how) => { throw story(how); });
            const never = guard().then(() => { throw story('does not say what it should'); });
            try { return await Promise.race([found, gone, never]); } finally { listeners.delete(listener); }
        },
        /** Asks it to end, and insists that it does so cleanly. */
        async stop() {
            child.kill('SIGTERM');
            const how = await Promise.race([ended, guard().then(() => 'did not end on SIGTERM')]);
            child.kill('SIGKILL');
            if (how !== 'ended with status 0') throw story(how);
        },
    };
}

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

/** The address in a JSON log line that says that Sluice listens. */
function listeningAddress(line) {
    try {
        const entry = JSON.parse(line);
        return entry.msg === 'listening' && entry.address;
    } catch {
        return null;
    }
}

async function startSluice(engineUrl, more) {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-engine-'));
    const file = join(folder, 'sluice.yaml');
    writeFileSync(file, config(engineUrl) + more);
    const sluice = start('sluice', SLUICE, ['--config', file]);
    const stop = () => sluice.stop().finally(() => rmSync(folder, { recursive: true }));
    try {
        const url = `http://${await sluice.line(listeningAddress)}`;
        await eventually('GET /readyz answers 200', () => fetch(`${url}/readyz`).then((r) => r.status === 200, () => false));
        return { url, stop };
    } catch (error) {
        await stop().catch(() => {}); // the first error tells more
        throw error;
    }
}

// ---- what a test file uses ------------------------------------------------------

/** Makes a key as an operator would: what its client shows, and the row of it for the configuration. */
export function makeKey(name, pepper) {
    const args = ['keys', 'create', '--name', name];
    const made = spawnSync(SLUICE, args, { env: { ...process.env, SLUICE_PEPPER: pepper }, encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    return { key: made.stdout.split('\n')[0], hash: made.stdout.match(/hash: (\S+)/)[1] };
}

/**
 * Engine and Sluice, up and ready. `baseURL` is for clients, `engineURL` goes past Sluice. more: further keys of its
 * configuration, as YAML.
 */
export async function startStack(more = '') {
    const engine = await startEngine();
    let sluice;
    try {
        sluice = direct ? { url: engine.url, stop: async () => {} } : await startSluice(engine.url, more);
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
