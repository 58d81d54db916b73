// SPDX-License-Identifier: MIT
//
// Writes a tiny llama-architecture GGUF that llama.cpp loads: two layers, random
// weights, its own SentencePiece-style tokenizer (bytes, letters, syllables). What
// it says means nothing, but it is a real model on a real engine, and the file is
// the same to the last byte on every machine: the weights come from integers of a
// seeded generator, never from Math.random, Math.sin or a clock.
//
//   node make_gguf.mjs OUT.gguf

import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';

const SEED = 0x51a1ce;
const EMBED = 64, HEADS = 4, LAYERS = 2, FEED_FORWARD = 96, CONTEXT = 4096;

// ---- vocabulary ---------------------------------------------------------------

const TOKEN = { normal: 1, unknown: 2, control: 3, byte: 6 };

/** The tokens in id order: specials, the 256 bytes, then pieces it may say. */
function vocabulary() {
    const special = [['<unk>', TOKEN.unknown], ['<s>', TOKEN.control], ['</s>', TOKEN.control]];
    const bytes = Array.from({ length: 256 }, (_, b) =>
        [`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`, TOKEN.byte]);
    // 'x' and most of Unicode are left out: a prompt with them exercises the byte fallback.
    const letters = [...'abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWYZ0123456789.,:;!?-\'"()'];
    const syllables = [...'bdfgklmnprstvz'].flatMap((c) => [...'aeiou'].map((v) => c + v));
    // Enough of two to four bytes that no answer of some length lacks them.
    const foreign = [...'éèüöñßçåøæжяшлαβγδλ日本語水門中文한국あいうえお🙂🌊🚀🐟🛶💧'];
    const pieces = ['▁', ...letters, ...syllables, ...syllables.map((s) => '▁' + s), ...foreign];
    return [...special, ...bytes, ...pieces.map((p) => [p, TOKEN.normal])];
}

// ---- weights ------------------------------------------------------------------

/** mulberry32: 32-bit integers in, floats in [-1, 1) out, exact everywhere. */
function generator(seed) {
    let a = seed >>> 0;
    return () => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = Math.imul(a ^ (a >>> 15), a | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2147483648 - 1;
    };
}

/** All tensors in file order: { name, shape (fastest dimension first), data }. */
function tensors(vocab) {
    const next = generator(SEED);
    const random = (name, shape, scale) => ({
        name, shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => next() * scale),
    });
    const ones = (name) => ({ name, shape: [EMBED], data: new Float32Array(EMBED).fill(1) });

    const list = [random('token_embd.weight', [EMBED, vocab.length], 1)];
    for (let i = 0; i < LAYERS; i++) {
        const at = (part) => `blk.${i}.${part}.weight`;
        list.push(
            ones(at('attn_norm')),
            // Strong attention: what was said before must show in what comes next.
            random(at('attn_q'), [EMBED, EMBED], 0.5), random(at('attn_k'), [EMBED, EMBED], 0.5),
            random(at('attn_v'), [EMBED, EMBED], 0.5), random(at('attn_output'), [EMBED, EMBED], 0.5),
            ones(at('ffn_norm')),
            random(at('ffn_gate'), [EMBED, FEED_FORWARD], 0.25), random(at('ffn_up'), [EMBED, FEED_FORWARD], 0.25),
            random(at('ffn_down'), [FEED_FORWARD, EMBED], 0.25));
    }
    list.push(ones('output_norm.weight'));
    const output = random('output.weight', [EMBED, vocab.length], 1);
    // A zero row is a zero logit, which never wins: no stray bytes, no end-of-text,
    // so at temperature 0 an answer always runs until its max_tokens.
    vocab.forEach(([, type], id) => {
        if (type !== TOKEN.normal) output.data.fill(0, id * EMBED, (id + 1) * EMBED);
    });
    list.push(output);
    return list;
}

// ---- the GGUF container (version 3, little endian) ------------------------------

const ALIGNMENT = 32;
const TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 };

