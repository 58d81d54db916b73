// SPDX-License-Identifier: MIT
// One recorded exchange against the document. judge() returns findings, each
// { where, pointer, expected, got }, and notes in coverage what was exercised.
import { gunzipSync } from 'node:zlib';

import { readEvents } from './sse.mjs';

// Codes that say: this request does not fit the schema.
const DISAGREEMENTS = new Set([
  'invalid_value',
  'invalid_type',
  'missing_required_parameter',
  'unsupported_parameter',
]);
const ELSEWHERE = 'unknown_url'; // the code of a path that another listener serves
const BODILESS = new Set([204, 304]);

export class Coverage {
  operations = new Set();
  statuses = new Set(); // "operationId status"
  codes = new Set();
  exceptions = new Set();
}

const finding = (where, at, expected, got) => ({ where, pointer: at, expected, got: String(got).slice(0, 300) });

function header(message, name) {
  const found = message.headers.filter(([field]) => field.toLowerCase() === name);
  return found.length === 0 ? undefined : found.map(([, value]) => value).join(', ');
}

const mediaType = (value) => value?.split(';')[0].trim().toLowerCase();

function parseJson(text) {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { error: error.message };
  }
}

// The body of a request as text, unpacked where it came as gzip.
function textOf(request) {
  if (!['gzip', 'x-gzip'].includes(mediaType(header(request, 'content-encoding')))) return request.body ?? '';
  try {
    return gunzipSync(Buffer.from(request.base64 ?? request.body, request.base64 === undefined ? 'utf8' : 'base64')).toString();
  } catch {
    return '';
  }
}

export class Judge {
  // known: Map of code to { status, type }; exceptions: as in exceptions.mjs
  constructor(document, known, exceptions) {
    this.document = document;
    this.known = known;
    this.exceptions = exceptions;
    this.coverage = new Coverage();
  }

  judge(record) {
    const { response } = record;
    if (response.status === 0) return []; // nothing was answered
    const path = record.path.split('?')[0];
    const operation = record.malformed ? undefined : this.document.find(record.method, path);
    const findings = this.#judgeEveryAnswer(response);
    if (operation === undefined) findings.push(...this.#judgeStray(record, path));
    else findings.push(...this.#judgeOperation(record, operation));
    return findings;
  }

  #judgeEveryAnswer(response) {
    const findings = [];
    if (header(response, 'x-request-id') === undefined)
      findings.push(finding('response headers', '/x-request-id', 'on every answer', 'absent'));
    return findings;
  }

  // No operation: a path or method that is not there, or a request that is no HTTP.
  #judgeStray(record, path) {
    const { method, malformed, response } = record;
    const there = malformed ? [] : this.document.operationsAt(path);
    if (method === 'OPTIONS' && [200, 204].includes(response.status)) return [];
    if (path === '/' && response.status === 302) return this.#judgeHome(response);
    if (path === '/' && method === 'HEAD' && response.status === 200) return []; // somebody is there
    if (response.status === 405) return this.#judgeMethodNotAllowed(record, there);
    if (response.status === 404 && this.#mayBeElsewhere(there)) return this.#judgeError(record, [ELSEWHERE]);
    const expected = malformed ? '4xx or 5xx' : there.length === 0 ? 404 : 405;
    if (response.status < 400 || (response.status < 405 && !malformed && response.status !== expected))
      return [finding('response', '/status', `${expected} for ${method} ${path}`, response.status)];
    return this.#judgeError(record, [...this.known.keys()]);
  }

  // A listener that does not serve a path knows no method of it.
  #mayBeElsewhere(there) {
    return there.length > 0 && there.every((operation) => this.document.codes(operation, 404).has(ELSEWHERE));
  }

