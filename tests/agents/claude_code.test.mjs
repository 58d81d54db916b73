// SPDX-License-Identifier: MIT
//
// Claude Code, unmodified and without an account, does tasks through Sluice: it speaks Messages, the backend chat
// completions. Its tools read and write real files, so what it hears and says must be right in both directions.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { startBackend } from '../clients/backend.mjs';
import { makeKey, startSluice } from '../node/processes.mjs';

const CLAUDE = join(import.meta.dirname, 'node_modules/@anthropic-ai/claude-code-linux-x64/claude');
const PEPPER = 'a-pepper-of-the-tests-0123456789abcdef';
const { key, hash } = makeKey('claude', PEPPER);

const config = (url) => `
listen: ["127.0.0.1:0"]
admin: off
workers: 1
auth: { pepper: "${PEPPER}" }
keys: { claude: { hash: "${hash}", models: [main, small] } }
backends: { scripted: { url: "${url}/v1" } }
models: { main: scripted/large, small: scripted/small, hidden: scripted/large }
`;

let backend, sluice, folder, script;
before(async () => {
    backend = await startBackend((body) => script(body));
    sluice = await startSluice(config(backend.url));
});
after(async () => {
    await sluice?.stop();
    await backend?.stop();
});
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-claude-'));
    mkdirSync(join(folder, 'home'));
    mkdirSync(join(folder, 'work'));
    backend.asked.length = 0;
});

/** Only what the agent must know: no keys or settings from outside, and nothing that calls home. */
const environment = (more) => ({
    PATH: process.env.PATH,
    HOME: join(folder, 'home'),
    ANTHROPIC_BASE_URL: sluice.url,
    ANTHROPIC_API_KEY: key,
    ANTHROPIC_MODEL: 'main',
    ANTHROPIC_SMALL_FAST_MODEL: 'small',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    CLAUDE_CODE_MAX_RETRIES: '0',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_ERROR_REPORTING: '1',
    DISABLE_TELEMETRY: '1',
    // The proxy refuses: whatever would go past Sluice fails.
    HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1',
    ...more,
});

/** Runs one task. Returns what Claude Code reports of it. */
async function claude(task, { args = [], env = {} } = {}) {
    const child = spawn(CLAUDE, ['-p', task, '--output-format', 'json', '--permission-mode', 'acceptEdits', ...args], {
        cwd: join(folder, 'work'), env: environment(env), stdio: ['ignore', 'pipe', 'pipe'],
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (piece) => { texts[name] += piece; });
    const code = await new Promise((done) => child.on('close', done));
    rmSync(join(folder, 'home'), { recursive: true });
    try {
        return { code, ...JSON.parse(texts.stdout) };
    } catch {
        assert.fail(`no report; status ${code}\n${texts.stdout}\n${texts.stderr}`);
    }
}

const work = (name) => join(folder, 'work', name);

/** What tools said so far, by the id of the call. */
const results = (body) => Object.fromEntries(body.messages.filter((message) => message.role === 'tool').map((message) => [message.tool_call_id, message.content]));

describe('Claude Code', () => {
    test('reads two files at once and writes a third', async () => {
        writeFileSync(work('left.txt'), 'the left number is 4711\n');
        writeFileSync(work('right.txt'), 'the right number is 815 \u{1f642}\n');
        script = (body) => {
            const heard = results(body);
            if ('call_w' in heard) return { text: 'Both numbers are in both.txt.' };
            if (!('call_l' in heard))
                return {
                    text: 'I read both files.', calls: [
                        { id: 'call_l', name: 'Read', arguments: { file_path: work('left.txt') } },
                        { id: 'call_r', name: 'Read', arguments: { file_path: work('right.txt') } },
                    ],
                };
            const numbers = [heard.call_l, heard.call_r].map((text) => text.match(/number is (.*)/)[1]);
            return { calls: [{ id: 'call_w', name: 'Write', arguments: { file_path: work('both.txt'), content: `${numbers.join('/')}"\\\n` } }] };
        };
        const report = await claude('Write the numbers of left.txt and right.txt into both.txt.');
        assert.equal(report.code, 0);
        assert.equal(report.is_error, false);
        assert.equal(report.result, 'Both numbers are in both.txt.');
        assert.equal(readFileSync(work('both.txt'), 'utf8'), '4711/815 \u{1f642}"\\\n');
        assert.equal(report.num_turns, 4);
        assert.deepEqual(report.permission_denials, []);
        assert.equal(report.usage.output_tokens, 3 * 7, 'the usage of all three answers');
        assert.equal(report.usage.input_tokens, 3 * 11);
        assert.ok(backend.asked.every((body) => body.stream && body.model === 'large'));
        assert.ok(backend.asked[0].tools.some((tool) => tool.function.name === 'Read' && tool.function.parameters.properties.file_path));
        assert.match(JSON.stringify(backend.asked[0].messages), /Write the numbers of left\.txt/);
    });

    test('hears that a tool failed', async () => {
        script = (body) => ('call_m' in results(body) ? { text: `Said: ${/does not exist/.test(results(body).call_m)}` } : { calls: [{ id: 'call_m', name: 'Read', arguments: { file_path: work('missing.txt') } }] });
        const report = await claude('Read missing.txt.');
        assert.equal(report.result, 'Said: true');
    });

    test('reports an error of a backend, and one of Sluice', async () => {
        script = () => ({ status: 400, error: { message: 'the backend cannot do that', type: 'invalid_request_error', param: null, code: null } });
        const refused = await claude('Anything.');
        assert.equal(refused.is_error, true);
        assert.equal(refused.api_error_status, 400);
        assert.match(refused.result, /the backend cannot do that/);
        const hidden = await claude('Anything.', { env: { ANTHROPIC_MODEL: 'hidden' } });
        assert.equal(hidden.is_error, true);
        assert.equal(hidden.api_error_status, 403);
        const nobody = await claude('Anything.', { env: { ANTHROPIC_API_KEY: 'sk-nobody' } });
        assert.equal(nobody.is_error, true);
        assert.equal(nobody.api_error_status, 401);
    });
});
