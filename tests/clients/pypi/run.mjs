// SPDX-License-Identifier: MIT
//
//   node run.mjs PYTHON
//
// Starts Sluice and the scripted backend, and runs the tests of this folder with that Python.

import { spawn } from 'node:child_process';
import { startStack } from '../stack.mjs';

const stack = await startStack();
// Only what the tests set themselves; the proxy refuses, so that whatever would go past Sluice fails.
const env = {
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    PYTHONDONTWRITEBYTECODE: '1',
    LITELLM_LOCAL_MODEL_COST_MAP: 'True',
    HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1',
    SLUICE_URL: stack.url, BACKEND_URL: stack.backendURL,
};
const child = spawn(process.argv[2], ['-W', 'ignore', '-m', 'unittest', 'discover', '-v', '-s', import.meta.dirname], { stdio: 'inherit', env });
const code = await new Promise((done) => child.on('close', done));
await stack.stop();
process.exitCode = code ?? 1;
