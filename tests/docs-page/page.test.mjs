// SPDX-License-Identifier: MIT
// The docs page in Chromium, against the real service and simulators that misbehave on
// command: on the admin listener, which serves the API to it. Pictures of it go to DOCS_PICTURES.
//
//   SLUICE_ADMIN_URL=… SLUICE_KEYS_URL=… SIM_URL=… CHROMIUM=… DOCS_PICTURES=… node --test page.test.mjs
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const { SLUICE_ADMIN_URL: url, SLUICE_KEYS_URL: keyedUrl, SIM_URL: simulator, CHROMIUM: executablePath, DOCS_PICTURES: pictures } = process.env;
const GUARD_MS = 300_000; // only so that a test cannot hang for ever
const CHAT = '#operations-inference-createChatCompletion';
const MODELS = '#operations-models-listModels';
const MODEL = '#operations-models-retrieveModel';
const FANOUT = '#operations-orchestration-createFanout';

let browser;
let page;
let troubles; // what a visitor with open developer tools would see
let foreign; // requests to anybody else

before(async () => {
  mkdirSync(pictures, { recursive: true });
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: GUARD_MS });
});
after(() => browser?.close());

async function newPage(options) {
  page = await browser.newPage(options);
  page.setDefaultTimeout(GUARD_MS);
}

async function open(options = {}) {
  await newPage(options);
  troubles = [];
  foreign = [];
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('request', (request) => request.url().startsWith(url) || request.url().startsWith('data:') || foreign.push(request.url()));
  await page.goto(`${url}/docs`);
  await page.waitForSelector('.opblock');
}

// Opens the page of a service whose first model has that name, and its chat operation.
async function openWith(model) {
  await newPage();
  foreign = [];
  page.on('request', (request) => request.url().startsWith(url) || request.url().startsWith('data:') || foreign.push(request.url()));
  await page.route('**/v1/models?limit=1', (route) => route.fulfill({ json: { object: 'list', data: [{ id: model }] } }));
  await page.goto(`${url}/docs`);
  await page.waitForSelector('.opblock');
  await page.click(`${CHAT} .opblock-summary-control`);
}

const picture = (name) => page.screenshot({ path: `${pictures}/${name}.png`, fullPage: false });

// Opens the operation, writes that body and presses Execute.
async function execute(body, operation = CHAT) {
  await page.click(`${operation} .opblock-summary-control`);
  await page.fill(`${operation} textarea.body-param__text`, JSON.stringify(body));
  await page.click(`${operation} button.execute`);
}

const ask = (model, more) => ({ model, messages: [{ role: 'user', content: 'Tell me about rivers' }], stream: true, ...more });
const live = `${CHAT} .live`;
const state = () => page.getAttribute(live, 'data-state');
const reaches = (wanted) => page.waitForSelector(`${live}[data-state="${wanted}"]`);

test('the page lists every operation, asks nobody else and complains about nothing', async () => {
  await open();
  const document = await (await fetch(`${url}/openapi.json`)).json();
  const ids = Object.values(document.paths).flatMap((path) => Object.values(path).map((operation) => operation.operationId));
  for (const id of ids) assert.equal(await page.locator(`.opblock[id$="-${id}"]`).count(), 1, id);
  await picture('page');
  assert.deepEqual(foreign, []);
  assert.deepEqual(troubles, []);
  await page.close();
});

test('a streamed answer is shown while it comes, and complete when it is', async () => {
  await open();
  await execute(ask('gated'));
  await page.waitForFunction((selector) => document.querySelector(selector)?.textContent.length > 0, `${live} .live-text`);
  assert.equal(await state(), 'streaming');
  await picture('streaming');
  const early = await page.textContent(`${live} .live-text`);
  await fetch(`${simulator}/sim/control`, { method: 'POST', body: '{"gate":true}' });
  await reaches('complete');
  const late = await page.textContent(`${live} .live-text`);
  assert.ok(late.startsWith(early) && late.length > early.length, `${early} … ${late}`);
  await page.waitForFunction((selector) => document.querySelector(selector)?.textContent.includes('[DONE]'), `${CHAT} .responses-wrapper`);
  await picture('complete');
  assert.deepEqual(troubles, []);
  await page.close();
});

test('a stream that was cut is shown as cut, with what came', async () => {
  await open();
  await execute(ask('cut'));
  await reaches('failed'); // the service tells the cut in the stream
  assert.match(await page.textContent(`${live} .live-raw`), /upstream_reset|upstream_truncated/);
  await picture('failed');
  await page.close();
});

