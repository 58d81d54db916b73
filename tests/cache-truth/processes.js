// SPDX-License-Identifier: MIT
// Processes of a run: started with a log each, ended with the run, some of them with a wall clock that is stepped.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';

const PATIENCE_MS = 120000;
const all = new Set();
process.on('exit', () => { for (const child of all) child.kill('SIGKILL'); });

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// A wall clock: step() sets it apart from the machine's.
export class Clock {
  constructor(file) {
    writeFileSync(file, Buffer.alloc(8));
    this.file = file;
    this.descriptor = openSync(file, 'r+');
  }

  step(seconds) {
    const us = Buffer.alloc(8);
    us.writeBigInt64LE(BigInt(Math.round(seconds * 1e6)));
    writeSync(this.descriptor, us, 0, 8, 0);
  }

  close() { closeSync(this.descriptor); }
}

class Process {
  constructor(program, args, { log, clock }) {
    const out = openSync(log, 'a');
    const env = clock === undefined ? process.env : { ...process.env, LD_PRELOAD: process.env.CLOCK, SLUICE_TEST_CLOCK: clock.file };
    Object.assign(this, { program, log, running: true, child: spawn(program, args, { stdio: ['ignore', out, out], env }) });
    closeSync(out);
    all.add(this.child);
    this.ended = new Promise((done) => this.child.once('exit', (status, signal) => {
      this.running = false;
      all.delete(this.child);
      done(status ?? signal);
    }));
    this.child.on('error', () => { this.running = false; });
  }

  // Waits until the log has the text, a string or an expression. Returns what matched.
  async says(text) {
    for (let end = performance.now() + PATIENCE_MS; performance.now() < end; await wait(5)) {
      const said = readFileSync(this.log, 'utf8');
      const match = typeof text === 'string' ? said.includes(text) : text.exec(said);
      if (match) return match;
      if (!this.running) throw new Error(`${this.program} ended: ${said.slice(-2000)}`);
    }
    throw new Error(`${this.program} never said ${text}`);
  }

  // Ends it as an operator does. Returns its exit status.
  async stop() {
    this.child.kill('SIGTERM');
    return Promise.race([this.ended, wait(PATIENCE_MS).then(() => 'nothing within a minute')]);
  }

  kill() { this.child.kill('SIGKILL'); }
}

export const start = (program, args, options) => new Process(program, args, options);
export const killAll = () => { for (const child of all) child.kill('SIGKILL'); };
