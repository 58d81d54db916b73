// SPDX-License-Identifier: MIT
// Sends every request that the OpenAPI document shows, exactly as written, with
// newman: each must succeed with a status and a media type that the document
// declares for it.
//
// Operations with servers of their own are the admin listener's. Those on keys go to a service that has a store of
// them, and to a key that is made before; those on stored responses to one that is made before.
//
//   SLUICE_URL=… SLUICE_ADMIN_URL=… SLUICE_KEYS_URL=… node newman.mjs OPENAPI.JSON
import { readFileSync } from 'node:fs';
import newman from 'newman';

const document = JSON.parse(readFileSync(process.argv[2], 'utf8'));

const resolve = (node) =>
  node.$ref ? resolve(node.$ref.slice(2).split('/').reduce((at, key) => at[key], document)) : node;

function exampleOf(parameter) {
  return parameter.example ?? Object.values(parameter.examples ?? {})[0]?.value;
}

const made = await fetch(`${process.env.SLUICE_KEYS_URL}/admin/keys`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ name: 'made-before' }),
});
const { id } = await made.json();

// A stored response for each operation on one: deleting it takes it from the others.
const isOfResponses = (operation) => operation.tags.includes('responses');
const stored = {};
for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods))) {
  if (!operation.operationId || !isOfResponses(operation)) continue;
  const answer = await fetch(`${process.env.SLUICE_URL}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo', input: 'Tell me about rivers' }),
  });
  stored[operation.operationId] = (await answer.json()).id;
}

const isOfKeys = (operation) => operation.tags.includes('keys');

function serverOf(operation) {
  if (isOfKeys(operation)) return process.env.SLUICE_KEYS_URL;
  return operation.servers ? process.env.SLUICE_ADMIN_URL : process.env.SLUICE_URL;
}

const madeFor = (operation) => (isOfKeys(operation) ? id : stored[operation.operationId]);

// Runs inside newman: data of the item is in its own variables.
function script(responses) {
  const declared = Object.fromEntries(
    Object.entries(responses)
      .filter(([status]) => status.startsWith('2') || status === '304')
      .map(([status, response]) => [status, Object.keys(resolve(response).content ?? {})]),
  );
  return [
    `const declared = ${JSON.stringify(declared)};`,
    'pm.test("succeeds as declared", () => {',
    '  pm.expect(Object.keys(declared)).to.include(String(pm.response.code));',
    '  const type = (pm.response.headers.get("content-type") ?? "").split(";")[0];',
    '  const types = declared[pm.response.code].map((name) => name.split(";")[0]);',
    '  if (types.length > 0 && !types.includes("*/*")) pm.expect(types).to.include(type);',
    '});',
  ];
}

function item(name, method, path, operation, body) {
  const parameters = (operation.parameters ?? []).map(resolve);
  const of = (where) => parameters.filter((parameter) => parameter.in === where && exampleOf(parameter) !== undefined);
  const filled = of('path').reduce((at, p) => at.replace(`{${p.name}}`, encodeURIComponent(madeFor(operation) ?? exampleOf(p))), path);
  // An item of the example's is none of the response that was made.
  const isAsked = (p) => !(isOfResponses(operation) && p.name === 'after');
  const query = of('query').filter(isAsked).map((p) => `${p.name}=${encodeURIComponent(exampleOf(p))}`);
  const header = of('header').map((p) => ({ key: p.name, value: String(exampleOf(p)) }));
  if (body !== undefined) header.push({ key: 'content-type', value: 'application/json' });
  return {
    name,
    request: {
      method: method.toUpperCase(),
      url: serverOf(operation) + filled + (query.length > 0 ? `?${query.join('&')}` : ''),
      header,
      ...(body !== undefined && { body: { mode: 'raw', raw: JSON.stringify(body) } }),
    },
    event: [{ listen: 'test', script: { exec: script(operation.responses) } }],
  };
}

const items = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([, operation]) => operation.operationId)
    .flatMap(([method, operation]) => {
      const media = operation.requestBody?.content['application/json'];
      const bodies = media ? Object.entries(media.examples) : [['as written', {}]];
      return bodies.map(([name, { value }]) => item(`${operation.operationId}, ${name}`, method, path, operation, value));
    }),
);

newman.run({ collection: { info: { name: document.info.title }, item: items }, reporters: [] }, (error, summary) => {
  if (error) throw error;
  const { failures, stats } = summary.run;
  for (const failure of failures) console.error(`${failure.source?.name}: ${failure.error.message}`);
  console.log(`${stats.requests.total} requests as the document shows them, ${failures.length} failures`);
  process.exit(failures.length === 0 && stats.requests.total === items.length ? 0 : 1);
});
