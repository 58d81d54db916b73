// SPDX-License-Identifier: MIT
// Random requests to real processes, every answer judged. By environment: BIN, the service; CLOCK, the wall clock that is
// stepped (stepped_clock.c); SLUICE_TRUTH_TRIALS, _SEED, _KEEP (where evidence goes) and _SETUPS (names, by commas).
// A seed makes the same requests and delays again; in which order they meet is up to the machine.
import { over1, over2 } from './client.js';
import { Generator, randomOf, seedOf } from './generate.js';
import { History } from './history.js';
import { Judge } from './judge.js';
import { meaningsIn } from './meaning.js';
import { wait } from './processes.js';
import { cluster, sentinels, single } from './redis.js';
import { World, models } from './world.js';

const AT_ONCE = 48, ROUND = 20000, PURGE_EVERY = 250, STEP_EVERY = 40, DEATH_EVERY = 300, WRONG_MOST = 5, DAY_S = 86400, HOUR_MS = 3600e3, PATIENCE_MS = 120000;
const trials = Number(process.env.SLUICE_TRUTH_TRIALS ?? ROUND);
const seed = BigInt(process.env.SLUICE_TRUTH_SEED ?? Date.now());
const keep = process.env.SLUICE_TRUTH_KEEP ?? 'build/cache-truth';

const equal = { yaml: '' };
const setups = [
  { name: 'one process', replicas: [equal] },
  { name: 'two replicas', replicas: [equal, equal], redis: single, replaces: true },
  { name: 'two that differ', redis: single,
    replicas: [
      { yaml: 'cache: { finish: any, ttl: 2s, stale_if_error: 1h, models: { alias: { finish: stop } } }\n', any: true, strict: 'alias', ttl: () => 2000, stale: true },
      { yaml: 'cache: { size: 64KiB, models: { alias: { ttl: 1s } } }\n', ttl: (model) => (model === 'alias' ? 1000 : undefined) },
    ] },
  { name: 'a cluster', replicas: [equal, equal], redis: cluster },
  { name: 'sentinels', replicas: [equal, equal], redis: sentinels },
  { name: 'a Redis that dies', replicas: [equal, { yaml: 'cache: { size: 64KiB }\n' }], redis: single, dies: true },
  { name: 'clocks that step', replicas: [equal, { yaml: 'cache: { finish: any }\n', any: true }], redis: single, clocks: true },
].filter(({ name }) => (process.env.SLUICE_TRUTH_SETUPS ?? name).split(',').includes(name));

class Run {
  constructor(world, count, seed) {
    Object.assign(this, { world, count, seed, name: world.setup.name, number: 0, tags: [], wrong: 0 });
    this.history = new History(keep);
    this.judge = new Judge(world.backends, world.replicas, world.setup.dies);
    world.backends.history = this.history;
  }

  // Purges all or one model at a replica. Returns whether that is complete: only then anybody may rely on it.
  async purge(replica, model) {
    const since = performance.now();
    this.world.replicas[replica].busy++;
    const answer = await over1(this.world.replicas[replica], 'DELETE', `/admin/cache${model === undefined ? '' : `?model=${model.name}`}`, [], undefined);
    this.world.replicas[replica].busy--;
    const complete = answer.status === 200 && answer.body.includes('"complete":true');
    this.history.note('purge', since, undefined, { replica, model: model?.name, ended: answer.ended, complete });
    if (complete) this.judge.purged(replica, since, answer.ended, model);
    return complete;
  }

  // Redis changes its master while nothing is asked. Every replica follows in time.
  async failOver() {
    await this.world.redis.failOver();
    this.history.note('failover', performance.now(), undefined, {});
    for (const replica of this.world.live)
      for (let end = performance.now() + PATIENCE_MS; !await this.purge(replica); await wait(50))
        if (performance.now() > end) throw new Error(`${this.name}: no purge is complete after the failover`);
  }

  async die() {
    await this.world.redis.die();
    this.history.note('death', performance.now(), undefined, {});
  }

  // The clocks of all processes go their own ways: the service's by days, that of Redis by minutes.
  step(generator) {
    const index = generator.below(this.world.clocks.length), most = index === 0 ? 600 : 3 * DAY_S;
    const seconds = (generator.random() * 2 - 1) * most;
    this.world.clocks[index].step(seconds);
    this.history.note('step', performance.now(), undefined, { clock: index, seconds });
  }

