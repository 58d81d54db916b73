// SPDX-License-Identifier: MIT
// What a run is made of: backends, the Redis that replicas share, and one or two processes of the service.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Backends } from './backend.js';
import { Clock, killAll, start, wait } from './processes.js';

// targets: whose answers a model may give. first: the only one whose answers are kept. gathers: an answer does not say
// which call it is of. fails: now and then nobody answers.
export const models = [
  { name: 'plain', plan: 'one/x', targets: ['one'] },
  { name: 'alias', plan: 'one/x', targets: ['one'] },
  { name: 'balance', plan: '{ balance: [one/x, two/x] }', targets: ['one', 'two'] },
  { name: 'race', plan: '{ race: [one/x, two/x] }', targets: ['one', 'two'] },
  { name: 'hedge', plan: '{ hedge: [one/x, two/y], after: 5ms, hedges: 100% }', targets: ['one', 'two'], first: 'one' },
  { name: 'fallback', plan: '{ fallback: [flaky/x, two/y] }', targets: ['flaky', 'two'], first: 'flaky', fails: true },
  { name: 'quorum', plan: '{ quorum: [one/same, two/same], agree: 2 }', targets: [], gathers: true },
  { name: 'resume', plan: '{ fallback: [flaky/same, one/same], resume: replay }', targets: [], fails: true, gathers: true },
];

const configuration = (ports, rest) => [
  'listen: [127.0.0.1:0]', 'admin: off', 'public: admin', 'workers: 2', 'retries: { percent: 100, least: 1000 }', 'backends:',
  ...Object.entries(ports).map(([name, port]) => `  ${name}: { url: 'http://127.0.0.1:${port}/v1', breaker: { enabled: false } }`),
  'models:', ...models.map(({ name, plan }) => `  ${name}: ${plan}`), rest, '',
].join('\n');

export class World {
  // setup: { replicas: [{ yaml, … }], redis, clocks }; what else a replica says is for the judge.
  constructor(setup, seed) {
    this.setup = setup;
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-truth-'));
    process.on('exit', () => { killAll(); rmSync(this.directory, { recursive: true, force: true }); });
    this.backends = new Backends(seed);
    this.clocks = [];
    this.files = []; // the evidence
  }

  clock() {
    if (!this.setup.clocks) return undefined;
    this.clocks.push(new Clock(join(this.directory, `clock-${this.clocks.length}`)));
    return this.clocks.at(-1);
  }

  async replica(index, ports, shared, rule) {
    const file = join(this.directory, `sluice-${index}.yaml`), log = join(this.directory, `sluice-${index}.log`);
    writeFileSync(file, configuration(ports, shared + rule.yaml));
    this.files.push(file, log);
    const process = start(globalThis.process.env.BIN, ['--config', file], { log, clock: this.clock() });
    const port = Number((await process.says(/"msg":"listening","address":"127\.0\.0\.1:([0-9]+)"/))[1]);
    return { ...rule, port, process, busy: 0, agent: new Agent({ keepAlive: true }), session: connect(`http://127.0.0.1:${port}`) };
  }

  async open() {
    const ports = this.ports = {};
    for (const [name, fails] of [['one', 0], ['two', 0], ['flaky', 0.3]]) ports[name] = await this.backends.add(name, fails);
    this.redis = await this.setup.redis?.(this.directory, this.clock());
    this.replicas = await Promise.all(this.setup.replicas.map((rule, index) => this.replica(index, ports, this.redis?.yaml ?? '', rule)));
    this.live = [...this.replicas.keys()]; // who is asked
    return this;
  }

  // A new process takes the place of the last replica, as in an upgrade: it has a number of its own.
  async replace() {
    const index = this.replicas.length, old = this.replicas[this.live.at(-1)];
    this.replicas.push(await this.replica(index, this.ports, this.redis?.yaml ?? '', this.setup.replicas.at(-1)));
    this.live[this.live.length - 1] = index;
    while (old.busy > 0) await wait(5);
    this.end(old);
  }

  end(replica) {
    replica.session.close();
    replica.agent.destroy();
    replica.status ??= replica.process.stop();
    return replica.status;
  }

  async close() {
    const statuses = await Promise.all(this.replicas.map((replica) => this.end(replica)));
    this.backends.close();
    for (const process of this.redis?.processes ?? []) process.kill();
    for (const clock of this.clocks) clock.close();
    rmSync(this.directory, { recursive: true, force: true });
    if (statuses.some((status) => status !== 0)) throw new Error(`${this.setup.name}: replicas ended with ${statuses.join(', ')}`);
  }
}
