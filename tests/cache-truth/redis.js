// SPDX-License-Identifier: MIT
// Real Redis servers for a run: one, a cluster of three masters, or a master with a replica and three sentinels. Each
// start function returns { yaml, processes }: the service's configuration; sentinels also failOver(), one server also die().
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { start, wait } from './processes.js';

const PATIENCE_MS = 120000;
let servers = 0;

// One command on a connection of its own. Returns the answer as the protocol has it, or '' when there is none.
function say(port, command) {
  return new Promise((done) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(`${command}\r\nQUIT\r\n`));
    socket.on('data', (data) => { answer += data; });
    socket.on('error', () => done(''));
    socket.on('close', () => done(answer));
  });
}

async function until(port, command, text) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await say(port, command);
    if (answer.includes(text)) return answer;
    if (performance.now() > end) throw new Error(`redis: "${command}" never said "${text}", but "${answer}"`);
    await wait(10);
  }
}

const isFree = (port) => new Promise((done) => {
  const socket = connect(port, '127.0.0.1', () => { socket.destroy(); done(false); });
  socket.on('error', () => done(true));
});

// Below the ports that the kernel gives to connections, as is the port of a cluster's bus, 10000 above.
async function freePort() {
  for (;;) {
    const port = 10000 + Math.floor(Math.random() * 12000);
    if (await isFree(port) && await isFree(port + 10000)) return port;
  }
}

async function server(directory, options, sentinel) {
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await freePort(), own = join(directory, `redis-${++servers}`);
    mkdirSync(own);
    const file = join(own, 'redis.conf');
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${own}\n${sentinel ? '' : 'save ""\nappendonly no\nrepl-diskless-sync-delay 0\n'}${options}`);
    const process = start(sentinel ? 'redis-sentinel' : 'redis-server', [file], { log: join(own, 'log') });
    for (let end = performance.now() + PATIENCE_MS; process.running && performance.now() < end; await wait(5))
      if (await say(port, 'PING') !== '') return { port, process };
  }
  throw new Error('redis-server does not start; is it installed?');
}

export async function single(directory, clock) {
  const socket = join(directory, 'redis.sock');
  const file = join(directory, 'redis.conf');
  writeFileSync(file, `port 0\nunixsocket ${socket}\nsave ""\ndir ${directory}\n`);
  const begin = async () => {
    const process = start('redis-server', [file], { log: join(directory, `redis-${++servers}.log`), clock });
    await process.says('ready to accept');
    return process;
  };
  const processes = [await begin()];
  return {
    yaml: `redis: { unix: ${socket}, budget: 5s }\n`,
    processes,
    // It dies, and comes back with nothing.
    die: async () => {
      processes[0].kill();
      await processes[0].ended;
      processes[0] = await begin();
    },
  };
}

export async function cluster(directory) {
  const nodes = await Promise.all([0, 1, 2].map(() => server(directory, 'cluster-enabled yes\ncluster-node-timeout 2000\n', false)));
  for (const [index, { port }] of nodes.entries()) {
    await say(port, `CLUSTER ADDSLOTSRANGE ${Math.floor(16384 * index / 3)} ${Math.floor(16384 * (index + 1) / 3) - 1}`);
    await say(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
  }
  for (const { port } of nodes.slice(1)) await say(port, `CLUSTER MEET 127.0.0.1 ${nodes[0].port}`);
  for (const { port } of nodes) await until(port, 'CLUSTER INFO', 'cluster_state:ok');
  return { yaml: `redis: { mode: cluster, servers: [127.0.0.1:${nodes[0].port}, 127.0.0.1:${nodes[1].port}], budget: 5s }\n`, processes: nodes.map(({ process }) => process) };
}

// What the master has acknowledged must be at the replica before the roles change: Redis itself may lose the rest.
async function failOver(master, sentinels) {
  const next = await until(sentinels[0].port, 'SENTINEL REPLICAS mymaster', 'slave');
  await until(master.port, 'WAIT 1 1000', ':1');
  await until(sentinels[0].port, 'SENTINEL FAILOVER mymaster', '+OK');
  const port = /\r\nport\r\n\$[0-9]+\r\n([0-9]+)/.exec(next)[1];
  for (const sentinel of sentinels) await until(sentinel.port, 'SENTINEL GET-MASTER-ADDR-BY-NAME mymaster', `\r\n${port}\r\n`);
  await until(Number(port), 'ROLE', 'master');
  await until(master.port, 'ROLE', 'slave');
}

export async function sentinels(directory) {
  const master = await server(directory, '', false);
  const replica = await server(directory, `replicaof 127.0.0.1 ${master.port}\n`, false);
  await until(replica.port, 'INFO replication', 'master_link_status:up');
  const options = `sentinel monitor mymaster 127.0.0.1 ${master.port} 2\nsentinel down-after-milliseconds mymaster 5000\nsentinel failover-timeout mymaster 3000\n`;
  const all = await Promise.all([0, 1, 2].map(() => server(directory, options, true)));
  for (const { port } of all) {
    await until(port, 'SENTINEL CKQUORUM mymaster', '+OK 3 usable');
    await until(port, 'SENTINEL MASTER mymaster', 'num-slaves\r\n$1\r\n1');
  }
  return {
    yaml: `redis:\n  mode: sentinel\n  master: mymaster\n  budget: 5s\n  servers: [${all.map(({ port }) => `127.0.0.1:${port}`).join(', ')}]\n`,
    processes: [master, replica, ...all].map(({ process }) => process),
    failOver: () => failOver(master, all),
  };
}
