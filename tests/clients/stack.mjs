// SPDX-License-Identifier: MIT
//
// A Sluice in front of a scripted backend (backend.mjs) that knows the levels of rivers. What it says depends on the
// request alone, so every client library is told the same.

import { z } from 'zod';
import { eventually, startSluice } from '../node/processes.mjs';
import { startBackend } from './backend.mjs';

export const TEXT = 'Rivers flow to the sea: \u00e9, \u65e5\u672c, \u{1f642}.';
/** Of structured answers. */
export const LEVEL = { river: 'Rhine', level: 148 };
export const LEVEL_SCHEMA = z.object({ river: z.string(), level: z.number() });
/** What the tool of the tests takes, and what it does. */
export const RIVER_SCHEMA = z.object({ river: z.string() });
export const getLevel = ({ river }) => `${river}: ${river.length * 10} cm`;
export const USED_TOOL = 'I have Rhine: 50 cm, Elbe: 40 cm';
export const USAGE = { input: 11, output: 7 };
/** In what a client asks. */
export const SLOW = 'slowly', WRONG = 'wrongly', BUSY = 'too often';

/** The text of a message, whether it is a string or parts. */
const textOf = ({ content }) => (typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join(''));

/** The name of the function that must be called; undefined: none must be. */
function forced({ tool_choice: choice, tools }) {
    if (choice === 'required') return tools[0].function.name;
    return choice?.function?.name;
}

function reply(body) {
    const asked = textOf(body.messages.findLast((message) => message.role === 'user'));
    const heard = body.messages.filter((message) => message.role === 'tool').map(textOf);
    const error = (message) => ({ message, type: 'invalid_request_error', param: null, code: null });
    if (asked.includes(WRONG)) return { status: 400, error: error('no river is asked like that') };
    if (asked.includes(BUSY)) return { status: 429, error: error('too many rivers') };
    if (asked.includes(SLOW)) return { text: 'flow '.repeat(2000), paceMs: 20 };
    if (heard.length > 0) return { text: `I have ${heard.join(', ')}` };
    if (forced(body)) return { calls: [{ name: forced(body), arguments: LEVEL }] };
    if (body.response_format?.type === 'json_schema') return { text: JSON.stringify(LEVEL) };
    if (body.tools?.length)
        return { text: 'I look.', calls: ['Rhine', 'Elbe'].map((river) => ({ name: body.tools[0].function.name, arguments: { river } })) };
    return { text: TEXT };
}

const config = (url) => `
listen: ["127.0.0.1:0"]
admin: off
workers: 1
keepalive: 5ms # so that every client reads comments before and between events
backends:
  dead: { url: "http://127.0.0.1:1/v1" }
  scripted: { url: "${url}/v1" }
models:
  rivers: { fallback: [dead/small, scripted/large] }
`;

/** Starts both. `url` is Sluice's, `baseURL` the same with /v1. */
export async function startStack() {
    const backend = await startBackend(reply);
    try {
        const sluice = await startSluice(config(backend.url));
        return {
            url: sluice.url,
            backendURL: backend.url,
            baseURL: `${sluice.url}/v1`,
            asked: backend.asked,
            /** Waits until the backend has noticed that one more client left. */
            left: (before) => eventually('the backend notices that its client left', () => backend.left > before),
            leftSoFar: () => backend.left,
            stop: () => sluice.stop().finally(() => backend.stop()),
        };
    } catch (error) {
        await backend.stop();
        throw error;
    }
}
