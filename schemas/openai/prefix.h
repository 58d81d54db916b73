/* SPDX-License-Identifier: MIT */
/* How a request begins, as one number: requests that share it can share a backend's KV cache. */
#ifndef SLUICE_SCHEMAS_OPENAI_PREFIX_H
#define SLUICE_SCHEMAS_OPENAI_PREFIX_H

#include "schemas/openai/request.h"

/* Bytes of a prompt or input that count. */
enum { OPENAI_PREFIX_MOST = 256 };

/*
 * A hash of the model's name and of the part that stays the same from turn to turn of a conversation: of a chat the
 * system and developer messages up to and with the first user message, each as the client wrote it; of a completion
 * or embedding the first OPENAI_PREFIX_MOST bytes of the prompt or input, as written.
 */
uint64_t openai_request_prefix(const struct request *request);

#endif
