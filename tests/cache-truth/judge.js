// SPDX-License-Identifier: MIT
// Whether an answer is what a backend would have said to the request that received it: to nothing else, to nobody else,
// and not to a call from before a renewal or a purge.
import { targetNames } from './backend.js';
import { member, parse } from './json.js';

const GRACE_MS = 5000; // replicas hear of each other within a second; machines are slow at times

// What an answer says: { says: [{ meaning, call, target }], finish } or undefined when it broke off.
function read(request, answer) {
  if (request.path === '/v1/embeddings') {
    const items = JSON.parse(answer.body).data;
    if (!items.every((item, index) => item.index === index)) throw new Error('vectors are not in order');
    return { says: items.map(({ embedding }) => ({ meaning: embedding.slice(0, -2).map((digit) => digit.toString(16)).join(''), call: embedding.at(-2), target: targetNames[embedding.at(-1)] })) };
  }
  let text = '', finish, tokens;
  const note = (choice) => {
    const all = choice?.logprobs?.content?.map(({ token }) => token) ?? choice?.logprobs?.tokens;
    if (all !== undefined) tokens = (tokens ?? '') + all.join('');
  };
  if (request.stream) {
    const events = answer.body.split('\n\n').filter((event) => event.startsWith('data: ')).map((event) => event.slice(6));
    if (events.at(-1) !== '[DONE]') return undefined;
    for (const event of events.slice(0, -1)) {
      const [choice] = JSON.parse(event).choices;
      text += choice?.delta?.content ?? choice?.text ?? '';
      finish = choice?.finish_reason ?? finish;
      note(choice);
    }
  } else {
    const [choice] = JSON.parse(answer.body).choices;
    text = choice.message?.content ?? choice.text;
    finish = choice.finish_reason;
    note(choice);
  }
  const wanted = member(parse(request.text), 'logprobs'), told = wanted !== undefined && !['null', 'false'].includes(wanted.type);
  if (tokens !== (told ? text : undefined)) throw new Error(`log probabilities of ${tokens}, the text is ${text}`);
  const [meaning, call, target] = text.split(':');
  return { says: [{ meaning, call: Number(call), target }], finish };
}

export class Judge {
  // forgetful: replicas may never hear of each other, since Redis dies; each one's own renewals and purges count all the same.
  constructor(backends, replicas, forgetful = false) {
    this.grace = forgetful ? Infinity : GRACE_MS;
    this.backends = backends;
    this.replicas = replicas;
    this.renewals = new Map(); // by tenant, plan and meaning: aliases are one
    this.purges = [];
    this.tags = new Map();
    this.counts = {};
  }

  count(what) { this.counts[what] = (this.counts[what] ?? 0) + 1; }

  // Since when the call must have begun.
  since(request, meaning) {
    const known = (event) => event.done + (event.replica === request.replica ? 0 : this.grace) <= request.started;
    const events = [...(this.renewals.get(`${request.tenant} ${request.model.plan} ${meaning}`) ?? []),
      ...this.purges.filter((purge) => purge.model === undefined || purge.model.plan === request.model.plan)];
    return Math.max(0, ...events.filter(known).map((event) => event.since));
  }

