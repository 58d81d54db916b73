// SPDX-License-Identifier: MIT
//
// A backend that speaks chat completions and says what a test has it say. It runs in the test's own process, keeps what
// it was asked, and notices when a client leaves.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** A piece of about that many characters for each event. */
const piecesOf = (text, length = 5) => text.match(new RegExp(`[^]{1,${length}}`, 'gu')) ?? [];

const callsOf = (answer) =>
    (answer.calls ?? []).map((call, index) => ({
        index,
        id: call.id ?? `call_${index + 1}`,
        type: 'function',
        function: { name: call.name, arguments: JSON.stringify(call.arguments ?? {}) },
    }));

const finishOf = (answer) => answer.finish ?? (answer.calls?.length ? 'tool_calls' : 'stop');

function wholeOf(answer, model) {
    const calls = callsOf(answer).map(({ index, ...call }) => call);
    const message = { role: 'assistant', content: answer.text ?? null };
    if (calls.length > 0) message.tool_calls = calls;
    return {
        id: 'chatcmpl-scripted', object: 'chat.completion', created: 1790000000, model,
        choices: [{ index: 0, message, finish_reason: finishOf(answer) }], usage: USAGE,
    };
}

/** The deltas of an answer: the role, the text, each call with its arguments in pieces. */
function* deltasOf(answer) {
    yield { role: 'assistant', content: '' };
    for (const piece of piecesOf(answer.text ?? '')) yield { content: piece };
    for (const { index, id, type, function: { name, arguments: text } } of callsOf(answer)) {
        yield { tool_calls: [{ index, id, type, function: { name, arguments: '' } }] };
        for (const piece of piecesOf(text, 9)) yield { tool_calls: [{ index, function: { arguments: piece } }] };
    }
}

async function sendStream(response, answer, body) {
    const chunk = (delta, finish_reason = null) => ({
        id: 'chatcmpl-scripted', object: 'chat.completion.chunk', created: 1790000000, model: body.model,
        choices: [{ index: 0, delta, finish_reason }],
    });
    const send = (data) => response.write(`data: ${JSON.stringify(data)}\n\n`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const delta of deltasOf(answer)) {
        if (response.destroyed) return;
        send(chunk(delta));
        if (answer.paceMs) await sleep(answer.paceMs);
    }
    send(chunk({}, finishOf(answer)));
    if (body.stream_options?.include_usage) send({ ...chunk({}), choices: [], usage: USAGE });
    response.end('data: [DONE]\n\n');
}

function sendJson(response, status, body) {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
}

/**
 * Starts one. reply: makes of a request's body what is said: {text, calls: [{id, name, arguments}], finish, paceMs}, or
 * {status, error}. `asked` has the bodies, `left` how many clients left before their answer was complete.
 */
export async function startBackend(reply) {
    const backend = { asked: [], left: 0 };
    const server = createServer(async (request, response) => {
        let text = '';
        response.on('close', () => { if (!response.writableFinished) backend.left++; });
        for await (const piece of request.setEncoding('utf8')) text += piece;
        if (request.url === '/left') return sendJson(response, 200, backend.left); // for clients of other processes
        if (request.method !== 'POST' || !request.url.endsWith('/chat/completions'))
            return sendJson(response, 404, { error: { message: 'not here', type: 'invalid_request_error', param: null, code: null } });
        const body = JSON.parse(text);
        backend.asked.push(body);
        const answer = reply(body);
        if (answer.status) return sendJson(response, answer.status, { error: answer.error });
        return body.stream ? sendStream(response, answer, body) : sendJson(response, 200, wholeOf(answer, body.model));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    backend.url = `http://127.0.0.1:${server.address().port}`;
    backend.stop = async () => {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
    };
    return backend;
}
