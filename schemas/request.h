/* SPDX-License-Identifier: MIT */
/*
 * A request for a model, decoded once: what every dialect can say of it, the request as its dialect reads it, and all
 * the memory that it is made of. The exchange holds it, and so does each flight that runs for it; they end in any
 * order. Nobody changes what was decoded.
 */
#ifndef SLUICE_SCHEMAS_REQUEST_H
#define SLUICE_SCHEMAS_REQUEST_H

#include <stdatomic.h>

#include "lib/arena.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "schemas/endpoint.h"
#include "schemas/finding.h"

struct bytes;
struct dialect;
struct dropped;

/* An answer that was kept, and the conversation that it answered, in the words of its dialect. */
struct request_kept {
	struct span id;
	struct span answer;
	struct span input;
};

/* What is kept for the client that a request is from. Thread-safe. */
struct request_memory {
	/* Finds an answer by its id. False when there is none. Texts are copied into the arena, {NULL,0} when it is
	 * exhausted. */
	bool (*find)(const struct request_memory *memory, struct span id, struct arena *arena,
		     struct request_kept *kept);
	/* Keeps a copy of an answer, unless there is no room. */
	void (*keep)(const struct request_memory *memory, const struct request_kept *kept);
};

struct request {
	_Atomic unsigned holders;
	/* Of the decoded request, of its exchange and of the runs of its flights. The thread that allocates here is the
	 * exchange's, or a helper while the exchange waits for it. */
	struct arena arena;
	struct bytes *body;      /* held; NULL = the body is in the arena, or the exchange's client lends it */
	uint64_t identity;       /* whose request it is: a hash of the credentials or the address */
	uint64_t network;        /* where it comes from, for fairness in queues: a hash */
	uint32_t party;          /* who is charged for it in the ledger */
	struct span key, tenant; /* who pays for it: id of the key and its tenant, in the arena; empty = nobody */
	uint64_t payer_hash;     /* of both */
	/* what it asks for, in any dialect; dialect, endpoint, stream and include_usage are known before it is decoded
	 * when the same bytes came before */
	const struct dialect *dialect;
	enum endpoint endpoint;
	struct span model;   /* decoded; of a refused body too, where it names one */
	int64_t choices;     /* that a complete answer has */
	int64_t output_most; /* tokens that a choice may have, as the request says; -1 = it does not */
	bool stream;
	bool include_usage;            /* the client itself wants to hear of usage in a stream */
	struct json json;              /* of the client's body, which is borrowed */
	const struct dropped *dropped; /* what of the client's request its backends cannot be told; NULL = nothing */
	/* of a request that came in another dialect: the client's own body as it was read, for backends of that one */
	const struct dialect *own_dialect; /* NULL = it came as it is */
	struct json own;
	bool own_told; /* some target of its model speaks that dialect, and is told all of it */
	struct span
	    own_options;  /* what the head of such a request asks for in that dialect, in the arena; empty = nothing */
	const void *echo; /* what its answer repeats of it, as the client's dialect keeps that; NULL = nothing */
	const struct request_memory *memory; /* in the arena; NULL = nothing is kept */
	bool refuses_losses;                 /* a target that cannot be told all of it must not be asked */
	bool refuses_alone;                  /* the same, and other requests do not: none may share its answer */
	bool summed;                         /* checksum is there */
	char checksum[HASH_CHECKSUM_SIZE];
};

/* Whether an answer may be kept and given again, as far as the request says. */
enum request_caching {
	CACHING_GRADE_YES,
	CACHING_GRADE_SEEDED,  /* only by its seed, which a backend may or may not honour */
	CACHING_GRADE_RANDOM,  /* neither temperature 0 nor a seed */
	CACHING_GRADE_CHOICES, /* several choices, which are meant to differ */
	CACHING_GRADE_STORE,   /* the backend is to keep it: an effect beside the answer */
	CACHING_GRADE_TOOLS,   /* the backend itself looks things up */
	CACHING_GRADE_OUTSIDE, /* it refers to what may change: a URL or a file */
	CACHING_GRADE_DIALECT, /* it has what only backends of the client's own dialect are told */
	CACHING_GRADE_INPUTS,  /* inputs of embeddings that cannot be told apart */
	CACHING_GRADE_COUNT
};

/* Returns why in words: "temperature is not 0". */
const char *request_caching_text(enum request_caching caching);

/* How a target is asked to go on with an answer that began elsewhere (chat only). */
enum prefill_form {
	PREFILL_FORM_MESSAGE,  /* its text as an assistant's message behind the others */
	PREFILL_FORM_CONTINUE, /* with continue_final_message, and without add_generation_prompt */
	PREFILL_FORM_PREFIX,   /* with "prefix": true in the message */
};

/* What differs from the client's own body. */
struct request_splice {
	struct span model;   /* replaces the value of "model" */
	bool ask_usage;      /* stream_options.include_usage = true if the request streams and has not got it */
	struct span prefill; /* the text so far; {NULL,0} = none */
	enum prefill_form form;
	int64_t spent; /* tokens of it at least: taken from max_tokens and max_completion_tokens, 1 being left */
};

/* Returns a request of which nothing is known but its dialect and endpoint, with one holder; NULL: out of memory.
 * limit: bytes of the arena. */
struct request *request_create(const struct dialect *dialect, enum endpoint endpoint, size_t limit, uint32_t party);

/* Adds a holder; returns request. Thread-safe, as request_drop(). */
struct request *request_hold(struct request *request);
/* Takes a holder away; the last one frees the request. NULL is fine. */
void request_drop(struct request *request);

/* Bytes of arena that a request with such a body needs, decoded, with all that runs for it. */
size_t request_arena_most(size_t body);

/*
 * Decodes the body, which is borrowed until request_keep_body(), and validates it. False with findings: of JSON one,
 * which names line and column; of the rules up to FINDINGS_MOST, each naming what was found and what was expected.
 */
bool request_decode(struct request *request, struct span body, const struct json_limits *limits,
		    struct findings *findings);

/* Takes a holder of the decoded body's bytes, which are those that were decoded. */
void request_keep_body(struct request *request, struct bytes *body);

/* Returns the checksum of the body. */
const char *request_checksum(struct request *request);

#endif
