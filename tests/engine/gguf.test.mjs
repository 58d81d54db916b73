// SPDX-License-Identifier: MIT
//
// The model file is the same to the last byte on every machine and at every run;
// otherwise a failure here could not be repeated there. A wanted change of the
// model changes the sum below.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MODEL_FILE } from './harness.mjs';
import { makeGguf } from './make_gguf.mjs';

const SHA256 = '89b97334b7583765d53e29737a7c2bf7433389eb0327c08e50f3280cfe7c58f0';
const sum = (bytes) => createHash('sha256').update(bytes).digest('hex');

test('the model is written the same every time', () => {
    assert.equal(sum(makeGguf()), SHA256);
    assert.equal(sum(makeGguf()), SHA256);
});

test('the file that the engine loads is that model', () => {
    assert.equal(sum(readFileSync(MODEL_FILE)), SHA256);
});