  // For people: the root leads to a page of the document.
  #judgeHome(response) {
    const location = header(response, 'location');
    if (location !== undefined && this.document.operationsAt(location).length > 0) return [];
    return [finding('response headers', '/location', 'the path of an operation', location ?? 'absent')];
  }

  // Every operation at that path tells which methods there are.
  #judgeMethodNotAllowed(record, there) {
    const allowed = there.flatMap((operation) => [...this.document.codes(operation, 405)]);
    for (const operation of there) this.coverage.statuses.add(`${operation.id} 405`);
    if (there.length === 0) return [finding('response', '/status', `404 for ${record.path}`, 405)];
    if (header(record.response, 'allow') === undefined)
      return [finding('response headers', '/allow', 'the methods there are', 'absent')];
    return this.#judgeError(record, allowed);
  }

  // An error in one of its two shapes.
  #judgeError(record, allowed) {
    const { response } = record;
    const schema = { 'application/json': 'Error', 'application/problem+json': 'Problem' };
    const name = schema[mediaType(header(response, 'content-type'))];
    if (name === undefined)
      return [finding('response headers', '/content-type', 'that of an error', header(response, 'content-type'))];
    return this.#judgeJson(record, (body) => [
      ...this.document.validateComponent(name, body).map((found) => ({ where: 'response body', ...found })),
      ...this.#judgeCode(codeOf(body), response.status, allowed, false),
    ]);
  }

  #judgeOperation(record, operation) {
    const { response } = record;
    const declared = this.document.response(operation, response.status);
    this.coverage.operations.add(operation.id);
    if (declared === undefined) {
      const told = [...operation.responses.keys()].join(', ');
      return [finding('response', '/status', `one of ${told}`, `${response.status}: ${response.body}`)];
    }
    this.coverage.statuses.add(`${operation.id} ${declared.name}`);
    return [
      ...this.#judgeHeaders(response, declared),
      ...this.#judgeContent(record, operation, declared),
      ...this.#judgeAgreement(record, operation),
    ];
  }

  #judgeHeaders(response, declared) {
    const findings = [];
    for (const [name, node] of this.document.headers(declared)) {
      const text = header(response, name.toLowerCase());
      if (text === undefined && node.value.required)
        findings.push(finding('response headers', `/${name}`, 'a required header', 'absent'));
      if (text === undefined) continue;
      for (const found of this.#validateText(node, text))
        findings.push({ where: 'response headers', ...found, pointer: `/${name}` });
    }
    return findings;
  }

  #judgeContent(record, operation, declared) {
    const { method, response } = record;
    const types = this.document.mediaTypes(declared);
    const type = header(response, 'content-type');
    if (method === 'HEAD' || BODILESS.has(response.status) || types.length === 0) {
      if (response.length === 0) return [];
      return [finding('response body', '', 'none', `${response.length} bytes`)];
    }
    const media = type === undefined ? undefined : this.document.media(declared, type);
    if (media === undefined) return [finding('response headers', '/content-type', `one of ${types.join(', ')}`, type)];
    if (mediaType(type) === 'text/event-stream') return this.#judgeStream(record, operation, media);
    if (!mediaType(type).endsWith('json')) return [];
    return this.#judgeJson(record, (body) => [
      ...this.document.validate(media, 'schema', body).map((found) => ({ where: 'response body', ...found })),
      ...this.#judgeOperationCode(record, operation, codeOf(body)),
    ]);
  }

  #judgeJson(record, judgeBody) {
    const { method, response } = record;
    if (method === 'HEAD' || !response.complete || response.clipped) return [];
    if (response.body === undefined) return [finding('response body', '', 'UTF-8', response.base64)];
    const { value, error } = parseJson(response.body);
    return error === undefined ? judgeBody(value) : [finding('response body', '', 'JSON', error)];
  }

  #judgeOperationCode(record, operation, code) {
    const { response } = record;
    if (response.status < 400 || code === undefined) return []; // the schema judged whether there must be one
    const relayed = header(response, 'x-sluice-target') !== undefined;
    return this.#judgeCode(code, response.status, [...this.document.codes(operation, response.status)], relayed);
  }

  // A code of ours must be among the allowed ones and tell its own status; any other is a backend's.
  #judgeCode(code, status, allowed, relayed) {
    const row = this.known.get(code);
    if (row === undefined) return relayed ? [] : [finding('response body', '/error/code', 'a known code', code)];
    this.coverage.codes.add(code);
    const findings = [];
    if (!allowed.includes(code)) findings.push(finding('response body', '/error/code', `one of ${allowed}`, code));
    if (row.status !== status && !relayed)
      findings.push(finding('response', '/status', `${row.status} with ${code}`, status));
    return findings;
  }

  #judgeStream(record, operation, media) {
    const { response } = record;
    if (response.clipped) return [];
    if (response.body === undefined) return [finding('stream', '', 'UTF-8', response.base64)];
    const { events, problems, rest } = readEvents(response.body);
    const findings = problems.map((problem) => finding('stream', '', 'fields of an event', problem));
    const end = this.document.streamEnd(media);
    let ended = '';
    events.forEach(({ data }, index) => {
      if (ended !== '') findings.push(finding('stream', `/${index}`, `nothing behind ${ended}`, data));
      if (data === end) ended = end;
      else if (this.#judgeEvent(findings, operation, media, data, index)) ended = 'an error';
      else if (parseJson(data).value?.type === end) ended = end;
    });
    if (response.complete && ended === '')
      findings.push(finding('stream', '', `${end} or an error at the end`, 'neither'));
    if (response.complete && rest !== '') findings.push(finding('stream', '', 'an empty line at the end', rest));
    return findings;
  }

  // True when it was an error, which ends the stream.
  #judgeEvent(findings, operation, media, data, index) {
    const { value, error } = parseJson(data);
    if (error !== undefined) {
      findings.push(finding('stream', `/${index}`, 'JSON or [DONE]', data));
      return false;
    }
    const failed = value?.error !== undefined && value.error !== null;
    const found = failed
      ? this.document.validateComponent('Error', value)
      : this.document.validate(media, 'x-sse-event-schema', value);
    findings.push(...found.map((each) => ({ where: `stream event ${index}`, ...each })));
    if (failed) {
      const row = this.known.get(value.error.code);
      const allowed = [...this.document.codes(operation)];
      findings.push(...this.#judgeCode(value.error.code, row?.status, allowed, true));
    }
    return failed;
  }

  // The schema and the service say the same about a request.
  #judgeAgreement(record, operation) {
    const { request, response } = record;
    if (request.clipped || !request.complete) return [];
    const served = response.status >= 200 && response.status < 300;
    const error = served ? undefined : (parseJson(response.body ?? '').value ?? {});
    const code = served ? 'served' : codeOf(error);
    const ours = header(response, 'x-sluice-target') === undefined;
    if (!served && !(ours && DISAGREEMENTS.has(code))) return [];
    const objections = this.#objections(record, operation);
    if (served === (objections.length === 0) || this.#isException(operation, code, error, objections)) return [];
    if (served) return objections.map((found) => ({ ...found, expected: `${found.expected}; yet it was served` }));
    return [finding('request', `/${paramOf(error) ?? ''}`, `a schema that refuses it as ${code}`, request.body ?? record.path)];
  }

  #isException(operation, code, error, objections) {
    const params = error === undefined ? objections.map((found) => found.pointer) : [paramOf(error) ?? ''];
    const exception = this.exceptions.notExpressible.find(
      (each) => each.operation === operation.id && each.code === code && params.every((param) => each.param.test(param)),
    );
    if (exception !== undefined) this.coverage.exceptions.add(exception);
    return exception !== undefined;
  }

  // What the document has against a request.
  #objections(record, operation) {
    return [...this.#queryObjections(record, operation), ...this.#bodyObjections(record, operation)];
  }

  #queryObjections(record, operation) {
    const mark = record.path.indexOf('?');
    const query = new URLSearchParams(mark < 0 ? '' : record.path.slice(mark + 1));
    const declared = new Map(
      operation.parameters.filter(({ value }) => value.in === 'query').map((node) => [node.value.name, node]),
    );
    const objections = [];
    for (const [name, node] of declared) {
      if (node.value.required && !query.has(name))
        objections.push(finding('request query', `/${name}`, 'a required parameter', 'absent'));
      const values = query.getAll(name);
      if (values.length > 1 && node.value.schema?.type !== 'array')
        objections.push(finding('request query', `/${name}`, 'once', values));
      for (const value of values)
        for (const found of this.#validateText(node, value))
          objections.push({ where: 'request query', ...found, pointer: `/${name}` });
    }
    if (['GET', 'HEAD'].includes(record.method)) return objections; // which ignore what they do not know
    for (const name of new Set(query.keys()))
      if (!declared.has(name) && declared.size > 0)
        objections.push(finding('request query', `/${name}`, 'a declared parameter', query.get(name)));
    return objections;
  }

  #bodyObjections({ request }, operation) {
    if (operation.request.value === undefined) return [];
    const type = header(request, 'content-type');
    const media = type === undefined ? undefined : this.document.media(operation.request, type);
    if (media === undefined) return [finding('request headers', '/content-type', 'a declared type', type)];
    const { value, error } = parseJson(textOf(request));
    if (error !== undefined) return [finding('request body', '', 'JSON', error)];
    return this.document.validate(media, 'schema', value).map((found) => ({ where: 'request body', ...found }));
  }

  // A header or parameter is text: it fits when it fits as text or as the JSON value it reads as.
  #validateText(node, text) {
    const asText = this.document.validate(node, 'schema', text);
    if (asText.length === 0) return [];
    const { value } = /^(-?\d+(\.\d+)?|true|false)$/.test(text) ? parseJson(text) : {};
    if (value === undefined) return asText;
    return this.document.validate(node, 'schema', value);
  }
}

