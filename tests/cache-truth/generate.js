// SPDX-License-Identifier: MIT
// Requests that look alike: a few meanings, each in many wordings, and each with neighbours that differ in one thing only.
import { Raw } from './json.js';

export function randomOf(seed) {
  let state = BigInt(seed) & 0xffffffffffffffffn;
  return () => { // SplitMix64
    state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
    let x = state;
    x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
    x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
    return Number((x ^ (x >> 31n)) >> 11n) / 2 ** 53;
  };
}

// One seed of several things.
export function seedOf(...parts) {
  let hash = 0xcbf29ce484222325n; // FNV-1a
  for (const byte of Buffer.from(parts.join('\n'))) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash;
}

export class Generator {
  constructor(random) { this.random = random; }

  below(n) { return Math.floor(this.random() * n); }
  pick(list) { return list[this.below(list.length)]; }
  chance(part) { return this.random() < part; }

  // ---- wordings ----

  string(text) {
    let out = '"';
    for (const c of text) {
      if (this.chance(0.1)) out += [...Array(c.length).keys()].map((i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
      else out += c === '/' && this.chance(0.5) ? '\\/' : JSON.stringify(c).slice(1, -1);
    }
    return `${out}"`;
  }

  space() { return this.chance(0.2) ? this.pick([' ', '\n', '\t', ' \r\n']) : ''; }

  // fixed: the order of members and the spelling of numbers stay.
  write(value, fixed) {
    const s = () => this.space();
    if (value instanceof Raw) return value.text;
    if (typeof value === 'string') return this.string(value);
    if (typeof value === 'number') return fixed || !Number.isInteger(value) ? String(value) : `${value}${this.pick(['', '', '', '.0', 'e0'])}`;
    if (Array.isArray(value)) return `[${value.map((item) => `${s()}${this.write(item, fixed)}${s()}`).join()}]`;
    if (value === null || typeof value === 'boolean') return String(value);
    const members = Object.entries(value);
    if (!fixed) members.sort(() => this.random() - 0.5);
    return `{${members.map(([name, of]) => `${s()}${this.string(name)}${s()}:${s()}${this.write(of, fixed || Generator.fixed.has(name))}${s()}`).join()}}`;
  }

  static fixed = new Set(['tools', 'functions', 'response_format', 'guided_json', 'arguments', 'chat_template_kwargs', 'plugins', 'data_sources', 'search_parameters']);

  // ---- meanings ----

  schema() {
    return this.pick([
      { type: 'object', properties: { a: { type: 'string' }, b: { minimum: 1 } } },
      { type: 'object', properties: { b: { minimum: 1 }, a: { type: 'string' } } },
      { type: 'object', properties: { a: { type: 'string' }, b: { minimum: new Raw('1.0') } } },
    ]);
  }

  part() {
    const n = this.below(3);
    return this.pick([
      { type: 'text', text: `text ${n}` },
      { type: 'image_url', image_url: { url: `${this.pick(['data', 'DATA'])}:image/png;base64,AAA${n}` } },
      { type: 'input_audio', input_audio: { data: `UklGRg${n}=`, format: 'wav' } },
    ]);
  }

  // One more member. Some of them are of chats only: completions that have one may mean anything by it.
  more(path, body) {
    const members = [
      ['max_tokens', this.pick([20, 21, null])], ['top_p', this.pick([1, 0.5])], ['stop', this.pick(['a', ['a'], ['a', 'b'], null])],
      ['logprobs', path === '/v1/chat/completions' ? this.pick([true, false, null]) : this.pick([2, 3, null])],
      ['seed', new Raw(this.pick(['9007199254740992', '9007199254740993']))], ['top_k', this.pick([1, 2])],
      ['logit_bias', this.pick([{ 1: 2, 3: 4 }, { 3: 4, 1: 3 }])],
      ['response_format', { type: 'json_schema', json_schema: { name: 'r', schema: this.schema() } }],
      ['tools', [{ type: 'function', function: { name: 'f', parameters: this.schema() } }]],
      ['guided_json', this.schema()], ['metadata', { a: this.pick(['b', 'c']) }], ['user', this.pick(['one', 'two'])],
    ];
    const [name, value] = this.pick(members);
    body[name] = value;
  }

  // A member that refers to something outside of the request, or may.
  outside(body) {
    const [name, value] = this.pick([
      ['previous_response_id', 'r'], ['conversation', 'c'], ['data_sources', [{ type: 'x' }]], ['search_parameters', { mode: 'on' }],
      ['plugins', [{ id: 'web' }]], ['enable_search', true], ['unheard_of', 1], ['web_search_options', {}],
    ]);
    body[name] = value;
  }

  chat() {
    const body = { temperature: 0, messages: [{ role: 'user', content: this.chance(0.2) ? [this.part()] : `question ${this.below(4)} \u00e9/` }] };
    if (this.chance(0.1)) body.messages.unshift({ role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: this.pick([{ a: 1, b: 2 }, { b: 2, a: 1 }]) } }] });
    return { path: '/v1/chat/completions', body };
  }

  completion() { return { path: '/v1/completions', body: { temperature: 0, prompt: `prompt ${this.below(4)}` } }; }

  embedding() {
    const inputs = [...Array(1 + this.below(4))].map(() => this.pick([`input ${this.below(12)}`, [this.below(4), 7]]));
    const body = { input: inputs.length === 1 && this.chance(0.5) ? inputs[0] : inputs };
    if (this.chance(0.2)) body.dimensions = this.pick([8, null]);
    return { path: '/v1/embeddings', body };
  }

  // One of a few requests that many clients ask at once, some of whom renew it.
  hot(models) {
    const [path, body] = this.pick([
      ['/v1/chat/completions', { temperature: 0, messages: [{ role: 'user', content: 'hot' }] }],
      ['/v1/completions', { temperature: 0, prompt: 'hot' }],
      ['/v1/embeddings', { input: this.pick([['hot', 'warm'], ['warm', 'hot'], 'hot']) }],
    ]);
    const model = this.chance(0.5) ? models[this.below(2)] : this.pick(models.filter(({ gathers }) => !gathers));
    return this.finish({ path, body, model, outside: false, refused: false, tenant: 'none' }, this.chance(0.3) ? this.pick([['no-cache'], ['no-cache'], ['max-age=0']]) : []);
  }

  // A request: its text, and what is known of it without reading that.
  next(models) {
    if (this.chance(0.2)) return this.hot(models);
    const kind = this.random();
    const request = kind < 0.5 ? this.chat() : kind < 0.7 ? this.completion() : this.embedding();
    const embeds = request.path === '/v1/embeddings';
    const { body } = request;
    for (let i = this.pick([0, 0, 1, 1, 2]); i > 0 && !embeds; i--) this.more(request.path, body);
    if (embeds && this.chance(0.2)) body.user = 'one';
    request.outside = this.chance(0.04);
    if (request.outside) this.outside(body);
    if (request.path === '/v1/completions') request.outside ||= ['metadata', 'response_format', 'tools'].some((name) => name in body);
    request.refused = this.chance(0.04);
    if (request.refused) body.user = 'refused';
    request.model = this.pick(embeds ? models.filter((model) => !model.gathers) : models);
    request.tenant = this.pick(['none', 'none', 'none', 'one']);
    return this.finish(request, this.chance(0.15) ? this.pick([['no-cache'], ['no-store'], ['only-if-cached'], ['max-age=0'], ['max-age=3600', 'x'], ['max-age=1', 'no-cache'], ['max-age="0"']]) : []);
  }

  // The form, and the words.
  finish(request, control) {
    const { body } = request, embeds = request.path === '/v1/embeddings';
    request.stream = !embeds && this.chance(0.5);
    if (request.stream || (!embeds && this.chance(0.2))) body.stream = request.stream;
    request.form = !request.stream ? 'whole' : this.chance(0.3) ? 'usage' : 'stream';
    if (request.form === 'usage') body.stream_options = { include_usage: true };
    body.model = request.model.name;
    request.text = this.write(body, false);
    request.control = control;
    return request;
  }
}
