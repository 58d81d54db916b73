// SPDX-License-Identifier: MIT
// Random requests to real processes, every answer judged. TRIALS and SEED by environment; BIN is the service.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as http1, Agent } from 'node:http';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Backends } from './backend.js';
import { Generator, randomOf } from './generate.js';
import { Judge } from './judge.js';

const trials = Number(process.env.SLUICE_TRUTH_TRIALS ?? 20000);
const seed = process.env.SLUICE_TRUTH_SEED ?? String(Date.now());
const AT_ONCE = 48;
const directory = mkdtempSync(join(tmpdir(), 'sluice-truth-'));
const processes = [];
process.on('exit', () => { for (const child of processes) child.kill('SIGKILL'); rmSync(directory, { recursive: true, force: true }); });

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

const models = [
  { name: 'plain', plan: 'one/x', targets: ['one'] },
  { name: 'alias', plan: 'one/x', targets: ['one'] },
  { name: 'balance', plan: '{ balance: [one/x, two/x] }', targets: ['one', 'two'] },
  { name: 'race', plan: '{ race: [one/x, two/x] }', targets: ['one', 'two'] },
  { name: 'hedge', plan: '{ hedge: [one/x, two/y], after: 5ms, hedges: 100% }', targets: ['one', 'two'], first: 'one' },
  { name: 'fallback', plan: '{ fallback: [flaky/x, two/y] }', targets: ['flaky', 'two'], first: 'flaky', fails: true, chats: true },
  { name: 'quorum', plan: '{ quorum: [one/same, two/same], agree: 2 }', targets: [], gathers: true },
  { name: 'resume', plan: '{ fallback: [flaky/same, one/same], resume: replay }', targets: [], fails: true, gathers: true },
];

async function redis() {
  const socket = join(directory, 'redis.sock');
  const child = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  for await (const line of child.stdout) if (String(line).includes('ready to accept')) break;
  child.stdout.resume();
  return socket;
}

