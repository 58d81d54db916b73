// SPDX-License-Identifier: MIT
//
// llama.cpp behind four verbs: open a GGUF, count tokens, generate, embed. Owns the
// model and a pool of sequences (one per generation in progress); knows nothing of
// HTTP. Nothing is cached between generations, so the same prompt at temperature 0
// gives the same text every time.

import { getLlama } from 'node-llama-cpp';

const SEQUENCES = 4, SEQUENCE_TOKENS = 4096;

/** Loads `path`; resolves to the engine. The caller closes it. */
export async function openEngine(path) {
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', progressLogs: false });
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    // One thread: sums are then added in one order, and answers never differ in the last bit.
    const context = await model.createContext({ sequences: SEQUENCES, contextSize: SEQUENCE_TOKENS, threads: 1 });
    const embedder = await model.createEmbeddingContext({ contextSize: 1024, threads: 1 });
    const pool = sequencePool(context);

    return {
        contextTokens: SEQUENCE_TOKENS,
        tokenize: (text) => model.tokenize(text),
        embed: async (text) => Array.from((await embedder.getEmbeddingFor(text)).vector),
        generate: (tokens, options) => generate(model, pool, tokens, options),
        close: () => llama.dispose(),
    };
}

/** Lends sequences, first come first served. */
function sequencePool(context) {
    const free = Array.from({ length: SEQUENCES }, () => context.getSequence());
    const waiting = [];
    return {
        borrow: () => free.length ? Promise.resolve(free.pop()) : new Promise((resolve) => waiting.push(resolve)),
        async give(sequence) {
            await sequence.clearHistory();
            if (waiting.length) waiting.shift()(sequence); else free.push(sequence);
        },
    };
}

/**
 * Yields { text, tokens } as the model speaks: whole characters, `tokens` counted
 * from the start. Returns 'length' or 'stop'. Ends within one token of `signal`.
 */
async function* generate(model, pool, prompt, { maxTokens, temperature, seed, stop, paceMs, signal }) {
    const sequence = await pool.borrow();
    const speech = detokenizer(model), watch = stopWatch(stop);
    let tokens = 0;
    try {
        if (signal.aborted || maxTokens === 0) return 'length';
        for await (const token of sequence.evaluate(prompt, { temperature, seed })) {
            if (signal.aborted) return 'length';
            const { text, stopped } = watch.push(speech.push(token));
            yield { text, tokens: ++tokens };
            if (stopped) return 'stop';
            if (tokens >= maxTokens) { yield { text: watch.rest(), tokens }; return 'length'; }
            if (paceMs) await pause(paceMs, signal);
        }
        yield { text: watch.rest(), tokens };
        return 'stop'; // the model's own end-of-text
    } finally {
        await pool.give(sequence);
    }
}

/** Tokens in, text out; bytes of an unfinished character wait for their rest. */
function detokenizer(model) {
    const said = [];
    let pending = [];
    return {
        push(token) {
            pending.push(token);
            const text = model.detokenize(pending, false, said.slice(-8));
            if (text.endsWith('\ufffd') && pending.length < 4) return '';
            said.push(...pending);
            pending = [];
            return text;
        },
    };
}

/** Cuts the text before the first stop string, also when it comes in pieces. */
function stopWatch(stops) {
    let held = '';
    const longestPrefixAtEnd = () => {
        for (let n = Math.min(held.length, Math.max(0, ...stops.map((s) => s.length - 1))); n > 0; n--)
            if (stops.some((s) => s.startsWith(held.slice(-n)))) return n;
        return 0;
    };
    return {
        push(text) {
            held += text;
            const at = Math.min(...stops.map((s) => held.indexOf(s)).filter((i) => i >= 0)); // Infinity: none
            if (at !== Infinity) return { text: held.slice(0, at), stopped: true };
            const ready = held.length - longestPrefixAtEnd();
            text = held.slice(0, ready);
            held = held.slice(ready);
            return { text, stopped: false };
        },
        rest: () => held,
    };
}

function pause(ms, signal) {
    return new Promise((resolve) => {
        const done = () => { clearTimeout(timer); signal.removeEventListener('abort', done); resolve(); };
        const timer = setTimeout(done, ms);
        signal.addEventListener('abort', done);
    });
}
