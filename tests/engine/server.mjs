// SPDX-License-Identifier: MIT
//
// A minimal OpenAI-compatible server around engine.mjs: what a small self-hosted
// engine looks like from the outside. When a client leaves, generation stops, and
// GET /engine/stats tells so. Beyond OpenAI's fields it reads `pace_ms` (a pause
// after each token), so that a test can leave in the middle for certain.
//
//   node server.mjs --model FILE.gguf [--port N] [--until-eof]
//
// Port 0, the default, takes a free one. Ends on SIGTERM; with --until-eof also when
// its standard input closes, so that it never outlives the test that started it.

import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { openEngine } from './engine.mjs';

const MODEL = { id: 'tiny', object: 'model', created: 1700000000, owned_by: 'sluice-tests' };

// ---- errors -------------------------------------------------------------------

class ApiError extends Error {
    constructor(status, message, param = null, code = null) {
        super(message);
        this.status = status;
        this.body = { error: { message, type: 'invalid_request_error', param, code } };
    }
}

function check(condition, message, param) {
    if (!condition) throw new ApiError(400, message, param);
}

// ---- what was seen: GET /engine/stats --------------------------------------------

/**
 * The last generations. `raw` is the body as it came, `text` what was generated so
 * far; `end` is null while it runs, then completed, left (by the client) or failed.
 */
const seen = [];

function record(path, body, raw, request) {
    const entry = {
        path, raw, headers: request.headers, user: body.user ?? null, stream: body.stream === true,
        max_tokens: null, tokens: 0, text: '', end: null,
    };
    seen.push(entry);
    if (seen.length > 100) seen.shift();
    return entry;
}

function stats() {
    const count = (end) => seen.filter((entry) => entry.end === end).length;
    return { running: count(null), completed: count('completed'), left: count('left'), failed: count('failed'), requests: seen };
}

// ---- requests -----------------------------------------------------------------

async function readJson(request) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks).toString('utf8');
    try {
        return { raw, body: JSON.parse(raw) };
    } catch {
        throw new ApiError(400, 'The body is not valid JSON.');
    }
}

function checkModel(name) {
    check(typeof name === 'string', 'model must be a string.', 'model');
    if (name !== MODEL.id) throw new ApiError(404, `The model '${name}' does not exist.`, 'model', 'model_not_found');
}

/** The content of a message as text: a string, or an array of text parts. */
function contentText(content) {
    if (Array.isArray(content)) return content.map((part) => part.text ?? '').join('');
    return content ?? '';
}

function chatPrompt(messages) {
    check(Array.isArray(messages) && messages.length > 0, 'messages must be a non-empty array.', 'messages');
    messages.forEach((message, i) =>
        check(typeof message?.role === 'string', 'role must be a string.', `messages[${i}].role`));
    return messages.map(({ role, content }) => `${role}: ${contentText(content)}\n`).join('') + 'assistant:';
}

function completionPrompt(prompt) {
    const text = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt;
    check(typeof text === 'string', 'prompt must be a string.', 'prompt');
    return text;
}

/** The options engine.generate() wants, from an OpenAI body. */
function generation(engine, body, prompt) {
    for (const name of ['temperature', 'max_tokens', 'max_completion_tokens'])
        check(body[name] == null || body[name] >= 0, `${name} must be a number, 0 or more.`, name);
    const tokens = engine.tokenize(prompt);
    const room = engine.contextTokens - tokens.length - 1;
    if (room < 1) throw new ApiError(400, 'The prompt does not fit the context.', null, 'context_length_exceeded');
    return {
        tokens,
        maxTokens: Math.min(body.max_completion_tokens ?? body.max_tokens ?? 64, room),
        temperature: body.temperature ?? 0,
        seed: body.seed ?? 1,
        stop: [body.stop ?? []].flat(),
        paceMs: body.pace_ms ?? 0,
    };
}

// ---- answers ------------------------------------------------------------------

/** How chat and legacy completions differ; everything else is the same. */
const CHAT = {
    id: 'chatcmpl', object: 'chat.completion', chunk: 'chat.completion.chunk',
    prompt: (body) => chatPrompt(body.messages),
    whole: (content) => ({ message: { role: 'assistant', content, refusal: null } }),
    first: { delta: { role: 'assistant', content: '' } },
    piece: (content) => ({ delta: { content } }),
    last: { delta: {} },
};
const COMPLETION = {
    id: 'cmpl', object: 'text_completion', chunk: 'text_completion',
    prompt: (body) => completionPrompt(body.prompt),
    whole: (text) => ({ text }),
    first: null,
    piece: (text) => ({ text }),
    last: { text: '' },
};

function sendJson(response, status, value) {
    const text = JSON.stringify(value);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
}

/** Runs the generation, calls onText with each piece; returns how it ended and usage. */
async function run(engine, options, entry, signal, onText) {
    const pieces = engine.generate(options.tokens, { ...options, signal });
    for (;;) {
        const { done, value } = await pieces.next();
        if (done) {
            const prompt_tokens = options.tokens.length, completion_tokens = entry.tokens;
            return { finish: value, usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } };
        }
        entry.tokens = value.tokens;
        entry.text += value.text;
        if (value.text) await onText(value.text);
    }
}

