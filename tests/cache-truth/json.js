// SPDX-License-Identifier: MIT
// JSON as it is written: members in their order, numbers in their spelling. What JSON.parse() would lose is what the
// cache's key is about.

export class Raw {
  constructor(text) { this.text = text; }
}

// A document as { type, … }: object has members [[name, value]], array items, number text, string value.
export function parse(text) {
  let at = 0;
  const fail = () => { throw new Error(`no JSON at ${at}: ${text.slice(at, at + 40)}`); };
  const space = () => { while (' \t\r\n'.includes(text[at]) && at < text.length) at++; };
  const take = (c) => { if (text[at] !== c) fail(); at++; };
  const string = () => {
    const from = at;
    take('"');
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    at++;
    return JSON.parse(text.slice(from, at));
  };
  const list = (close, one) => {
    const all = [];
    at++;
    space();
    if (text[at] === close) { at++; return all; }
    for (;;) {
      space();
      all.push(one());
      space();
      if (text[at] === close) { at++; return all; }
      take(',');
    }
  };
  const value = () => {
    space();
    if (text[at] === '{') return { type: 'object', members: list('}', () => { const name = string(); space(); take(':'); return [name, value()]; }) };
    if (text[at] === '[') return { type: 'array', items: list(']', value) };
    if (text[at] === '"') return { type: 'string', value: string() };
    for (const word of ['true', 'false', 'null']) {
      if (text.startsWith(word, at)) { at += word.length; return { type: word }; }
    }
    const number = /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/.exec(text.slice(at));
    if (number === null) fail();
    at += number[0].length;
    return { type: 'number', text: number[0] };
  };
  const root = value();
  space();
  if (at !== text.length) fail();
  return root;
}

export const member = (object, name) => object.members?.find(([key]) => key === name)?.[1];