  // Throws when the answer is wrong.
  judge(request, answer) {
    const wants = (word) => request.control.some((directive) => directive === word);
    const status = answer.headers['cache-status'] ?? '';
    const hit = status.startsWith('sluice; hit');
    this.count(`status ${answer.status}`);
    if (answer.status === 400 && request.refused) return;
    if (answer.status === 504 && wants('only-if-cached')) return;
    if ((answer.status === 502 || answer.status === 503) && request.model.fails && !hit) return;
    if (answer.status === 304) {
      const tagged = this.tags.get(answer.headers.etag);
      if (tagged === undefined || !request.tags.includes(answer.headers.etag)) throw new Error('304 for a tag that was not sent');
      this.judgeSays(request, tagged.read, true);
      if (tagged.form !== request.form) throw new Error('304 for an answer in another form');
      return;
    }
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    const what = read(request, answer);
    if (what === undefined) {
      if (!request.model.fails) throw new Error('the stream broke off');
      return;
    }
    this.count(hit ? 'hit' : status.includes('collapsed') ? 'collapsed' : status.includes('fwd=') ? status.split('fwd=')[1].split(';')[0] : 'none');
    this.judgeSays(request, what, hit);
    if (status.includes('fwd=bypass') && !request.outside && !wants('no-store')) throw new Error('the cache was passed by, for no reason');
    if (hit) this.judgeAge(request, what, status);
    const own = request.outside || wants('no-cache') || wants('no-store');
    for (const { call } of what.says)
      if (own && call !== 0 && this.backends.calls[call].began < request.started) throw new Error(`call ${call} began before the request`);
    if (hit && what.finish !== undefined && what.finish !== 'stop' && !this.takesAny(request)) throw new Error(`a hit that ended with ${what.finish}`);
    if (hit && answer.headers.etag !== undefined) this.tag(request, answer.headers.etag, what);
    if (wants('no-cache') && !wants('no-store') && !request.outside)
      for (const said of what.says) this.renewed(request, said, answer.ended);
  }

  // Whether answers that ended otherwise than with stop may be kept.
  takesAny(request) {
    const { any, strict } = this.replicas[request.replica];
    return any === true && request.model.name !== strict;
  }

  // How long an answer is good goes by the replica that gives it: the time to live, give or take a tenth.
  judgeAge(request, what, status) {
    const { stale } = this.replicas[request.replica], ttl = this.replicas[request.replica].ttl?.(request.model.name);
    if (Number(status.split('ttl=')[1]) < 0 && !(stale && request.model.fails)) throw new Error('a stale answer, and nothing failed');
    if (ttl === undefined || (stale && request.model.fails)) return;
    for (const { call } of what.says) {
      const age = request.started - (this.backends.calls[call]?.began ?? request.started);
      if (age > ttl * 1.1 + GRACE_MS / 5) throw new Error(`an answer of call ${call}, ${Math.round(age)} ms old`);
    }
  }

  tag(request, tag, what) {
    const { form } = request, before = this.tags.get(tag);
    if (before !== undefined && (JSON.stringify(before.read) !== JSON.stringify(what) || before.form !== form)) throw new Error('one tag for two answers');
    this.tags.set(tag, { read: what, form });
  }

  // Whatever is kept from before is gone by then, whether the new answer is kept or not; but that of a target that
  // stood in takes nobody's place.
  renewed(request, { meaning, call, target }, done) {
    const key = `${request.tenant} ${request.model.plan} ${meaning}`;
    if (call === 0 || target !== (request.model.first ?? target)) return;
    this.renewals.set(key, [...(this.renewals.get(key) ?? []), { since: request.started, done, replica: request.replica }]);
  }

  purged(replica, since, done, model) { this.purges.push({ replica, since, done, model }); }

  judgeSays(request, what, hit) {
    const { meanings } = request;
    if (what.says.length !== meanings.length) throw new Error(`${what.says.length} of ${meanings.length} vectors`);
    for (const [index, { meaning, call, target }] of what.says.entries()) {
      if (meaning !== meanings[index]) throw new Error(`the answer to another request: ${meaning} is not ${meanings[index]}`);
      if (target !== what.says[0].target) throw new Error('vectors of two targets');
      if (call === 0) continue;
      if (!request.model.targets.includes(target)) throw new Error(`the answer of ${target}`);
      if (hit && target !== (request.model.first ?? target)) throw new Error(`an answer of ${target} was kept, which stood in`);
      const { began, tenant } = this.backends.calls[call];
      if (tenant !== request.tenant) throw new Error(`the answer of ${tenant} for ${request.tenant}`);
      const since = this.since(request, meaning);
      if (began < since) throw new Error(`call ${call} began ${Math.round(since - began)} ms before a renewal or a purge`);
    }
  }
}
