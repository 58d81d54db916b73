// SPDX-License-Identifier: MIT
// The judge itself: right answers are right, and each kind of wrong one is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Generator, randomOf } from './generate.js';
import { Judge } from './judge.js';
import { meaningsIn } from './meaning.js';
import { models } from './world.js';

const plain = models.find(({ name }) => name === 'plain');
const alias = models.find(({ name }) => name === 'alias');
const hedge = models.find(({ name }) => name === 'hedge');

// Calls of one tenant that began at these times, and what a judge says of answers of theirs.
function court(calls, replicas = [{}, {}]) {
  const judge = new Judge({ calls: [undefined, ...calls.map((began) => ({ began, tenant: 'none' }))] }, replicas);
  const ask = ({ path = '/v1/completions', body = { prompt: 'p' }, started, ended = started + 1, call, target = 'one', finish = 'stop', hit = true, ttl = 60, ...rest }) => {
    const text = JSON.stringify(body), meanings = meaningsIn(path, text);
    const request = { path, text, meanings, started, model: plain, tenant: 'none', control: [], tags: [], form: 'whole', replica: 0, ...rest };
    const choice = { text: `${rest.says ?? meanings[0]}:${call}:${target}`, logprobs: rest.logprobs ?? null, finish_reason: finish };
    const status = hit ? `sluice; hit; ttl=${ttl}` : rest.cacheStatus ?? 'sluice; fwd=request';
    return judge.judge(request, { status: 200, headers: { 'cache-status': status }, body: JSON.stringify({ choices: [choice] }), ended });
  };
  return { judge, ask };
}
const renews = { hit: false, control: ['no-cache'] };

test('an answer of before a renewal is wrong, one of its call or of a later one is right', () => {
  const { ask } = court([10, 20, 30]);
  ask({ call: 1, started: 11 });
  ask({ call: 2, started: 19, ended: 25, ...renews });
  ask({ call: 2, started: 26 });
  ask({ call: 3, started: 31 });
  assert.throws(() => ask({ call: 1, started: 26 }), /9 ms before a renewal/);
});

test('a renewal whose answer was cut short makes what was kept before wrong, too', () => {
  const { ask } = court([10, 20]);
  ask({ call: 2, started: 19, finish: 'length', ...renews });
  assert.throws(() => ask({ call: 1, started: 26 }), /before a renewal/);
});

test('a renewal that a target answered which stood in takes nobody\'s place', () => {
  const { ask } = court([10, 20]);
  ask({ call: 2, started: 19, target: 'two', model: hedge, ...renews });
  ask({ call: 1, started: 26, model: hedge });
});

test('what a model renews is renewed for its aliases', () => {
  const { ask } = court([10, 20]);
  ask({ call: 2, started: 19, ...renews });
  assert.throws(() => ask({ call: 1, started: 26, model: alias }), /before a renewal/);
});

test('a request that is not cached renews nothing', () => {
  const { ask } = court([10, 20]);
  ask({ call: 2, started: 19, outside: true, ...renews });
  ask({ call: 1, started: 26 });
});

test('a completion with metadata is another request than one without, a chat is not', () => {
  const other = { metadata: { a: 'b' } };
  const meaning = (path, body) => meaningsIn(path, JSON.stringify(body))[0];
  assert.notEqual(meaning('/v1/completions', { prompt: 'p', ...other }), meaning('/v1/completions', { prompt: 'p' }));
  assert.equal(meaning('/v1/chat/completions', { messages: [], ...other }), meaning('/v1/chat/completions', { messages: [] }));
});

test('the generator says of completions with members of chats that they are not cached', () => {
  const generator = new Generator(randomOf(7));
  const all = [...Array(2000)].map(() => generator.next(models)).filter(({ path }) => path === '/v1/completions');
  const odd = all.filter(({ text }) => ['metadata', 'response_format', 'tools'].some((name) => name in JSON.parse(text)));
  assert.ok(odd.length > 10);
  assert.ok(odd.every(({ outside }) => outside));
});

test('a purge is known where it was made at once, and elsewhere after a while, by every name of its plan', () => {
  const { judge, ask } = court([10]);
  judge.purged(0, 20, 25, alias);
  assert.throws(() => ask({ call: 1, started: 26 }), /before a renewal or a purge/);
  ask({ call: 1, started: 26, replica: 1 });
  assert.throws(() => ask({ call: 1, started: 6000, replica: 1 }), /before a renewal or a purge/);
  ask({ call: 1, started: 6000, model: hedge });
});

test('an answer to another request, to somebody else or of another target is wrong', () => {
  const { ask } = court([10]);
  assert.throws(() => ask({ call: 1, started: 11, says: 'f'.repeat(20) }), /another request/);
  assert.throws(() => ask({ call: 1, started: 11, tenant: 'one' }), /the answer of none for one/);
  assert.throws(() => ask({ call: 1, started: 11, target: 'two' }), /the answer of two/);
  assert.throws(() => ask({ call: 1, started: 11, target: 'two', model: hedge }), /which stood in/);
});

test('an answer that was cut short is kept only where the rules of its model say so', () => {
  const { ask } = court([10], [{ any: true, strict: 'alias' }, {}]);
  ask({ call: 1, started: 11, finish: 'length' });
  assert.throws(() => ask({ call: 1, started: 11, finish: 'length', model: alias }), /ended with length/);
  assert.throws(() => ask({ call: 1, started: 11, finish: 'length', replica: 1 }), /ended with length/);
});

test('an answer has the log probabilities of its text when they were asked for, and only then', () => {
  const { ask } = court([10]);
  const logprobs = (tokens) => ({ tokens });
  const body = { prompt: 'p', logprobs: 2 }, says = meaningsIn('/v1/completions', JSON.stringify(body))[0];
  ask({ call: 1, started: 11, body, logprobs: logprobs([says, ':1', ':one']) });
  assert.throws(() => ask({ call: 1, started: 11, body, logprobs: logprobs([says, ':1']) }), /log probabilities/);
  assert.throws(() => ask({ call: 1, started: 11, body }), /log probabilities/);
  assert.throws(() => ask({ call: 1, started: 11, logprobs: logprobs([says]) }), /log probabilities/);
});

test('an answer is wrong when it is older than the replica that gives it allows', () => {
  const { ask } = court([10], [{ ttl: () => 2000 }]);
  ask({ call: 1, started: 2000 });
  assert.throws(() => ask({ call: 1, started: 4000 }), /3990 ms old/);
  assert.throws(() => ask({ call: 1, started: 11, ttl: -1 }), /stale/);
});

test('a request that nothing speaks against must not pass the cache by', () => {
  const { ask } = court([10]);
  assert.throws(() => ask({ call: 1, started: 5, hit: false, cacheStatus: 'sluice; fwd=bypass' }), /passed by/);
});
