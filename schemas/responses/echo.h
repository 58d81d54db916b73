/* SPDX-License-Identifier: MIT */
/* What an answer of the Responses dialect repeats of its request. */
#ifndef SLUICE_SCHEMAS_RESPONSES_ECHO_H
#define SLUICE_SCHEMAS_RESPONSES_ECHO_H

#include "lib/json.h"
#include "schemas/responses/request_fields.h"

/* In the arena of the request; nobody changes it. */
struct responses_echo {
	struct span id;      /* of the answer, fresh: "resp_…" */
	struct span model;   /* that was asked for, for answers that do not say who gives them */
	struct span members; /* of the answer, as JSON text that begins with a comma */
	/* Names of the custom tools: calls of them come as calls of functions. */
	const struct span *customs;
	size_t custom_count;
	/* The whole conversation, earlier turns included: items by commas. {NULL,0} = the answer is not kept. */
	struct span input;
};

struct request;

/* Returns the echo of a valid request, in the request's arena; NULL: out of memory. previous: the id of the answer that
 * it goes on from, as JSON text. */
const struct responses_echo *responses_echo_of(const struct request *request, const struct json *json,
					       const struct responses_request *typed, struct span previous,
					       struct arena *arena);

/* Returns whether a tool of that name is a custom one. */
bool responses_echo_is_custom(const struct responses_echo *echo, struct span name);

#endif
