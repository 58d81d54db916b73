// SPDX-License-Identifier: MIT
// The checker judged by itself, with a small document: a faultless record passes,
// and each kind of violation is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { readErrors, Report } from './check.mjs';
import { Document } from './document.mjs';
import { Judge, judgeCoverage } from './judge.mjs';
import { readEvents } from './sse.mjs';

const reference = (name) => ({ schema: { $ref: `#/components/schemas/${name}` } });
const failure = (...codes) => ({
  description: codes.join(', '),
  content: { 'application/json': reference('Error'), 'application/problem+json': reference('Problem') },
  'x-codes': codes,
});

const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'small', version: '1' },
  paths: {
    '/talk': {
      post: {
        operationId: 'talk',
        requestBody: { content: { 'application/json': reference('Request') } },
        responses: {
          200: {
            description: 'Good.',
            headers: { 'x-attempts': { required: true, schema: { type: 'integer' } } },
            content: {
              'application/json': reference('Answer'),
              'text/event-stream': { 'x-sse-event-schema': { $ref: '#/components/schemas/Chunk' } },
            },
          },
          400: failure('invalid_value', 'invalid_type'),
          405: failure('method_not_allowed'),
          502: failure('upstream_reset'),
        },
      },
    },
    '/things/{id}': {
      get: {
        operationId: 'thing',
        parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', maximum: 9 } }],
        responses: {
          200: { description: 'Good.', content: { 'application/json': reference('Answer') } },
          304: {},
          404: failure('unknown_url'),
          503: { description: 'Not now.', content: { 'application/json': reference('Answer') } },
        },
      },
    },
  },
  components: {
    schemas: {
      Request: { type: 'object', required: ['model'], properties: { model: { type: 'string' } } },
      Answer: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
      Chunk: { type: 'object', required: ['delta'], properties: { delta: { type: 'string' } } },
      Error: {
        type: 'object',
        required: ['error'],
        properties: { error: { type: 'object', required: ['code', 'message'] } },
      },
      Problem: { type: 'object', required: ['title', 'code'] },
    },
  },
};

const KNOWN = readErrors(`
ERROR(INVALID_VALUE,   400, "invalid_request_error", "invalid_value",  false, CLIENT, "…")
ERROR(INVALID_TYPE,    400, "invalid_request_error", "invalid_type",   false, CLIENT, "…")
ERROR(NOT_FOUND,       404, "invalid_request_error", "not_found",      false, CLIENT, "…")
ERROR(UNKNOWN_PATH,    404, "invalid_request_error", "unknown_url",    false, CLIENT, "…")
ERROR(METHOD,  ON | OFF, 405, "invalid_request_error", "method_not_allowed", false, CLIENT, "…")
ERROR(UPSTREAM_RESET,  502, "upstream_error",        "upstream_reset", true,  BACKEND, "…")
`);

const create = (exceptions = {}) =>
  new Judge(new Document(DOCUMENT), KNOWN, { notExercised: [], notExpressible: [], ...exceptions });

const bytes = (body) => ({ body, length: Buffer.byteLength(body) });

// A faultless exchange with some members replaced.
function exchange({ request = {}, response = {}, ...rest }) {
  const headers = [['content-type', 'application/json'], ['x-request-id', 'req_1'], ['x-attempts', '1']];
  return {
    method: 'POST',
    path: '/talk',
    malformed: false,
    client_left: false,
    request: { headers: [['content-type', 'application/json']], ...bytes('{"model":"m"}'), complete: true, ...request },
    response: { headers, status: 200, ...bytes('{"id":"1"}'), complete: true, ...response },
    ...rest,
  };
}

const get = (parts) => exchange({ method: 'GET', path: '/things/1', request: { headers: [], ...bytes('') }, ...parts });

const withType = (type) => [['content-type', type], ['x-request-id', 'req_1'], ['x-attempts', '1']];

const stream = (body, parts = {}) => exchange({ response: { headers: withType('text/event-stream'), ...bytes(body), ...parts } });

const refusal = (code, status, parts = {}) =>
  exchange({ ...parts, response: { status, ...bytes(JSON.stringify({ error: { code, message: 'No.' } })), ...parts.response } });

// A request whose body is gzip.
const packed = (text) =>
  exchange({
    request: {
      headers: [['content-type', 'application/json'], ['content-encoding', 'gzip']],
      body: undefined,
      base64: gzipSync(text).toString('base64'),
    },
  });