  async trial(number) {
    const generator = new Generator(randomOf(seedOf(this.seed, this.name, number)));
    if (number % PURGE_EVERY === 0) {
      const replica = generator.pick(this.world.live), model = generator.chance(0.5) ? generator.pick(models) : undefined;
      if (!await this.purge(replica, model) && !this.world.setup.dies) throw new Error(`${this.name}: a purge was incomplete`);
    }
    if (number === Math.floor(this.count / 2) && this.world.setup.replaces) await this.world.replace();
    if (number % DEATH_EVERY === 0 && this.world.setup.dies) await this.die();
    if (number % STEP_EVERY === 0 && this.world.clocks.length > 0) this.step(generator);
    const request = generator.next(models);
    const fields = [['content-type', 'application/json'], ['x-request-id', `${request.tenant}-${number}`]];
    if (request.tenant !== 'none') fields.push(['authorization', `Bearer ${request.tenant}`]);
    for (const directive of request.control) fields.push(['Cache-Control', directive]);
    request.tags = generator.chance(0.3) ? this.tags : [];
    for (let i = 0; i < request.tags.length; i += 40) fields.push(['If-None-Match', request.tags.slice(i, i + 40).join(', ')]);
    request.replica = generator.pick(this.world.live);
    const over = generator.chance(0.5) ? over1 : over2;
    request.meanings = meaningsIn(request.path, request.text);
    request.started = performance.now();
    const event = this.history.note('trial', request.started, request.meanings, {
      number, over: over.name, replica: request.replica, tenant: request.tenant, model: request.model.name, control: request.control, form: request.form, outside: request.outside, text: request.text });
    const replica = this.world.replicas[request.replica];
    replica.busy++;
    const answer = await over(replica, 'POST', request.path, fields, request.text);
    replica.busy--;
    Object.assign(event, { ended: answer.ended, status: answer.status, cache: answer.headers['cache-status'], tag: answer.headers.etag, says: answer.body.match(/[0-9a-f]{20}:[0-9]+:[a-z]+/)?.[0] });
    if (Math.abs(Date.parse(answer.headers.date) - Date.now()) > HOUR_MS) this.judge.count('stepped');
    try {
      this.judge.judge(request, answer);
    } catch (error) {
      this.report(number, request, fields, answer, error);
    }
    if (answer.headers.etag !== undefined) this.tags = [...this.tags.slice(-99), answer.headers.etag];
  }

  report(number, request, fields, answer, error) {
    this.wrong++;
    const evidence = this.history.keep(`${this.seed}-${this.name.replaceAll(' ', '-')}-${number}`,
      { message: error.message, setup: this.name, seed: String(this.seed), trial: number, replica: request.replica, meanings: request.meanings, fields, text: request.text, answer }, this.world.files);
    console.error(`WRONG (${this.name}, seed ${this.seed}, trial ${number}, replica ${request.replica}): ${error.message}\n  the evidence is in ${evidence}`);
  }

  async some(until) {
    const one = async () => { while (this.number < until && this.wrong < WRONG_MOST) await this.trial(++this.number); };
    await Promise.all([...Array(AT_ONCE).keys()].map(one));
  }

  async all() {
    await this.some(Math.floor(this.count / 2));
    if (this.world.redis?.failOver !== undefined) await this.failOver();
    await this.some(this.count);
    console.log(`${this.name}: ${this.number} trials, ${this.world.backends.calls.length - 1} calls, ${this.wrong} wrong; ${Object.entries(this.judge.counts).sort().map(([what, count]) => `${what} ${count}`).join(', ')}`);
    for (const what of ['hit', 'collapsed', 'miss', 'bypass', 'status 304', 'status 400', ...(this.world.clocks.length > 0 ? ['stepped'] : [])])
      if (this.wrong === 0 && this.count >= 1000 && !(this.judge.counts[what] > 0)) throw new Error(`${this.name}: no ${what} in ${this.number} trials, so nothing was tried`);
  }
}

let wrong = 0;
for (let left = trials, round = seed; left > 0; left -= ROUND, round++) {
  const count = Math.min(left, ROUND);
  console.log(`SLUICE_TRUTH_SEED=${round} SLUICE_TRUTH_TRIALS=${count}`);
  const open = (setup) => { const opened = setup && new World(setup, round).open(); opened?.catch(() => {}); return opened; };
  for (let index = 0, next = open(setups[0]); index < setups.length; index++) {
    const world = await next;
    next = open(setups[index + 1]); // its servers find each other meanwhile
    const run = new Run(world, Math.ceil(count / setups.length), round);
    await run.all();
    await world.close();
    wrong += run.wrong;
  }
}
console.log(`${trials} trials from seed ${seed}: ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
