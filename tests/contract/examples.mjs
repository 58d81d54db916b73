// SPDX-License-Identifier: MIT
//
//   node examples.mjs DOCUMENT
//
// Every example and every default of an OpenAPI document is judged by its own schema:
// of bodies, parameters, headers, errors and single fields; of a stream, event by event.
// An example of an error must also carry a code that its response declares.

import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const document = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
addFormats(ajv);
ajv.addSchema(document, 'openapi.json');

const failures = [];
const judged = { example: 0, default: 0, event: 0, code: 0 };

const step = (pointer, name) => `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function resolve(value) {
  if (!isObject(value) || typeof value.$ref !== 'string') return value;
  const steps = value.$ref.slice(2).split('/');
  return steps.reduce((at, name) => at[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}

function judge(kind, value, schemaPointer, where) {
  judged[kind]++;
  const fragment = schemaPointer.split('/').map(encodeURIComponent).join('/');
  const validate = ajv.compile({ $ref: `openapi.json#${fragment}` });
  if (validate(value)) return;
  for (const { instancePath, message } of validate.errors) failures.push(`${where}${instancePath}: ${message}`);
}

// The data of each event of a stream. The last one is `end`, or has that type. Events may have names.
function judgeStream(text, end, schemaPointer, where) {
  const data = text.split('\n\n').filter((event) => event !== '').map((event) => event.replace(/^(event: .*\n)?data: /, ''));
  if (data.at(-1) === end) data.pop();
  else if (data.at(-1) === undefined || end === '[DONE]' || JSON.parse(data.at(-1)).type !== end)
    failures.push(`${where}: must end with ${end}`);
  data.forEach((event, i) => judge('event', JSON.parse(event), schemaPointer, step(where, i)));
}

// The object at pointer has a schema, and so examples in one of two forms.
function judgeHolder(holder, pointer) {
  const schema = step(pointer, 'schema');
  if ('example' in holder) judge('example', holder.example, schema, step(pointer, 'example'));
  for (const [name, example] of Object.entries(holder.examples ?? {}))
    judge('example', resolve(example).value, schema, step(step(pointer, 'examples'), name));
  if ('x-sse-event-schema' in holder)
    judgeStream(holder.example, holder['x-sse-end'], step(pointer, 'x-sse-event-schema'), step(pointer, 'example'));
}

function judgeCodes(response, pointer) {
  for (const [type, media] of Object.entries(response.content))
    for (const example of Object.values(media.examples ?? {})) {
      const { value } = resolve(example);
      judged.code++;
      if (!response['x-codes'].includes((value.error ?? value).code))
        failures.push(`${pointer}: an example of ${type} has a code that x-codes does not have`);
    }
}

function judgeSchema(schema, pointer) {
  if ('default' in schema) judge('default', schema.default, pointer, step(pointer, 'default'));
  (schema.examples ?? []).forEach((example, i) =>
    judge('example', example, pointer, step(step(pointer, 'examples'), i)));
}

const SCHEMA_MAPS = ['properties', 'patternProperties', '$defs', 'dependentSchemas'];
const SCHEMA_LISTS = ['anyOf', 'allOf', 'oneOf', 'prefixItems'];
const SCHEMAS = ['items', 'additionalProperties', 'unevaluatedProperties', 'not', 'if', 'then', 'else'];

function walkSchema(schema, pointer) {
  if (!isObject(schema)) return;
  judgeSchema(schema, pointer);
  for (const name of SCHEMAS) walkSchema(schema[name], step(pointer, name));
  for (const name of [...SCHEMA_MAPS, ...SCHEMA_LISTS])
    for (const [key, below] of Object.entries(schema[name] ?? {})) walkSchema(below, step(step(pointer, name), key));
}

// Everything but schemas. Names of components are not keywords, hence the map flag.
function walk(value, pointer, isMap) {
  if (typeof value !== 'object' || value === null) return;
  if (!isMap && isObject(value) && 'schema' in value) {
    judgeHolder(value, pointer);
    walkSchema(value.schema, step(pointer, 'schema'));
  }
  if (!isMap && 'x-codes' in value) judgeCodes(value, pointer);
  for (const [name, below] of Object.entries(value)) {
    if (!isMap && (name === 'schema' || name === 'example' || name === 'value')) continue;
    if (pointer === '/components' && name === 'schemas')
      for (const [table, schema] of Object.entries(below)) walkSchema(schema, step('/components/schemas', table));
    else walk(below, step(pointer, name), ['headers', 'examples', 'content', 'responses', 'paths'].includes(name));
  }
}

walk(document, '', false);
for (const [kind, count] of Object.entries(judged)) if (count === 0) failures.push(`no ${kind} was found`);
for (const failure of failures) console.error(failure);
console.log(Object.entries(judged).map(([kind, count]) => `${count} ${kind}s`).join(', '), 'judged');
process.exit(failures.length === 0 ? 0 : 1);