const PASSES = {
  'a body that came as gzip': packed('{"model":"m"}'),
  'a query that is not documented': get({ path: '/things/1?limits=1&limit=3' }),
  'a root that leads to a page': exchange({
    method: 'GET',
    path: '/',
    response: { status: 302, headers: [['location', '/things/1'], ['x-request-id', 'req_1']] },
  }),
  'a good answer': exchange({}),
  'a good stream': stream(': hello\n\ndata: {"delta":"a"}\n\ndata: [DONE]\n\n'),
  'a stream with other line ends': stream('\uFEFFdata:{"delta":\r\ndata:"a"}\r\n\r\ndata: [DONE]\r\r'),
  'a stream that ends in an error': stream('data: {"error":{"code":"upstream_reset","message":"No."}}\n\n'),
  'a stream its client left': stream('data: {"delta":"a"}\n\ndata: {"del', { complete: false }),
  'a whole answer its client left': exchange({ response: { ...bytes('{"id'), complete: false } }),
  'a big answer': exchange({ response: { body: undefined, clipped: true, length: 9999999 } }),
  'a refused request that does not fit': refusal('invalid_type', 400, { request: bytes('{"model":1}') }),
  'a refused problem': exchange({
    request: bytes('{"model":1}'),
    response: { status: 400, headers: withType('application/problem+json'), ...bytes('{"title":"No.","code":"invalid_type"}') },
  }),
  'a code of the backend': refusal('odd', 502, { response: { headers: [...withType('application/json'), ['x-sluice-target', 'b']] } }),
  'a path that is not there': refusal('not_found', 404, { path: '/nowhere' }),
  'a method that is not there': refusal('method_not_allowed', 405, {
    method: 'DELETE',
    response: { headers: [...withType('application/json'), ['allow', 'POST']] },
  }),
  'a method at a path of another listener': refusal('unknown_url', 404, { method: 'PATCH', path: '/things/1' }),
  'a request that is no HTTP': refusal('invalid_value', 400, { malformed: true, method: '', path: '' }),
  'a documented failure that is no error': get({ method: 'GET', response: { status: 503 } }),
  'no answer': exchange({ response: { status: 0, headers: [], ...bytes(''), complete: false } }),
  'a path with an argument': get({ path: '/things/a%2Fb?limit=3' }),
  'HEAD': get({ method: 'HEAD', response: bytes('') }),
  'a 304': get({ response: { status: 304, headers: withType('application/json'), ...bytes('') } }),
};

const VIOLATIONS = {
  'an undocumented status': [exchange({ response: { status: 201 } }), /status/, /one of 200, 400/],
  'an undocumented content type': [exchange({ response: { headers: withType('text/html') } }), /content-type/, /one of/],
  'no content type': [exchange({ response: { headers: withType('').slice(1) } }), /content-type/, /one of/],
  'no request id': [exchange({ response: { headers: [['content-type', 'application/json'], ['x-attempts', '1']] } }), /x-request-id/, /every/],
  'a required header that is absent': [exchange({ response: { headers: withType('application/json').slice(0, 2) } }), /x-attempts/, /required/],
  'a header of the wrong type': [
    exchange({ response: { headers: [...withType('application/json').slice(0, 2), ['x-attempts', 'x']] } }),
    /x-attempts/,
    /integer/,
  ],
  'a body that is no JSON': [exchange({ response: bytes('{"id":') }), /^$/, /JSON/],
  'a body that is no text': [exchange({ response: { body: undefined, base64: '/w==' } }), /^$/, /UTF-8/],
  'a body that does not fit': [exchange({ response: bytes('{"id":1}') }), /\/id/, /string/],
  'a body where none belongs': [get({ response: { status: 304, ...bytes('x') } }), /^$/, /none/],
  'a code of another status': [refusal('upstream_reset', 400), /code/, /one of invalid_value/],
  'an unknown code': [refusal('odd', 502), /code/, /known/],
  'a stream without end': [stream('data: {"delta":"a"}\n\n'), /^$/, /\[DONE\]/],
  'a stream with a rest': [stream('data: [DONE]\n\ndata: x'), /^$/, /empty line/],
  'an event behind the end': [stream('data: [DONE]\n\ndata: {"delta":"a"}\n\n'), /1/, /nothing behind/],
  'an event behind an error': [
    stream('data: {"error":{"code":"upstream_reset","message":"No."}}\n\ndata: [DONE]\n\n'),
    /1/,
    /nothing behind an error/,
  ],
  'an event that does not fit': [stream('data: {"delta":1}\n\ndata: [DONE]\n\n'), /\/delta/, /string/],
  'an event that is no JSON': [stream('data: {"delta"\n\ndata: [DONE]\n\n'), /0/, /JSON/],
  'an error event that does not fit': [stream('data: {"error":{"code":"upstream_reset"}}\n\n'), /error/, /message/],
  'an error event with a code of elsewhere': [stream('data: {"error":{"code":"not_found","message":"No."}}\n\n'), /code/, /one of/],
  'a line that is no field': [stream('dada: 1\n\ndata: [DONE]\n\n'), /^$/, /fields/],
  'a served request that does not fit': [exchange({ request: bytes('{"model":1}') }), /\/model/, /served/],
  'a served query that does not fit': [get({ path: '/things/1?limit=10' }), /\/limit/, /served/],
  'a served body that does not fit unpacked': [packed('{"modle":"m"}'), /^\/?$/, /model/],
  'a root that leads nowhere': [exchange({ method: 'GET', path: '/', response: { status: 302 } }), /location/, /operation/],
  'a refused request that fits': [refusal('invalid_type', 400), /^\/$/, /refuses/],
  'another status than 404': [refusal('invalid_value', 400, { path: '/nowhere' }), /status/, /404/],
  'a served path that is not there': [exchange({ path: '/nowhere' }), /status/, /404/],
  'another code for a path of another listener': [refusal('not_found', 404, { method: 'PATCH', path: '/things/1' }), /code/, /unknown_url/],
  'a 404 for a method of a path of every listener': [refusal('unknown_url', 404, { method: 'PATCH' }), /status/, /405/],
  'a 405 without Allow': [refusal('method_not_allowed', 405, { method: 'DELETE' }), /allow/, /methods/],
  'a stray error that does not fit': [
    exchange({ path: '/nowhere', response: { status: 404, ...bytes('{"error":{"code":"not_found"}}') } }),
    /error/,
    /message/,
  ],
  'a stray error that is no error': [exchange({ path: '/nowhere', response: { status: 404, headers: withType('text/html') } }), /content-type/, /error/],
};