async function sluice(index, ports, rest) {
  const file = join(directory, `sluice-${index}.yaml`);
  const backends = Object.entries(ports).map(([name, port]) => `  ${name}: { url: 'http://127.0.0.1:${port}/v1', breaker: { enabled: false } }`).join('\n');
  writeFileSync(file, `listen: [127.0.0.1:0]\nadmin: off\npublic: admin\nworkers: 2\nretries: { percent: 100, least: 1000 }\nbackends:\n${backends}\nmodels:\n${models.map(({ name, plan }) => `  ${name}: ${plan}`).join('\n')}\n${rest}`);
  const child = spawn(process.env.BIN, ['--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  processes.push(child);
  let log = '';
  const port = await new Promise((found, failed) => {
    child.stderr.on('data', (data) => {
      if (log.length < 100000) log += data;
      const match = /"msg":"listening","address":"127\.0\.0\.1:([0-9]+)"/.exec(log);
      if (match) found(Number(match[1]));
    });
    child.on('exit', () => failed(new Error(`the service ended: ${log}`)));
  });
  child.removeAllListeners('exit');
  return { port, child, agent: new Agent({ keepAlive: true }), session: connect(`http://127.0.0.1:${port}`) };
}

const body = async (stream) => {
  const chunks = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch { /* cut off: the judge sees what came */ }
  return Buffer.concat(chunks).toString();
};

function over1(replica, method, path, fields, text) {
  return new Promise((done, failed) => {
    const request = http1({ host: '127.0.0.1', port: replica.port, agent: replica.agent, method, path, headers: [['host', '127.0.0.1'], ...fields].flat() }, async (response) =>
      done({ status: response.statusCode, headers: response.headers, body: await body(response), ended: performance.now() }));
    request.on('error', failed);
    request.end(text);
  });
}

function over2(replica, method, path, fields, text) {
  return new Promise((done, failed) => {
    const headers = { ':method': method, ':path': path };
    for (const [name, value] of fields) headers[name.toLowerCase()] = name.toLowerCase() in headers ? [].concat(headers[name.toLowerCase()], value).join(', ') : value;
    const stream = replica.session.request(headers);
    stream.on('error', failed);
    stream.on('response', async (head) => done({ status: head[':status'], headers: head, body: await body(stream), ended: performance.now() }));
    stream.end(text);
  });
}

class Run {
  constructor(name, rules, count, random) {
    Object.assign(this, { name, rules, count, random, number: 0, tags: [], wrong: 0 });
    this.generator = new Generator(random);
  }

  async start() {
    this.backends = new Backends(this.random);
    const ports = {};
    for (const [name, fails] of [['one', 0], ['two', 0], ['flaky', 0.3]]) ports[name] = await this.backends.add(name, fails);
    const shared = this.rules.length > 1 ? `redis: { unix: ${await redis()}, budget: 5s }\n` : '';
    this.replicas = await Promise.all(this.rules.map(async (rule, index) => Object.assign(await sluice(`${this.name}-${index}`, ports, shared + rule.yaml), rule)));
    this.judge = new Judge(this.backends, this.replicas);
  }

  // Now and then somebody purges, all or one model.
  async purge() {
    const replica = this.generator.below(this.replicas.length), model = this.generator.chance(0.5) ? this.generator.pick(models).name : undefined;
    const since = performance.now();
    const answer = await over1(this.replicas[replica], 'DELETE', `/admin/cache${model === undefined ? '' : `?model=${model}`}`, [], undefined);
    if (answer.status !== 200 || !answer.body.includes('"complete":true')) throw new Error(`a purge: ${answer.status} ${answer.body}`);
    this.judge.purged(replica, since, answer.ended, model);
    this.judge.count('purge');
  }

  async trial() {
    const number = ++this.number;
    if (number % 500 === 0) await this.purge();
    const request = this.generator.next(models);
    const fields = [['content-type', 'application/json'], ['x-request-id', `${request.tenant}-${number}`]];
    if (request.tenant !== 'none') fields.push(['authorization', `Bearer ${request.tenant}`]);
    for (const directive of request.control) fields.push(['Cache-Control', directive]);
    request.tags = this.generator.chance(0.3) ? this.tags : [];
    for (let i = 0; i < request.tags.length; i += 40) fields.push(['If-None-Match', request.tags.slice(i, i + 40).join(', ')]);
    request.replica = this.generator.below(this.replicas.length);
    const replica = this.replicas[request.replica];
    const over = this.generator.chance(0.5) ? over1 : over2;
    request.started = performance.now();
    const answer = await over(replica, 'POST', request.path, over === over1 ? [...fields, ['content-length', String(Buffer.byteLength(request.text))]] : fields, request.text);
    try {
      this.judge.judge(request, answer);
    } catch (error) {
      this.wrong++;
      console.error(`WRONG (${this.name}, seed ${seed}, trial ${number}, replica ${request.replica}): ${error.message}\n  ${JSON.stringify(fields).slice(0, 600)}\n  ${request.text}\n  ${answer.status} ${JSON.stringify(answer.headers)}\n  ${answer.body.slice(0, 800)}`);
    }
    if (answer.headers.etag !== undefined) this.tags = [...this.tags.slice(-99), answer.headers.etag];
  }

  async all() {
    const one = async () => { while (this.number < this.count && this.wrong < 5) await this.trial(); };
    await Promise.all([...Array(AT_ONCE).keys()].map(one));
    console.log(`${this.name}: ${this.number} trials, ${this.backends.calls.length - 1} calls, ${this.wrong} wrong; ${Object.entries(this.judge.counts).sort().map(([what, count]) => `${what} ${count}`).join(', ')}`);
    for (const what of ['hit', 'collapsed', 'miss', 'bypass', 'status 304', 'status 400'])
      if (this.wrong === 0 && !(this.judge.counts[what] > 0)) throw new Error(`${this.name}: no ${what} in ${this.number} trials, so nothing was tried`);
  }

  async stop() {
    for (const replica of this.replicas) {
      replica.session.close();
      replica.agent.destroy();
      const ended = new Promise((done) => replica.child.once('exit', (status, signal) => done(status ?? signal)));
      replica.child.kill('SIGTERM');
      const status = await Promise.race([ended, wait(60000).then(() => 'nothing within a minute')]);
      if (status !== 0) throw new Error(`${this.name}: a replica ended with ${status}`);
    }
    this.backends.close();
  }
}

const runs = [
  ['one process', [{ yaml: '' }]],
  ['two replicas', [{ yaml: '' }, { yaml: '' }]],
  ['two that differ', [{ yaml: 'cache: { finish: any, ttl: 2s, stale_if_error: 1h }\n', any: true }, { yaml: 'cache: { size: 64KiB }\n' }]],
];
console.log(`SLUICE_TRUTH_SEED=${seed}`);
let wrong = 0;
for (const [index, [name, rules]] of runs.entries()) {
  const run = new Run(name, rules, Math.ceil(trials / runs.length), randomOf(BigInt(seed) * 3n + BigInt(index)));
  await run.start();
  await run.all();
  await run.stop();
  wrong += run.wrong;
}
process.exit(wrong === 0 ? 0 : 1);
