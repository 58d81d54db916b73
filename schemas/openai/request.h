/* SPDX-License-Identifier: MIT */
/*
 * Requests of the OpenAI dialect: decode and validate from field tables, and
 * splice the few members that must change into the client's own bytes.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_REQUEST_H
#define SLUICE_SCHEMAS_OPENAI_REQUEST_H

#include "schemas/openai/requests.h"

struct openai_request {
	const struct dialect *dialect;
	enum endpoint endpoint;
	struct json json; /* of the client's body, which is borrowed */
	union {           /* the body as a typed struct, by endpoint */
		struct openai_chat chat;
		struct openai_completion completion;
		struct openai_embedding embedding;
	};
	/* what all endpoints have in common */
	struct span model; /* decoded; of a refused body too, where it names one */
	int64_t choices;   /* that a complete answer has: n for each prompt */
	bool stream;
	bool include_usage; /* the client itself asked for stream_options.include_usage */
};

/*
 * Reads body into *request and validates it against the field table of the
 * endpoint. body: borrows, must live as long as the request. Nodes and strings
 * go into the arena. limits: borrows. Unknown members pass.
 * False with findings: of JSON one, which
 * names line and column; of the rules up to FINDINGS_MOST, each naming what was found and what was expected.
 */
bool openai_request_decode(struct openai_request *request, enum endpoint endpoint, struct arena *arena,
			   struct span body, const struct json_limits *limits, struct findings *findings);

/*
 * Validates a decoded request by the strict rules as well: OpenAI's documented bounds, roles and content parts. False
 * with findings as above.
 */
bool openai_request_check_strict(const struct openai_request *request, struct arena *arena, struct findings *findings);

/* How a target is asked to go on with an answer that began elsewhere (chat only). */
enum openai_prefill_form {
	OPENAI_PREFILL_MESSAGE,  /* its text as an assistant's message behind the others */
	OPENAI_PREFILL_CONTINUE, /* with continue_final_message, and without add_generation_prompt */
	OPENAI_PREFILL_PREFIX,   /* with "prefix": true in the message */
};

/* What differs from the client's own body. */
struct openai_splice {
	struct span model;   /* replaces the value of "model" */
	bool ask_usage;      /* stream_options.include_usage = true if the request streams and has not got it */
	struct span prefill; /* the text so far; {NULL,0} = none */
	enum openai_prefill_form form;
	int64_t spent; /* tokens of it at least: taken from max_tokens and max_completion_tokens, 1 being left */
};

/*
 * Makes the body for a target: the client's own bytes but for what splice says; what is in the client's own
 * stream_options stays. Appends it up to the last change; the rest, which is returned, are the request's own bytes.
 * Failure is the buffer's sticky failure.
 */
struct span openai_request_splice(const struct openai_request *request, const struct openai_splice *splice,
				  struct buf *out);

/* Most bytes that the body grows by. */
size_t openai_splice_growth(const struct openai_splice *splice);

/* True when the request asks for JSON: response_format is json_object or json_schema. */
bool openai_request_wants_json(const struct openai_request *request);

/*
 * True when an answer that began with text, of at least spent tokens, can be gone on with as a prefill: one choice of
 * a chat with neither JSON nor a client's own prefill, no stop text that may have begun, and tokens left.
 */
bool openai_request_takes_prefill(const struct openai_request *request, struct span text, int64_t spent,
				  struct arena *scratch);

#endif