function scalar(size, write) { const b = Buffer.alloc(size); write(b); return b; }
const u32 = (v) => scalar(4, (b) => b.writeUInt32LE(v));
const i32 = (v) => scalar(4, (b) => b.writeInt32LE(v));
const u64 = (v) => scalar(8, (b) => b.writeBigUInt64LE(BigInt(v)));
const f32 = (v) => scalar(4, (b) => b.writeFloatLE(v));
const bool = (v) => Buffer.from([v ? 1 : 0]);
const string = (s) => { const b = Buffer.from(s, 'utf8'); return Buffer.concat([u64(b.length), b]); };
const ENCODE = { u32, i32, f32, bool, string };

const pad = (buffer) => Buffer.concat([buffer, Buffer.alloc((ALIGNMENT - buffer.length % ALIGNMENT) % ALIGNMENT)]);

function metadata(key, type, value) {
    if (!Array.isArray(value)) return Buffer.concat([string(key), u32(TYPE[type]), ENCODE[type](value)]);
    return Buffer.concat([string(key), u32(TYPE.array), u32(TYPE[type]), u64(value.length), ...value.map(ENCODE[type])]);
}

function keys(vocab) {
    return [
        ['general.architecture', 'string', 'llama'],
        ['general.name', 'string', 'sluice-tiny'],
        ['general.alignment', 'u32', ALIGNMENT],
        ['general.file_type', 'u32', 0], // all tensors are F32
        ['llama.context_length', 'u32', CONTEXT],
        ['llama.embedding_length', 'u32', EMBED],
        ['llama.block_count', 'u32', LAYERS],
        ['llama.feed_forward_length', 'u32', FEED_FORWARD],
        ['llama.attention.head_count', 'u32', HEADS],
        ['llama.attention.head_count_kv', 'u32', HEADS],
        ['llama.attention.layer_norm_rms_epsilon', 'f32', 1e-5],
        ['llama.rope.dimension_count', 'u32', EMBED / HEADS],
        ['llama.vocab_size', 'u32', vocab.length],
        ['tokenizer.ggml.model', 'string', 'llama'],
        ['tokenizer.ggml.tokens', 'string', vocab.map(([text]) => text)],
        // Longer pieces score higher, so that merging prefers them.
        ['tokenizer.ggml.scores', 'f32', vocab.map(([text, type], id) => type === TOKEN.normal ? [...text].length * 1000 - id : 0)],
        ['tokenizer.ggml.token_type', 'i32', vocab.map(([, type]) => type)],
        ['tokenizer.ggml.unknown_token_id', 'u32', 0],
        ['tokenizer.ggml.bos_token_id', 'u32', 1],
        ['tokenizer.ggml.eos_token_id', 'u32', 2],
        ['tokenizer.ggml.add_bos_token', 'bool', true],
        ['tokenizer.ggml.add_eos_token', 'bool', false],
    ];
}

/** The whole file as one buffer. */
export function makeGguf() {
    const vocab = vocabulary(), list = tensors(vocab), meta = keys(vocab);
    const parts = [Buffer.from('GGUF'), u32(3), u64(list.length), u64(meta.length), ...meta.map((m) => metadata(...m))];
    let offset = 0;
    const bodies = list.map(({ name, shape, data }) => {
        parts.push(string(name), u32(shape.length), ...shape.map(u64), u32(0), u64(offset)); // 0: F32
        const body = pad(Buffer.concat([...data].map(f32)));
        offset += body.length;
        return body;
    });
    return Buffer.concat([pad(Buffer.concat(parts)), ...bodies]);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
    const out = process.argv[2];
    if (!out) { console.error('usage: node make_gguf.mjs OUT.gguf'); process.exit(2); }
    const bytes = makeGguf();
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(`${out}.${process.pid}`, bytes); // then rename: no reader sees half a file
    renameSync(`${out}.${process.pid}`, out);
    console.log(`${out}: ${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')}`);
}
