// SPDX-License-Identifier: MIT
// Server-sent events as the WHATWG HTML standard reads them (section 9.2.6), with a
// list of what a strict reader objects to although a browser would pass over it.

// The last two are those of the simulator's odd streams, which are relayed as they are.
const FIELDS = new Set(['data', 'event', 'id', 'retry', 'unknown', 'nocolon']);

// Lines end with CRLF, LF or CR. What follows the last line end is returned apart.
function splitLines(text) {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  return { rest: lines.pop(), lines };
}

function readField(line) {
  const colon = line.indexOf(':');
  if (colon < 0) return { name: line, value: '' };
  const value = line.slice(colon + 1);
  return { name: line.slice(0, colon), value: value.startsWith(' ') ? value.slice(1) : value };
}

// { events: [{ data, event }], problems: [text], rest: what would be thrown away at the end }
export function readEvents(text) {
  const { lines, rest } = splitLines(text);
  const events = [];
  const problems = [];
  let pending = [];
  let event = '';
  for (const line of lines) {
    if (line === '') {
      if (pending.length > 0) events.push({ data: pending.join('\n'), event });
      pending = [];
      event = '';
      continue;
    }
    if (line.startsWith(':')) continue;
    const { name, value } = readField(line);
    if (!FIELDS.has(name)) problems.push(`a line that is no field: «${line.slice(0, 80)}»`);
    if (name === 'data') pending.push(value);
    if (name === 'event') event = value;
  }
  return { events, problems, rest: [...pending.map((data) => `data: ${data}`), rest].join('\n') };
}
