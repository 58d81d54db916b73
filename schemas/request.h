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
#include "lib/bytes.h"
#include "lib/hash.h"
#include "schemas/openai/request.h"

struct request {
	_Atomic unsigned holders;
	/* Of the decoded request, of its exchange and of the runs of its flights. The thread that allocates here is the
	 * exchange's, or a helper while the exchange waits for it. */
	struct arena arena;
	struct bytes *body; /* held; NULL = the body is in the arena, or the exchange's client lends it */
	uint64_t identity;  /* whose request it is: a hash of the credentials or the address */
	uint64_t network;   /* where it comes from, for fairness in queues: a hash */
	uint32_t party;     /* who is charged for it in the ledger */
	/* what it asks for, in any dialect; endpoint, stream and include_usage are known before it is decoded when the
	 * same bytes came before */
	enum endpoint endpoint;
	struct span model; /* decoded; of a refused body too, where it names one */
	int64_t choices;   /* that a complete answer has */
	bool stream;
	bool include_usage;           /* the client itself asked for the usage of a stream */
	struct openai_request openai; /* as its dialect reads it, with the JSON and its text */
	bool summed;                  /* checksum is there */
	char checksum[HASH_CHECKSUM_SIZE];
};

/* Returns a request of which nothing is known but its endpoint, with one holder; NULL: out of memory. limit: bytes of
 * the arena. */
struct request *request_create(enum endpoint endpoint, size_t limit, uint32_t party);

/* Adds a holder; returns request. Thread-safe, as request_drop(). */
struct request *request_hold(struct request *request);
/* Takes a holder away; the last one frees the request. NULL is fine. */
void request_drop(struct request *request);

/* Bytes of arena that a request with such a body needs, decoded, with all that runs for it. */
size_t request_arena_most(size_t body);

/* Decodes the body (borrowed, until request_keep_body()) into request->openai. False with findings, as
 * openai_request_decode(). */
bool request_decode(struct request *request, struct span body, const struct json_limits *limits,
		    struct findings *findings);

/* Takes what request->openai says, which was decoded by other means. */
void request_learn(struct request *request);

/* Takes a holder of the decoded body's bytes, which are those that were decoded. */
void request_keep_body(struct request *request, struct bytes *body);

/* Returns the checksum of the body. */
const char *request_checksum(struct request *request);

#endif
