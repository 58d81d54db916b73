// SPDX-License-Identifier: MIT
//
// Programs that tests in JavaScript start, a Sluice among them: on free loopback ports, and stopped for certain.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export const ROOT = resolve(import.meta.dirname, '../..');
export const SLUICE = process.env.SLUICE_BIN || join(ROOT, 'build/sluice');
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
export function start(name, command, args) {
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

// ---- Sluice ----------------------------------------------------------------------

/** The address in a JSON log line that says that Sluice listens. */
function listeningAddress(line) {
    try {
        const entry = JSON.parse(line);
        return entry.msg === 'listening' && entry.address;
    } catch {
        return null;
    }
}

/** Starts one with that configuration, and waits until it is ready. `line`, as of start(), waits for a line of its log. */
export async function startSluice(config) {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-tests-'));
    const file = join(folder, 'sluice.yaml');
    writeFileSync(file, config);
    const sluice = start('sluice', SLUICE, ['--config', file]);
    const stop = () => sluice.stop().finally(() => rmSync(folder, { recursive: true }));
    try {
        const url = `http://${await sluice.line(listeningAddress)}`;
        await eventually('GET /readyz answers 200', () => fetch(`${url}/readyz`).then((r) => r.status === 200, () => false));
        return { url, stop, line: sluice.line };
    } catch (error) {
        await stop().catch(() => {}); // the first error tells more
        throw error;
    }
}

/** Makes a key as an operator would: what its client shows, and the row of it for the configuration. */
export function makeKey(name, pepper) {
    const args = ['keys', 'create', '--name', name];
    const made = spawnSync(SLUICE, args, { env: { ...process.env, SLUICE_PEPPER: pepper }, encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    return { key: made.stdout.split('\n')[0], hash: made.stdout.match(/hash: (\S+)/)[1] };
}
