// SPDX-License-Identifier: MIT
// Backends whose answers say what they were asked, which call it was, and who answered: MEANING:CALL:TARGET.
import { createServer } from 'node:http';
import { randomOf, seedOf } from './generate.js';
import { parse, member } from './json.js';
import { meaningOf, meaningsIn, meaningsOf } from './meaning.js';

export const targetNames = ['one', 'two', 'flaky'];

export class Backends {
  constructor(seed) {
    this.seed = seed;
    this.calls = [undefined]; // by number: when it began, and what it was asked
    this.servers = [];
  }

  async add(name, fails) {
    const server = createServer((request, response) => this.serve(name, fails, request, response));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    this.servers.push(server);
    return server.address().port;
  }

  close() {
    for (const server of this.servers) { server.closeAllConnections(); server.close(); }
  }

  async serve(name, fails, request, response) {
    const began = performance.now();
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body = parse(text);
    const id = request.headers['x-request-id'] ?? '', tenant = id.split('-')[0];
    const call = this.calls.push({ began, tenant }) - 1;
    const path = request.url;
    const random = randomOf(seedOf(this.seed, id, name));
    const failure = random() < fails ? random() : undefined;
    this.history?.note('call', began, meaningsIn(path, text), { call, name, id });
    await new Promise((done) => setTimeout(done, random() * (random() < 0.03 ? 300 : 12))); // some outlive many others
    response.on('error', () => {});
    if (member(body, 'user')?.value === 'refused') return this.tell(response, 400, { error: { message: 'no such user', type: 'invalid_request_error', param: 'user', code: null } });
    if (failure !== undefined && failure < 0.5) return this.tell(response, 503, { error: { message: 'busy', type: 'server_error', param: null, code: null } });
    if (path === '/v1/embeddings') return this.embed(response, meaningsOf(path, body), call, name);
    // the answers that are to agree, or to be joined, do not say which call they are
    const same = member(body, 'model').value === 'same';
    return this.complete(response, path, body, `${meaningOf(path, body)}:${same ? '0:any' : `${call}:${name}`}`, failure);
  }

  tell(response, status, body) {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  // A vector is the meaning of its input, in numbers, then call and target.
  embed(response, meanings, call, name) {
    const data = meanings.map((meaning, index) => ({
      object: 'embedding', index, embedding: [...meaning].map((digit) => parseInt(digit, 16)).concat(call, targetNames.indexOf(name)),
    }));
    this.tell(response, 200, { object: 'list', data, model: name, usage: { prompt_tokens: meanings.length, total_tokens: meanings.length } });
  }

  complete(response, path, body, says, failure) {
    const chat = path === '/v1/chat/completions';
    const finish = parseInt(says.slice(0, 2), 16) % 4 === 0 ? 'length' : 'stop';
    const id = `id-${says}`;
    const pieces = says.match(/.{1,9}/g);
    const wanted = member(body, 'logprobs'), told = wanted !== undefined && wanted.type !== 'null' && wanted.type !== 'false';
    const logprobs = (tokens) => {
      if (!told) return null;
      if (chat) return { content: tokens.map((token) => ({ token, logprob: -1, top_logprobs: [] })), refusal: null };
      return { tokens, token_logprobs: tokens.map(() => -1.5), top_logprobs: null };
    };
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    if (member(body, 'stream')?.type !== 'true') {
      const choice = chat ? { index: 0, message: { role: 'assistant', content: says }, logprobs: logprobs(pieces), finish_reason: finish } : { index: 0, text: says, logprobs: logprobs(pieces), finish_reason: finish };
      this.tell(response, 200, { id, object: 'x', created: 1, model: 'x', choices: [choice], usage });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = (piece, reason) => {
      const choice = chat ? { index: 0, delta: piece === undefined ? {} : { role: 'assistant', content: piece }, finish_reason: reason } : { index: 0, text: piece ?? '', finish_reason: reason };
      choice.logprobs = piece === undefined ? null : logprobs([piece]);
      response.write(`data: ${JSON.stringify({ id, object: 'x', created: 1, model: 'x', choices: [choice] })}\n\n`);
    };
    const broken = failure !== undefined ? Math.floor(failure * pieces.length) : -1;
    for (const [index, piece] of pieces.entries()) {
      if (index === broken) return response.destroy();
      chunk(piece, null);
    }
    chunk(undefined, finish);
    if (member(body, 'stream_options') !== undefined) response.write(`data: ${JSON.stringify({ id, object: 'x', created: 1, model: 'x', choices: [], usage })}\n\n`);
    response.end('data: [DONE]\n\n');
  }
}
