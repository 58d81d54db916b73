/* SPDX-License-Identifier: MIT */
/*
 * Requests of the OpenAI dialect: decode and validate from field tables, and
 * splice the few members that must change into the client's own bytes.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_REQUEST_H
#define SLUICE_SCHEMAS_OPENAI_REQUEST_H

#include "schemas/openai_requests.h"

struct openai_request {
	enum openai_endpoint endpoint;
	struct json json; /* of the client's body, which is borrowed */
	union {           /* the body as a typed struct, by endpoint */
		struct openai_chat chat;
		struct openai_completion completion;
		struct openai_embedding embedding;
	};
	/* what all endpoints have in common */
	struct span model; /* decoded */
	int64_t choices;   /* that a complete answer has: n for each prompt */
	bool stream;
	bool include_usage; /* the client itself asked for stream_options.include_usage */
};

/*
 * Reads body into *request and validates it against the field table of the
 * endpoint. body: borrows, must live as long as the request. Nodes and strings
 * go into the arena. max_depth: levels of JSON nesting. Unknown members pass.
 * False with findings: of JSON one, which
 * names line and column; of the rules up to FINDINGS_MOST, each naming what was found and what was expected.
 */
bool openai_request_decode(struct openai_request *request, enum openai_endpoint endpoint, struct arena *arena,
			   struct span body, unsigned max_depth, struct findings *findings);

/*
 * Appends the body for a target: the client's own bytes, but for the value of
 * "model" (replaced by model, as a JSON string) and, when ask_usage and the
 * request streams and the client did not ask itself, stream_options.include_usage = true
 * (added, or set inside the client's own stream_options). Everything else stays
 * byte-identical. Failure is the buffer's sticky failure.
 */
void openai_request_splice(const struct openai_request *request, struct span model, bool ask_usage, struct buf *out);

#endif
