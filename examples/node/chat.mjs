// SPDX-License-Identifier: MIT
//
// Chat through Sluice with the official OpenAI package.
//
//   npm install openai
//   node chat.mjs "What is a sluice?"
//
// Start the demo first with `make run`.

import OpenAI from 'openai';

// Only the address changes. Sluice holds the backends' keys; the SDK insists on one.
const client = new OpenAI({
    baseURL: process.env.SLUICE_URL ?? 'http://127.0.0.1:8080/v1',
    apiKey: process.env.SLUICE_KEY ?? 'unused',
});
const model = process.env.SLUICE_MODEL ?? 'demo';
const messages = [{ role: 'user', content: process.argv.slice(2).join(' ') || 'What is a sluice?' }];

// A whole answer. Most models give one choice, demo-all one per target.
const answer = await client.chat.completions.create({ model, messages, max_tokens: 60 });
for (const choice of answer.choices) console.log(choice.message.content);
console.log(`(${answer.usage?.total_tokens} tokens)\n`);

// The same, word by word. Leaving the loop early stops the model too.
const stream = await client.chat.completions.create({ model, messages, max_tokens: 60, stream: true });
for await (const chunk of stream)
    for (const choice of chunk.choices)
        if (choice.index === 0) process.stdout.write(choice.delta.content ?? '');
console.log();
