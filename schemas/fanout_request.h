/* SPDX-License-Identifier: MIT */
/*
 * The request of POST /v1/fanout: decoded and validated from its field tables, with the chat completion in it as a
 * request of its own.
 */
#ifndef SLUICE_SCHEMAS_FANOUT_REQUEST_H
#define SLUICE_SCHEMAS_FANOUT_REQUEST_H

#include "schemas/fanout_fields.h"
#include "schemas/openai/request.h"

/* The name that stands where answers tell the model and there is no single one. */
#define FANOUT_MODEL "fanout"

struct fanout_request {
	struct json json; /* of the body, which is borrowed */
	struct fanout fields;
};

/*
 * Reads body into *request, and what it asks into *chat: the nested request's own bytes, with model FANOUT_MODEL and
 * the fan-out's stream. Everything is in the arena, or borrowed from body. False with findings, whose params begin at
 * the body: request.messages[0].role.
 */
bool fanout_request_decode(struct fanout_request *request, struct request *chat, struct arena *arena, struct span body,
			   const struct json_limits *limits, struct findings *findings);

/* Validates a decoded request by the strict rules as well. False with findings as above. */
bool fanout_request_check_strict(const struct fanout_request *request, struct arena *arena, struct findings *findings);

#endif