const codeOf = (body) => body?.error?.code ?? body?.code;
const paramOf = (body) => body?.error?.param ?? body?.param;

const covers = (exception, operation, status) =>
  ['*', operation].includes(exception.operation) && [undefined, status].includes(exception.status);

// What the document promises and no record showed.
export function judgeCoverage(judge) {
  const { document, known, coverage, exceptions } = judge;
  const findings = [];
  const missing = (what, matches) => {
    const exception = exceptions.notExercised.find(matches);
    if (exception === undefined) findings.push(finding('coverage', `/${what}`, 'to be exercised', 'no record of it'));
    else coverage.exceptions.add(exception);
  };
  for (const operation of document.operations)
    for (const status of operation.responses.keys())
      if (!coverage.statuses.has(`${operation.id} ${status}`))
        missing(`${operation.id} ${status}`, (each) => covers(each, operation.id, status));
  for (const code of new Set([...known.keys(), ...document.allCodes()]))
    if (!coverage.codes.has(code)) missing(`code ${code}`, (each) => each.code === code);
  for (const exception of [...exceptions.notExercised, ...exceptions.notExpressible])
    if (!coverage.exceptions.has(exception))
      findings.push(finding('exceptions', '', 'an exception that is needed', JSON.stringify({ ...exception, param: exception.param?.source })));
  return findings;
}
