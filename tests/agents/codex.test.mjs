// SPDX-License-Identifier: MIT
//
// Codex, unmodified and without an account, does tasks through Sluice: it speaks Responses, the backends chat completions
// or Messages. Its tools read and write real files, so requests and answers must be right in both directions.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { startBackend } from '../clients/backend.mjs';
import { makeKey, startSluice } from '../node/processes.mjs';
import { startAnthropicBackend } from './anthropic_backend.mjs';

const CODEX = join(import.meta.dirname, 'node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex');
const PEPPER = 'a-pepper-of-the-tests-0123456789abcdef';
const { key, hash } = makeKey('codex', PEPPER);

// gpt-5.5 is a model whose tools Codex knows: it gets apply_patch, a custom tool.
const config = (chat, messages) => `
listen: ["127.0.0.1:0"]
admin: off
workers: 1
auth: { pepper: "${PEPPER}" }
keys: { codex: { hash: "${hash}", models: [main, claude, gpt-5.5] } }
backends:
  scripted: { url: "${chat}/v1" }
  anthropic: { url: "${messages}", dialect: anthropic }
models: { main: scripted/large, gpt-5.5: scripted/large, claude: anthropic/claude-large, hidden: scripted/large }
`;

/** Codex runs the script's commands without a sandbox of its own; websockets: whether it tries that transport first. */
const settings = (model, websockets) => `
model = "${model}"
model_provider = "sluice"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
analytics = { enabled = false }
feedback = { enabled = false }
otel = { exporter = "none" }

[model_providers.sluice]
name = "Sluice"
base_url = "${sluice.url}/v1"
env_key = "SLUICE_KEY"
wire_api = "responses"
supports_websockets = ${websockets}
request_max_retries = 0
stream_max_retries = 0
`;

let chat, messages, sluice, folder, script;
before(async () => {
    chat = await startBackend((body) => script(body));
    messages = await startAnthropicBackend((body) => script(body));
    sluice = await startSluice(config(chat.url, messages.url));
});
after(async () => {
    await sluice?.stop();
    await chat?.stop();
    await messages?.stop();
});
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-codex-'));
    mkdirSync(join(folder, 'work'));
    chat.asked.length = messages.asked.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Only what the agent must know: no keys or settings from outside; the proxy refuses whatever would go past Sluice. */
const environment = (secret) => ({
    PATH: process.env.PATH,
    HOME: join(folder, 'home'),
    SLUICE_KEY: secret,
    HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1',
});

