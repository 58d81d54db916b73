// SPDX-License-Identifier: MIT
// What the checker lets pass, each with its reason. An exception that no longer
// applies is reported, so that the lists stay short.

// Operations, statuses of operations and codes that no scenario exercises.
// {operation}, {operation, status: '500'} or {code}; operation '*' stands for all.
export const notExercised = [
  { code: 'client_closed_request', reason: 'only logged and counted: its client is not there any more' },
];

// Requests that a schema accepts although they are refused, or refuses although they are
// served: {operation, code, param: RegExp, reason}; code 'served' for the latter.
export const notExpressible = [];
