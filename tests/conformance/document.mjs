// SPDX-License-Identifier: MIT
// The OpenAPI document as questions: which operation is this, what may it answer,
// does this value fit that schema.
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const OPENAPI_KEYWORDS = ['discriminator', 'example', 'externalDocs', 'xml'];
// Ajv takes the whole document for one schema, of which parts are used.
const ROOT_KEYWORDS = ['openapi', 'info', 'jsonSchemaDialect', 'servers', 'paths', 'webhooks', 'components', 'security', 'tags'];

const escape = (part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1');
const unescape = (part) => part.replaceAll('~1', '/').replaceAll('~0', '~');
export const pointer = (...parts) => parts.map((part) => `/${escape(part)}`).join('');

function extensionKeywords(value, found = new Set()) {
  if (value === null || typeof value !== 'object') return found;
  for (const [name, member] of Object.entries(value)) {
    if (name.startsWith('x-')) found.add(name);
    extensionKeywords(member, found);
  }
  return found;
}

function createAjv(document) {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true, verbose: true });
  addFormats(ajv);
  ajv.addVocabulary([...OPENAPI_KEYWORDS, ...ROOT_KEYWORDS, ...extensionKeywords(document)]);
  ajv.addSchema(document, 'document', undefined, false);
  return ajv;
}

const pathPattern = (template) =>
  new RegExp(`^${template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '([^/]+)')}$`);

// A content type matches by its type, and by its parameters where the document tells some.
function sameMediaType(declared, sent) {
  const parts = (text) => text.toLowerCase().split(';').map((part) => part.trim());
  const [wantType, ...wantParameters] = parts(declared);
  const [type, ...parameters] = parts(sent);
  return type === wantType && wantParameters.every((parameter) => parameters.includes(parameter));
}

export class Document {
  constructor(document) {
    this.document = document;
    this.ajv = createAjv(document);
    this.validators = new Map();
    this.operations = [];
    for (const [template, item] of Object.entries(document.paths))
      for (const method of METHODS)
        if (item[method] !== undefined) this.operations.push(this.#readOperation(template, item, method));
  }

  // Follows $ref; a node is a value and where it is in the document.
  #resolve(node) {
    if (node.value?.$ref === undefined) return node;
    const parts = node.value.$ref.replace(/^#\//, '').split('/').map(unescape);
    return this.#resolve({ value: parts.reduce((at, part) => at[part], this.document), at: pointer(...parts) });
  }

  #child(node, name) {
    return this.#resolve({ value: node.value?.[name], at: node.at + pointer(name) });
  }

  #children(node) {
    return Object.keys(node.value ?? {}).map((name) => [name, this.#child(node, name)]);
  }

  #readOperation(template, item, method) {
    const node = { value: item[method], at: pointer('paths', template, method) };
    const parameters = [
      ...this.#children({ value: item.parameters, at: pointer('paths', template, 'parameters') }),
      ...this.#children(this.#child(node, 'parameters')),
    ].map(([, parameter]) => parameter);
    const responses = new Map(this.#children(this.#child(node, 'responses')));
    const request = this.#child(node, 'requestBody');
    const pattern = pathPattern(template);
    return { id: item[method].operationId, template, method, pattern, parameters, responses, request };
  }

  // Which operations live there, by method.
  operationsAt(path) {
    const here = this.operations.filter((operation) => operation.pattern.test(path));
    const plain = here.filter((operation) => !operation.template.includes('{'));
    return plain.length > 0 ? plain : here;
  }

  // The operation of a request; HEAD is answered as GET where the document does not tell it apart.
  find(method, path) {
    const here = this.operationsAt(path);
    const named = (name) => here.find((operation) => operation.method === name);
    return named(method.toLowerCase()) ?? (method === 'HEAD' ? named('get') : undefined);
  }

  // The response an operation declares for a status: by its number, as 4XX, or as default.
  response(operation, status) {
    const names = [String(status), `${String(status)[0]}XX`, 'default'];
    const name = names.find((candidate) => operation.responses.has(candidate));
    return name === undefined ? undefined : { name, ...operation.responses.get(name) };
  }

  media(node, type) {
    const content = this.#child(node, 'content');
    const found = this.#children(content).find(([declared]) => declared === '*/*' || sameMediaType(declared, type));
    return found?.[1];
  }

  // What ends a stream: the data of its last event, or the type of that.
  streamEnd(media) {
    return media?.value?.['x-sse-end'] ?? '[DONE]';
  }

  mediaTypes(node) {
    return Object.keys(node.value?.content ?? {});
  }

  headers(response) {
    return this.#children(this.#child(response, 'headers'));
  }

  // Codes that an operation may tell with that status, or within a stream (any of them).
  codes(operation, status) {
    const all = status === undefined ? [...operation.responses.values()] : [this.response(operation, status)];
    return new Set(all.flatMap((response) => response?.value['x-codes'] ?? []));
  }

  allCodes() {
    return new Set(this.operations.flatMap((operation) => [...this.codes(operation)]));
  }

  // What does not fit the schema that is at node[name]: [] when all does or there is no schema.
  validate(node, name, value) {
    if (node?.value?.[name] === undefined) return [];
    return this.validateAt(node.at + pointer(name), value);
  }

  validateComponent(name, value) {
    return this.validateAt(pointer('components', 'schemas', name), value);
  }

  hasComponent(name) {
    return this.document.components?.schemas?.[name] !== undefined;
  }

  validateAt(at, value) {
    if (!this.validators.has(at)) {
      const fragment = at.split('/').map(encodeURIComponent).join('/');
      this.validators.set(at, this.ajv.compile({ $ref: `document#${fragment}` }));
    }
    const validator = this.validators.get(at);
    return validator(value) ? [] : validator.errors.map(describe);
  }
}

function describe(error) {
  const detail = error.params.additionalProperty ?? error.params.allowedValues ?? error.params.allowedValue;
  const expected = error.message + (detail === undefined ? '' : ` (${JSON.stringify(detail)})`);
  return { pointer: error.instancePath, expected, got: JSON.stringify(error.data) };
}
