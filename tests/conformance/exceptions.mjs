// SPDX-License-Identifier: MIT
// What the checker lets pass, each with its reason. An exception that no longer
// applies is reported, so that the lists stay short.

const WITHOUT_BACKEND = ['listModels', 'retrieveModel', 'getLiveness', 'getReadiness', 'getMetrics', 'getOpenApi', 'getDocs', 'getDocsFile', 'countMessageTokens', 'countInputTokens', 'listBackends', 'getCache', 'purgeCache', 'retrieveResponse', 'deleteResponse', 'listInputItems'];

const OF_KEYS = ['listKeys', 'createKey', 'retrieveKey', 'changeKey', 'revokeKey', 'rotateKey'];

// Statuses of operations and codes that no scenario exercises: {operation}, {operation,
// status: '500'} or {code}; operation '*' stands for all.
export const notExercised = [
  { code: 'client_closed_request', reason: 'only logged and counted: its client is not there any more' },
  { code: 'upstream_diverged', reason: 'only a cause in error.details: what broke off is the error' },
  { code: 'client_too_slow', reason: 'comes behind more bytes than are recorded' },
  { code: 'internal_error', reason: 'told when the gateway itself is at fault: no scenario can cause it' },
  { code: 'key_store_full', reason: 'a store has room for so many keys that no scenario makes them' },
  ...OF_KEYS.map((operation) => ({ operation, status: '409', reason: 'only key_store_full' })),
  ...[...WITHOUT_BACKEND, 'listLimits', 'listUsage', ...OF_KEYS].map((operation) => ({
    operation,
    status: '500',
    reason: 'only internal_error; operations with a backend may relay a 500',
  })),
  ...[...WITHOUT_BACKEND, 'listLimits', 'changeKey', 'revokeKey', 'rotateKey'].filter((operation) => !['getReadiness', 'listModels', 'retrieveResponse', 'deleteResponse', 'listInputItems', 'countInputTokens'].includes(operation)).map((operation) => ({
    operation,
    status: '503',
    reason: 'overloaded when there is no memory for a small answer: no scenario can cause it',
  })),
];

// Requests that a schema accepts although they are refused, or refuses although they are
// served: {operation, code, param: RegExp, reason}; code 'served' for the latter.
export const notExpressible = [
  {
    operation: 'createKey',
    code: 'invalid_value',
    param: /^networks\[\d+\]$/,
    reason: 'bits behind the length of a network are no pattern of a schema',
  },
  {
    operation: 'listUsage',
    code: 'invalid_value',
    param: /^by$/,
    reason: 'a schema does not list the words between commas of one text',
  },
  ...[
    ['createChatCompletion', 'invalid_value', /^(max_tokens|temperature|n|messages\[\d+\]\.role)$/],
    ['createChatCompletion', 'invalid_type', /^logit_bias$/],
    ['createChatCompletion', 'missing_required_parameter', /^response_format\.json_schema\.name$/],
    ['createEmbedding', 'invalid_value', /^input$/],
    ['createFanout', 'invalid_value', /^request\.max_tokens$/],
  ].map(([operation, code, param]) => ({ operation, code, param, reason: 'which models are strict is configuration' })),
  {
    operation: 'listModels',
    code: 'invalid_value',
    param: /^after$/,
    reason: 'bytes that are not UTF-8 are no value of any schema',
  },
  {
    operation: 'createEmbedding',
    code: 'unsupported_parameter',
    param: /^model$/,
    reason: 'which models gather several answers is configuration',
  },
  {
    operation: 'createChatCompletion',
    code: 'unsupported_parameter',
    param: /^n$/,
    reason: 'which models compare answers, one choice of each, is configuration',
  },
];
