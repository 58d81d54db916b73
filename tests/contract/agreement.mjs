// SPDX-License-Identifier: MIT
//
//   node agreement.mjs DOCUMENT VALIDATE [COUNT]
//
// The schemas of request bodies allow exactly what the service accepts: random bodies,
// made from the document's own examples and then broken, get the same verdict from the
// schema and from VALIDATE, which is the product's own validation. Always the same bodies.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';

const [path, program, count = '60000'] = process.argv.slice(2);
const document = JSON.parse(readFileSync(path, 'utf8'));
const ajv = new Ajv2020({ strict: false, validateSchema: false });
ajv.addSchema(document, 'openapi.json');

const BATCH = 20000;

let state = 1;
function below(limit) {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return (state >> 8) % limit;
}
const pick = (list) => list[below(list.length)];
const copy = (value) => structuredClone(value);

const bodies = Object.values(document.paths)
  .flatMap((item) => Object.values(item))
  .map((operation) => operation.requestBody?.content['application/json'])
  .filter((media) => media !== undefined)
  .map((media) => {
    const name = media.schema.$ref.split('/').pop();
    return {
      name,
      validate: ajv.compile({ $ref: `openapi.json#/components/schemas/${name}` }),
      examples: Object.values(media.examples).map((example) => example.value),
      properties: Object.entries(document.components.schemas[name].properties),
    };
  });

// Names and values that mean something somewhere, whether or not where they are put.
const properties = Object.values(document.components.schemas).flatMap((schema) => Object.entries(schema.properties));
const constants = Object.values(document.components.schemas)
  .flatMap((schema) => schema.allOf ?? [])
  .flatMap((rule) => Object.values(rule.if?.properties ?? {}))
  .map((member) => member.const);
const oddities = [
  ...[null, true, false, 0, 1, -1, 2, 1.5, 101, -101, 129, 2147483647, 2147483648, 1e30, '', 'a', 'é', '𝄞'],
  ...[[], [1], [1.5], ['a'], [''], [null], [[]], [[1]], [['a']], {}, { a: 1 }, { a: 1000 }, { a: null }, { a: false }],
  ...constants,
  ...constants.map((type) => ({ type })),
];
const anything = () => copy(below(2) === 0 ? pick(oddities) : pick(pick(properties)[1].examples));

function add(container) {
  if (Array.isArray(container)) container.push(anything());
  else container[pick(properties)[0]] = anything();
}

// Changes one value somewhere within, which may be the whole.
function spoil(value) {
  if (typeof value !== 'object' || value === null || below(5) === 0) return anything();
  const keys = Object.keys(value);
  if (keys.length === 0 || below(5) === 0) {
    add(value);
    return value;
  }
  const key = pick(keys);
  if (below(6) > 0) value[key] = spoil(value[key]);
  else if (Array.isArray(value)) value.splice(Number(key), 1);
  else delete value[key];
  return value;
}

function makeBody(kind) {
  let body = copy(pick(kind.examples));
  for (let more = below(4); more > 0; more--) {
    const [name, schema] = pick(kind.properties);
    body[name] = copy(schema.examples[0]);
  }
  for (let more = below(4); more > 0; more--) body = spoil(body);
  return body;
}

// 2.0 and 2e0 are integers, too.
const write = (body) => JSON.stringify(body).replaceAll(':2,', ':2.0,').replaceAll(':1}', ':1e0}');

let accepted = 0;
let differing = 0;
for (let made = 0; made < Number(count); made += BATCH) {
  const batch = Array.from({ length: BATCH }, () => {
    const kind = pick(bodies);
    return { kind, body: makeBody(kind) };
  });
  const input = batch.map(({ kind, body }) => `${kind.name} ${write(body)}\n`).join('');
  const verdicts = execFileSync(program, { input, maxBuffer: 1 << 24 }).toString().split('\n');
  batch.forEach(({ kind, body }, i) => {
    const allowed = kind.validate(body);
    accepted += allowed ? 1 : 0;
    if (allowed === (verdicts[i] === '1')) return;
    differing++;
    console.error(`${kind.name}: the schema ${allowed ? 'allows' : 'refuses'} ${write(body)}`);
  });
}
console.log(`${count} bodies judged, ${accepted} accepted, ${differing} verdicts differ`);
process.exit(differing === 0 && accepted > 0 && accepted < Number(count) ? 0 : 1);