test('a fan-out is shown lane by lane', async () => {
  await open();
  const request = { messages: [{ role: 'user', content: 'Tell me about rivers' }] };
  await execute({ targets: ['demo', 'cut'], strategy: 'race', request, stream: true }, FANOUT);
  await page.waitForSelector(`${FANOUT} .live:is([data-state="complete"], [data-state="failed"])`);
  const lanes = await page.locator(`${FANOUT} .live-lane`).allTextContents();
  assert.equal(lanes.length, 2, lanes.join(' | '));
  assert.ok(lanes.some((lane) => lane.startsWith('demo: ')) && lanes.some((lane) => lane.startsWith('cut: ')), lanes.join(' | '));
  await picture('fanout');
  assert.deepEqual(troubles, []);
  await page.close();
});

test('a connection to the service that breaks is shown as cut', async () => {
  await open();
  await page.route('**/v1/chat/completions', (route) =>
    route.fulfill({ contentType: 'text/event-stream', body: 'data: {"choices":[{"delta":{"content":"half"}}]}\n\n' }),
  );
  await execute(ask('demo'));
  await reaches('cut');
  assert.equal(await page.textContent(`${live} .live-text`), 'half');
  await picture('cut');
  await page.close();
});

test('nothing is sent that nobody filled in, and the first model is asked', async () => {
  const parameters = (await (await fetch(`${url}/openapi.json`)).json()).components.parameters;
  const optional = Object.values(parameters).map((parameter) => parameter.name);
  assert.ok(optional.includes('traceparent') && optional.includes('cache-control'), optional.join());
  await openWith('first/one');
  const body = await page.inputValue(`${CHAT} textarea.body-param__text`);
  assert.equal(JSON.parse(body).model, 'first/one');
  const sent = page.waitForRequest('**/v1/chat/completions');
  await page.click(`${CHAT} button.execute`);
  const headers = (await sent).headers();
  for (const name of optional) assert.equal(headers[name], undefined, name);
  const listed = page.waitForResponse((response) => response.url().endsWith('/v1/models'));
  await page.click(`${MODELS} .opblock-summary-control`);
  await page.click(`${MODELS} button.execute`);
  assert.equal((await listed).status(), 200); // without limit and after
  await page.click(`${MODEL} .opblock-summary-control`);
  assert.equal(await page.inputValue(`${MODEL} tr[data-param-name="id"] input`), 'first/one');
  assert.deepEqual(foreign, []);
  await page.close();
});

test('an error answer is shown as the answer it is', async () => {
  await open();
  await execute(ask('no-such-model'));
  await page.waitForFunction((selector) => document.querySelector(selector)?.textContent.includes('model_not_found'), CHAT);
  assert.equal(await page.locator(live).count(), 0);
  await page.close();
});

test('a key that is given under Authorize is shown to the service', async () => {
  const headers = { 'content-type': 'application/json' };
  const made = await fetch(`${keyedUrl}/admin/keys`, { method: 'POST', headers, body: JSON.stringify({ name: 'visitor' }) });
  assert.equal(made.status, 200);
  const { key } = await made.json();
  const answered = (status) => page.waitForSelector(`${CHAT} .live-responses-table .response-col_status:has-text("${status}")`);
  await newPage();
  await page.goto(`${keyedUrl}/docs`);
  await page.waitForSelector('.opblock');
  await execute(ask('demo', { stream: false }));
  await answered(401);
  await page.click('.scheme-container .btn.authorize');
  await page.fill('#auth-bearer-value', key);
  await page.click('.auth-container:has(input#auth-bearer-value) .btn.authorize');
  await page.click('.auth-container:has-text("bearer") .btn-done');
  await picture('authorized');
  await page.click(`${CHAT} button.execute`);
  await answered(200);
  await page.fill(`${CHAT} textarea.body-param__text`, JSON.stringify(ask('demo')));
  await page.click(`${CHAT} button.execute`);
  await reaches('complete');
  await page.close();
});

test('it can be read in the dark and on a narrow screen', async () => {
  await open({ colorScheme: 'dark' });
  await execute(ask('demo'));
  await reaches('complete');
  await page.locator(live).scrollIntoViewIfNeeded();
  await picture('dark');
  await page.close();
  await open({ viewport: { width: 380, height: 800 } });
  await execute(ask('demo'));
  await reaches('complete');
  await page.locator(live).scrollIntoViewIfNeeded();
  await picture('narrow');
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wider <= 0, `${wider} px wider than the screen`);
  await page.close();
});
