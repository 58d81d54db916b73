/* SPDX-License-Identifier: MIT */
/* Requests that go on from a stored answer. */
#ifndef SLUICE_SCHEMAS_RESPONSES_CONVERSATION_H
#define SLUICE_SCHEMAS_RESPONSES_CONVERSATION_H

#include "schemas/request.h"
#include "schemas/responses/request_fields.h"

/*
 * Returns the body that asks for the same with the whole conversation: the input and the output of the answer that
 * previous_response_id names stand before the input, and the member is gone. In the arena. memory: where the answer is
 * looked for, NULL = nowhere; party: of the ledger, who is charged. {NULL,0} with a finding: there is no such answer,
 * or memory ran out.
 */
struct span responses_conversation(const struct request_memory *memory, uint32_t party, const struct json *json,
				   const struct responses_request *typed, struct arena *arena,
				   struct findings *findings);

/* As previous_glance of struct dialect: the member may stand anywhere, and is found unless it is written with escapes.
 */
struct span responses_previous_glance(struct span body);

#endif
