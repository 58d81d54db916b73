// SPDX-License-Identifier: MIT
// What a request means to a backend, in a canonical form of its own: nothing here is taken from the service. Two requests
// may have one answer only when their meanings are the same.
import { createHash } from 'node:crypto';
import { member, parse } from './json.js';

// What reaches no model: how the answer is told, and for whom.
const silent = ['model', 'stream', 'stream_options', 'user'];
// Completions and embeddings have no metadata that is documented: there its meaning is unknown.
const silentIn = (path) => new Set(path === '/v1/chat/completions' ? [...silent, 'metadata'] : silent);
// What is shown to the model as it is written.
const shown = new Set(['tools', 'functions', 'response_format']);
// What has a documented meaning, wherever its members stand.
const described = new Set(['messages', 'logit_bias', 'stop', 'temperature', 'max_tokens', 'top_p', 'seed', 'n', 'prompt', 'input',
  'dimensions', 'encoding_format', 'logprobs', 'top_logprobs', 'presence_penalty', 'store']);

const written = (value) => {
  switch (value.type) {
    case 'object': return `{${value.members.map(([name, of]) => `${JSON.stringify(name)}:${written(of)}`).join()}}`;
    case 'array': return `[${value.items.map(written).join()}]`;
    case 'string': return JSON.stringify(value.value);
    case 'number': return value.text;
    default: return value.type;
  }
};

// Integers are exact, whatever their size; all others are doubles.
const number = (text) => (/^-?[0-9]+$/.test(text) ? BigInt(text).toString() : Number.isInteger(Number(text)) && Math.abs(Number(text)) <= 2 ** 53 ? BigInt(Number(text)).toString() : String(Number(text)));

const meant = (value) => {
  switch (value.type) {
    case 'object': return `{${value.members.map(([name, of]) => [name, name === 'arguments' ? written(of) : meant(of)]).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, of]) => `${JSON.stringify(name)}:${of}`).join()}}`;
    case 'array': return `[${value.items.map(meant).join()}]`;
    case 'number': return number(value.text);
    default: return written(value);
  }
};

const hash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 20);

// The parts of a request beside its inputs.
const rest = (path, body, without) => body.members
  .filter(([name, value]) => !silentIn(path).has(name) && !without.has(name) && !(described.has(name) && value.type === 'null') && !(shown.has(name) && value.type === 'null'))
  .map(([name, value]) => {
    if (name === 'stop' && value.type === 'string') return [name, meant({ type: 'array', items: [value] })];
    return [name, described.has(name) ? meant(value) : written(value)];
  })
  .sort(([a], [b]) => (a < b ? -1 : 1));

export const meaningOf = (path, body) => hash(JSON.stringify([path, rest(path, body, new Set())]));

// One for each input of embeddings.
const inputsOf = (body) => {
  const input = member(body, 'input');
  return input.type === 'array' && input.items[0]?.type !== 'number' ? input.items : [input];
};

export const meaningsOf = (path, body) => {
  const around = rest(path, body, new Set(['input']));
  return inputsOf(body).map((input) => hash(JSON.stringify([path, around, meant(input)])));
};

// All meanings of a request's text.
export const meaningsIn = (path, text) => {
  const body = parse(text);
  return path === '/v1/embeddings' ? meaningsOf(path, body) : [meaningOf(path, body)];
};