let serial = 0;

async function complete(engine, form, path, request, response) {
    const { raw, body } = await readJson(request);
    checkModel(body.model);
    check((body.n ?? 1) === 1, 'This engine gives one choice.', 'n');
    const options = generation(engine, body, form.prompt(body));
    const entry = record(path, body, raw, request);
    entry.max_tokens = options.maxTokens;
    const head = { id: `${form.id}-${++serial}`, created: Math.floor(Date.now() / 1000), model: body.model };

    // The client has left when the response closes before it was ended.
    const gone = new AbortController();
    response.on('close', () => { if (!response.writableEnded) gone.abort(); });
    try {
        const answer = body.stream ? streamAnswer : wholeAnswer;
        await answer(engine, form, head, body, options, entry, gone.signal, response);
        entry.end = gone.signal.aborted ? 'left' : 'completed';
    } catch (error) {
        entry.end = 'failed';
        throw error;
    }
}

async function wholeAnswer(engine, form, head, body, options, entry, signal, response) {
    const { finish, usage } = await run(engine, options, entry, signal, () => {});
    if (signal.aborted) return;
    const choices = [{ index: 0, ...form.whole(entry.text), logprobs: null, finish_reason: finish }];
    sendJson(response, 200, { ...head, object: form.object, choices, usage });
}

async function streamAnswer(engine, form, head, body, options, entry, signal, response) {
    const wantsUsage = body.stream_options?.include_usage === true;
    const send = async (choice, finish = null) => {
        const choices = [{ index: 0, ...choice, logprobs: null, finish_reason: finish }];
        await event({ ...head, object: form.chunk, choices, ...(wantsUsage && { usage: null }) });
    };
    const event = async (value) => {
        if (signal.aborted || response.write(`data: ${JSON.stringify(value)}\n\n`)) return;
        await new Promise((resolve) => { response.once('drain', resolve); response.once('close', resolve); });
    };

    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    if (form.first) await send(form.first);
    const { finish, usage } = await run(engine, options, entry, signal, (text) => send(form.piece(text)));
    await send(form.last, finish);
    if (wantsUsage) await event({ ...head, object: form.chunk, choices: [], usage });
    if (!signal.aborted) response.end('data: [DONE]\n\n');
}

async function embeddings(engine, request, response) {
    const { body } = await readJson(request);
    checkModel(body.model);
    const inputs = [body.input].flat();
    check(inputs.length > 0 && inputs.every((text) => typeof text === 'string'), 'input must be text.', 'input');
    const data = [];
    let prompt_tokens = 0;
    for (const [index, text] of inputs.entries()) {
        const vector = await engine.embed(text);
        prompt_tokens += engine.tokenize(text).length;
        const base64 = () => Buffer.from(Float32Array.from(vector).buffer).toString('base64');
        data.push({ object: 'embedding', index, embedding: body.encoding_format === 'base64' ? base64() : vector });
    }
    sendJson(response, 200, { object: 'list', model: body.model, data, usage: { prompt_tokens, total_tokens: prompt_tokens } });
}

// ---- routes -------------------------------------------------------------------

async function route(engine, request, response) {
    const path = request.url.split('?')[0];
    switch (`${request.method} ${path}`) {
    case 'GET /health': return sendJson(response, 200, { status: 'ok' });
    case 'GET /engine/stats': return sendJson(response, 200, stats());
    case 'GET /v1/models': return sendJson(response, 200, { object: 'list', data: [MODEL] });
    case 'POST /v1/chat/completions': return complete(engine, CHAT, path, request, response);
    case 'POST /v1/completions': return complete(engine, COMPLETION, path, request, response);
    case 'POST /v1/embeddings': return embeddings(engine, request, response);
    }
    if (request.method === 'GET' && path.startsWith('/v1/models/')) {
        checkModel(decodeURIComponent(path.slice('/v1/models/'.length)));
        return sendJson(response, 200, MODEL);
    }
    throw new ApiError(404, `There is no ${request.method} ${path}.`);
}

function onError(error, response) {
    if (!(error instanceof ApiError)) console.error(error);
    if (response.headersSent) return response.destroy(); // a broken stream must look broken
    const body = error.body ?? { error: { message: String(error), type: 'server_error', param: null, code: null } };
    sendJson(response, error.status ?? 500, body);
}

const { values } = parseArgs({
    options: { model: { type: 'string' }, port: { type: 'string', default: '0' }, 'until-eof': { type: 'boolean' } },
});
if (!values.model) {
    console.error('usage: node server.mjs --model FILE.gguf [--port N] [--until-eof]');
    process.exit(2);
}
const engine = await openEngine(values.model);
const server = createServer((request, response) => {
    route(engine, request, response).catch((error) => onError(error, response));
});
server.keepAliveTimeout = 120_000; // longer than a gateway keeps an idle connection
server.listen(Number(values.port), '127.0.0.1', () =>
    console.log(`engine listening on 127.0.0.1:${server.address().port}`));

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
if (values['until-eof']) process.stdin.on('close', () => process.exit(0)).resume();
