// SPDX-License-Identifier: MIT
// What happened in a run, and the evidence of a wrong answer: all that has to do with its meaning, in the order of time,
// with the configurations and logs of all processes.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class History {
  constructor(directory) {
    this.directory = directory; // where evidence goes
    this.events = [];
  }

  // at: when it began. meanings: of the request that it is about; undefined = it is about all of them.
  note(what, at, meanings, details) {
    const event = { what, at, meanings, ...details };
    this.events.push(event);
    return event;
  }

  // Keeps the evidence. Returns where.
  keep(name, wrong, files) {
    const directory = join(this.directory, name), concerned = new Set(wrong.meanings);
    const events = this.events.filter(({ meanings }) => meanings === undefined || meanings.some((meaning) => concerned.has(meaning)));
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'wrong.json'), JSON.stringify(wrong, null, 2));
    writeFileSync(join(directory, 'history.jsonl'), events.sort((a, b) => a.at - b.at).map((event) => `${JSON.stringify(event)}\n`).join(''));
    for (const file of files) cpSync(file, join(directory, file.split('/').slice(-2).join('-')));
    return directory;
  }
}