/** Runs one task. Returns the status of Codex, its events, and what it said last. */
async function codex(task, { model = 'main', secret = key, websockets = false } = {}) {
    mkdirSync(join(folder, 'home/.codex'), { recursive: true });
    writeFileSync(join(folder, 'home/.codex/config.toml'), settings(model, websockets));
    const child = spawn(CODEX, ['exec', '--skip-git-repo-check', '--strict-config', '--json', task], {
        cwd: join(folder, 'work'), env: environment(secret), stdio: ['ignore', 'pipe', 'pipe'],
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (piece) => { texts[name] += piece; });
    const code = await new Promise((done) => child.on('close', done));
    const events = texts.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const said = events.filter((event) => event.item?.type === 'agent_message').map((event) => event.item.text);
    return { code, events, said, story: `status ${code}\n${texts.stdout}\n${texts.stderr}` };
}

const completed = (report) => report.events.find((event) => event.type === 'turn.completed');
const failure = (report) => report.events.find((event) => event.type === 'turn.failed')?.error.message;
const work = (name) => join(folder, 'work', name);

/** What tools said so far, by the id of the call, as a chat or a message returns it. */
function results(body) {
    const blocks = body.messages.flatMap((message) => (Array.isArray(message.content) ? message.content : []));
    const textOf = (content) => (typeof content === 'string' ? content : content.map((part) => part.text).join(''));
    return Object.fromEntries([
        ...body.messages.filter((message) => message.role === 'tool').map((message) => [message.tool_call_id, textOf(message.content)]),
        ...blocks.filter((block) => block.type === 'tool_result').map((block) => [block.tool_use_id, textOf(block.content)]),
    ]);
}

const run = (id, cmd) => ({ id, name: 'exec_command', arguments: { cmd } });

/** Reads two files in parallel calls and writes a third from what it heard. */
function merge(body) {
    const heard = results(body);
    if ('call_w' in heard) return { text: 'Both numbers are in both.txt.' };
    if (!('call_l' in heard)) return { text: 'I read both files.', calls: [run('call_l', 'cat left.txt'), run('call_r', 'cat right.txt')] };
    const numbers = [heard.call_l, heard.call_r].map((text) => text.match(/number is (.*)/)[1]);
    return { calls: [run('call_w', `printf '%s"\\\\\\n' '${numbers.join('/')}' > both.txt`)] };
}

async function mergesTwoFiles(options) {
    writeFileSync(work('left.txt'), 'the left number is 4711\n');
    writeFileSync(work('right.txt'), 'the right number is 815 \u{1f642}\n');
    script = merge;
    const report = await codex('Write the numbers of left.txt and right.txt into both.txt.', options);
    assert.equal(report.code, 0, report.story);
    assert.deepEqual(report.said, ['I read both files.', 'Both numbers are in both.txt.'], report.story);
    assert.equal(readFileSync(work('both.txt'), 'utf8'), '4711/815 \u{1f642}"\\\n');
    assert.equal(completed(report).usage.input_tokens, 3 * 11, 'the usage of all three answers');
    assert.equal(completed(report).usage.output_tokens, 3 * 7);
    return report;
}

describe('Codex', () => {
    test('reads two files at once and writes a third, with a backend of chat completions', async () => {
        await mergesTwoFiles();
        assert.ok(chat.asked.every((body) => body.stream && body.model === 'large'));
        const tool = chat.asked[0].tools.find((each) => each.function.name === 'exec_command');
        assert.equal(tool.function.parameters.properties.cmd.type, 'string');
        assert.match(JSON.stringify(chat.asked[0].messages), /Write the numbers of left\.txt/);
    });

    test('does the same with a backend of Anthropic’s dialect', async () => {
        await mergesTwoFiles({ model: 'claude' });
        assert.equal(messages.asked.length, 3);
        assert.ok(messages.asked.every((body) => body.model === 'claude-large'));
        assert.ok(messages.asked[0].tools.some((tool) => tool.name === 'exec_command' && tool.input_schema.properties.cmd));
        const last = messages.asked[1].messages.at(-1);
        assert.deepEqual(last.content.map((block) => block.tool_use_id), ['call_l', 'call_r'], 'both results in one message');
    });

    test('tries WebSocket first, is refused, and goes on with server-sent events', async () => {
        const refused = sluice.line((line) => line.includes('"error":"upgrade_not_supported"'));
        await mergesTwoFiles({ websockets: true });
        await refused;
    });

    test('applies a patch, which is the input of a custom tool', async () => {
        const patch = '*** Begin Patch\n*** Add File: new.txt\n+one "line"\n+and \\ another\n*** End Patch\n';
        script = (body) => ('call_p' in results(body) ? { text: 'Patched.' } : { calls: [{ id: 'call_p', name: 'apply_patch', arguments: { input: patch } }] });
        const report = await codex('Make new.txt.', { model: 'gpt-5.5' });
        assert.equal(report.code, 0, report.story);
        assert.deepEqual(report.said, ['Patched.'], report.story);
        assert.equal(readFileSync(work('new.txt'), 'utf8'), 'one "line"\nand \\ another\n');
    });

    test('reports an error of a backend, and one of Sluice', async () => {
        script = () => ({ status: 400, error: { message: 'the backend cannot do that', type: 'invalid_request_error', param: null, code: null } });
        const refused = await codex('Anything.');
        assert.equal(refused.code, 1);
        assert.match(failure(refused), /the backend cannot do that/);
        const hidden = await codex('Anything.', { model: 'hidden' });
        assert.match(failure(hidden), /may not use the model/);
        const nobody = await codex('Anything.', { secret: 'sk-nobody' });
        assert.match(failure(nobody), /401/);
    });
});
