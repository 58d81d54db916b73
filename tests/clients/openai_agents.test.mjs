// SPDX-License-Identifier: MIT
//
// The OpenAI Agents SDK, unmodified, in its mode for chat completions.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from '@openai/agents';
import OpenAI from 'openai';
import { BUSY, getLevel, LEVEL, LEVEL_SCHEMA, RIVER_SCHEMA, SLOW, startStack, TEXT, USAGE, USED_TOOL, WRONG } from './stack.mjs';

setTracingDisabled(true);

let stack, runner;
before(async () => {
    stack = await startStack();
    const openAIClient = new OpenAI({ baseURL: stack.baseURL, apiKey: 'unused', maxRetries: 0 });
    const modelProvider = new OpenAIProvider({ openAIClient, useResponses: false });
    runner = new Runner({ modelProvider, tracingDisabled: true });
});
after(() => stack?.stop());

const agent = (more) => new Agent({ name: 'Rivers', instructions: 'Be brief.', model: 'rivers', ...more });
const levels = tool({ name: 'get_level', description: 'The level of a river.', parameters: RIVER_SCHEMA, execute: getLevel });
const QUESTION = 'How high are Rhine and Elbe?';

describe('@openai/agents', () => {
    test('a text comes whole, with its usage', async () => {
        const result = await runner.run(agent(), 'Tell me about rivers.');
        assert.equal(result.finalOutput, TEXT);
        assert.equal(result.rawResponses[0].usage.inputTokens, USAGE.input);
        assert.equal(result.rawResponses[0].usage.outputTokens, USAGE.output);
    });

    test('a stream comes in pieces', async () => {
        const result = await runner.run(agent(), 'Tell me about rivers.', { stream: true });
        const pieces = [];
        for await (const piece of result.toTextStream()) pieces.push(piece);
        await result.completed;
        assert.ok(pieces.length > 3, `${pieces.length} pieces`);
        assert.equal(pieces.join(''), TEXT);
        assert.equal(result.finalOutput, TEXT);
    });

    test('tools are called, two at once, whole and streamed', async () => {
        const whole = await runner.run(agent({ tools: [levels] }), QUESTION);
        assert.equal(whole.finalOutput, USED_TOOL);
        assert.equal(whole.newItems.filter((item) => item.type === 'tool_call_item').length, 2);
        const stream = await runner.run(agent({ tools: [levels] }), QUESTION, { stream: true });
        for await (const event of stream) void event;
        await stream.completed;
        assert.equal(stream.finalOutput, USED_TOOL);
    });

    test('an agent hands over to another one', async () => {
        const expert = agent({ name: 'Expert', handoffDescription: 'Knows rivers.', instructions: 'You are the expert.' });
        const desk = agent({ name: 'Desk', handoffs: [expert], modelSettings: { toolChoice: 'required' } });
        const result = await runner.run(desk, 'Tell me about rivers.');
        assert.equal(result.lastAgent.name, 'Expert');
        assert.match(JSON.stringify(stack.asked.at(-1).messages), /You are the expert/);
    });

    test('an answer follows a schema', async () => {
        const result = await runner.run(agent({ outputType: LEVEL_SCHEMA }), 'How high is the Rhine?');
        assert.deepEqual(result.finalOutput, LEVEL);
    });

    test('errors have the status and the words of the backend', async () => {
        const fails = (question, status, words) =>
            assert.rejects(runner.run(agent(), question), (error) => {
                assert.equal(error.status, status);
                assert.match(error.message, words);
                return true;
            });
        await fails(`Ask ${WRONG}.`, 400, /no river is asked like that/);
        await fails(`Ask ${BUSY}.`, 429, /too many rivers/);
    });

    test('an abort ends the generation', async () => {
        const before = stack.leftSoFar();
        const controller = new AbortController();
        const stream = await runner.run(agent(), `Tell me ${SLOW}.`, { stream: true, signal: controller.signal });
        for await (const piece of stream.toTextStream()) if (piece) controller.abort();
        await stream.completed.catch(() => {});
        await stack.left(before);
    });
});
