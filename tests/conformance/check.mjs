// SPDX-License-Identifier: MIT
// Judges a record of exchanges (harness/record.h) against the OpenAPI document.
//
//   node check.mjs --document openapi.json --errors lib/errors.def RECORD…
//
// Exits 1 when something was found, 2 when it could not be run.
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { Document } from './document.mjs';
import * as exceptions from './exceptions.mjs';
import { Judge, judgeCoverage } from './judge.mjs';

// Findings that are alike are told once, with their number.
export class Report {
  groups = new Map();

  add(place, finding) {
    const key = [place.about, finding.where, finding.pointer.replace(/\/\d+/g, '/N'), finding.expected].join('\n');
    const group = this.groups.get(key) ?? { place, finding, count: 0 };
    group.count++;
    this.groups.set(key, group);
  }

  print(write) {
    for (const { place, finding, count } of this.groups.values()) {
      if (finding.where === 'coverage') continue;
      write(`${place.at}${place.about}${place.seen}${count > 1 ? ` and ${count - 1} more` : ''}`);
      write(`  ${finding.where} ${finding.pointer}`.trimEnd());
      write(`    expected: ${finding.expected}`);
      write(`    got:      ${finding.got}`);
    }
    const missing = [...this.groups.values()].filter(({ finding }) => finding.where === 'coverage');
    if (missing.length > 0) write('never exercised:');
    for (const { finding } of missing) write(`  ${finding.pointer.slice(1)}`);
  }
}

// The codes of lib/errors.def: ERROR(SYMBOL, …, status, "type", "code", …)
export function readErrors(text) {
  const rows = text.matchAll(/^ERROR\([^"]*?(\d{3}),\s*"([^"]+)",\s*"([^"]+)"/gm);
  return new Map([...rows].map(([, status, type, code]) => [code, { status: Number(status), type }]));
}

function placeOf(judge, record, file, number) {
  const operation = record.malformed ? undefined : judge.document.find(record.method, record.path.split('?')[0]);
  const name = operation?.id ?? (record.malformed ? 'malformed request' : `${record.method} ${record.path}`);
  const about = ` ${name} ${record.response.status}`;
  return { at: `${file}:${number}`, about, seen: ` (${record.program}: ${record.scenario})` };
}

async function judgeFile(judge, file, report) {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number++;
    const record = JSON.parse(line);
    for (const finding of judge.judge(record)) report.add(placeOf(judge, record, file, number), finding);
  }
  return number;
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { document: { type: 'string' }, errors: { type: 'string' } },
    allowPositionals: true,
  });
  const document = new Document(JSON.parse(readFileSync(values.document, 'utf8')));
  const known = readErrors(readFileSync(values.errors, 'utf8'));
  const judge = new Judge(document, known, exceptions);
  const report = new Report();
  let records = 0;
  for (const file of positionals) records += await judgeFile(judge, file, report);
  for (const finding of judgeCoverage(judge)) report.add({ at: values.document, about: '', seen: '' }, finding);
  report.print(console.log);
  const { coverage } = judge;
  console.log(
    `${records} exchanges, ${coverage.operations.size} of ${document.operations.length} operations, ` +
      `${coverage.statuses.size} answers, ${coverage.codes.size} of ${known.size} codes: ` +
      `${report.groups.size === 0 ? 'all as documented' : `${report.groups.size} findings`}`,
  );
  return report.groups.size === 0 && records > 0 ? 0 : 1;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  process.exitCode = await main().catch((error) => {
    console.error(error);
    return 2;
  });
}
