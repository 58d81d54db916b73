// SPDX-License-Identifier: MIT
//
// A backend of Anthropic's dialect that says what a test has it say, in streams only: agents stream. It runs in the
// test's own process and keeps what it was asked. The answers are those of ../clients/backend.mjs.

import { createServer } from 'node:http';
import { once } from 'node:events';

const pieces = (text, length) => text.match(new RegExp(`[^]{1,${length}}`, 'gu')) ?? [];

/** The events of an answer: {text, calls: [{id, name, arguments}]}. */
function* eventsOf(answer, model) {
    const calls = answer.calls ?? [];
    yield {
        type: 'message_start',
        message: {
            id: 'msg_scripted', type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null,
            usage: { input_tokens: 11, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 },
        },
    };
    yield { type: 'ping' };
    let index = 0;
    if (answer.text) {
        yield { type: 'content_block_start', index, content_block: { type: 'text', text: '' } };
        for (const text of pieces(answer.text, 5)) yield { type: 'content_block_delta', index, delta: { type: 'text_delta', text } };
        yield { type: 'content_block_stop', index: index++ };
    }
    for (const call of calls) {
        yield { type: 'content_block_start', index, content_block: { type: 'tool_use', id: call.id, name: call.name, input: {} } };
        for (const partial_json of pieces(JSON.stringify(call.arguments), 9))
            yield { type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json } };
        yield { type: 'content_block_stop', index: index++ };
    }
    yield { type: 'message_delta', delta: { stop_reason: calls.length > 0 ? 'tool_use' : 'end_turn', stop_sequence: null }, usage: { output_tokens: 7 } };
    yield { type: 'message_stop' };
}

/** Starts one. reply: makes an answer of a request's body. `asked` has the bodies, `url` ends before /messages. */
export async function startAnthropicBackend(reply) {
    const backend = { asked: [] };
    const server = createServer(async (request, response) => {
        let text = '';
        for await (const piece of request.setEncoding('utf8')) text += piece;
        const body = text === '' ? {} : JSON.parse(text);
        if (request.method !== 'POST' || request.url !== '/v1/messages' || !body.stream) {
            response.writeHead(404, { 'content-type': 'application/json' });
            response.end('{"type":"error","error":{"type":"not_found_error","message":"not here"}}');
            return;
        }
        backend.asked.push(body);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const event of eventsOf(reply(body), body.model)) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
        response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    backend.url = `http://127.0.0.1:${server.address().port}/v1`;
    backend.stop = async () => {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
    };
    return backend;
}
