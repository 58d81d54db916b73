/* SPDX-License-Identifier: MIT */
/*
 * Requests of the OpenAI dialect: decode and validate from field tables, and
 * splice the few members that must change into the client's own bytes.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_REQUEST_H
#define SLUICE_SCHEMAS_OPENAI_REQUEST_H

#include "schemas/openai/request_fields.h"
#include "schemas/request.h"

/*
 * Reads body into *request and validates it against the field table of the
 * endpoint. body: borrows, must live as long as the request. Nodes and strings
 * go into the arena. limits: borrows. Unknown members pass.
 * False with findings: of JSON one, which
 * names line and column; of the rules up to FINDINGS_MOST, each naming what was found and what was expected.
 */
bool openai_request_decode(struct request *request, enum endpoint endpoint, struct arena *arena, struct span body,
			   const struct json_limits *limits, struct findings *findings);

/*
 * Validates a decoded request by the strict rules as well: OpenAI's documented bounds, roles and content parts. False
 * with findings as above.
 */
bool openai_request_check_strict(const struct request *request, struct arena *arena, struct findings *findings);

/*
 * Makes the body for a target: the client's own bytes but for what splice says; what is in the client's own
 * stream_options stays. Appends it up to the last change; the rest, which is returned, are the request's own bytes.
 * Failure is the buffer's sticky failure.
 */
struct span openai_request_splice(const struct request *request, const struct request_splice *splice, struct buf *out);

/* Most bytes that the body grows by. */
size_t openai_splice_growth(const struct request_splice *splice);

/* True when the request asks for JSON: response_format is json_object or json_schema. */
bool openai_request_wants_json(const struct request *request);

/*
 * True when an answer that began with text, of at least spent tokens, can be gone on with as a prefill: one choice of
 * a chat with neither JSON nor a client's own prefill, no stop text that may have begun, and tokens left.
 */
bool openai_request_takes_prefill(const struct request *request, struct span text, int64_t spent,
				  struct arena *scratch);

#endif