for (const [name, record] of Object.entries(PASSES))
  test(`passes: ${name}`, () => assert.deepEqual(create().judge(record), []));

for (const [name, [record, pointer, expected]] of Object.entries(VIOLATIONS))
  test(`finds: ${name}`, () => {
    const findings = create().judge(record);
    const found = findings.some((each) => pointer.test(each.pointer) && expected.test(each.expected));
    assert.ok(found, `not among ${JSON.stringify(findings)}`);
  });

function coverageOf(records, exceptions) {
  const judge = create(exceptions);
  records.forEach((record) => judge.judge(record));
  return judgeCoverage(judge).map(({ pointer, got }) => pointer || got);
}

test('finds every operation, status and code that was never exercised', () => {
  const missing = coverageOf([PASSES['a good answer'], PASSES['a method that is not there']]);
  assert.deepEqual(missing, [
    '/talk 400',
    '/talk 502',
    '/thing 200',
    '/thing 304',
    '/thing 404',
    '/thing 503',
    '/code invalid_value',
    '/code invalid_type',
    '/code not_found',
    '/code unknown_url',
    '/code upstream_reset',
  ]);
});

test('lets exceptions pass, and finds those that are not needed', () => {
  const notExercised = [{ operation: '*', status: '502' }, { operation: 'thing' }, { code: 'not_found' }, { code: 'gone' }];
  const missing = coverageOf([PASSES['a good answer']], { notExercised });
  assert.ok(!missing.some((each) => /502|thing|not_found/.test(each)), missing.join());
  assert.ok(missing.includes('{"code":"gone"}'), missing.join());
});

test('lets a disagreement pass that no schema can express', () => {
  const notExpressible = [{ operation: 'talk', code: 'invalid_value', param: /^stop$/ }];
  const refused = (param) => refusal('invalid_value', 400, { response: bytes(`{"error":{"code":"invalid_value","message":"","param":"${param}"}}`) });
  const judge = create({ notExpressible });
  assert.deepEqual(judge.judge(refused('stop')), []);
  assert.equal(judge.judge(refused('model')).length, 1);
});

test('tells findings that are alike once', () => {
  const report = new Report();
  const lines = [];
  for (const at of ['r:1', 'r:2'])
    report.add({ at, about: ' talk 200', seen: ' (a: b)' }, { where: 'response body', pointer: '/data/7/id', expected: 'a string', got: '1' });
  report.print((line) => lines.push(line));
  assert.deepEqual(lines, ['r:1 talk 200 (a: b) and 1 more', '  response body /data/7/id', '    expected: a string', '    got:      1']);
});

test('reads events as the standard says', () => {
  const { events, rest } = readEvents('event: a\ndata: 1\ndata\ndata:  2\nid: 3\n\nevent: b\n\ndata: 4');
  assert.deepEqual(events, [{ data: '1\n\n 2', event: 'a' }]);
  assert.equal(rest, 'data: 4');
});
