/* SPDX-License-Identifier: MIT */
/*
 * What is found out about a request before anything is done for it: the decoded body or what is wrong with it, the
 * model, and the key of its answer in the cache. All of it is a function of the request and the configuration, so that
 * a small request is read in the loop's turn and a heavy one by a helper thread.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_READING_H
#define SLUICE_SERVICE_EXCHANGE_READING_H

#include "config/config.h"
#include "schemas/fanout_request.h"
#include "service/cache/cache_key.h"
#include "service/exchange/exchange.h"

struct embedding;
struct exchange_kind;

struct reading {
	/* what is read */
	const struct config *config;
	enum endpoint endpoint;
	struct json_limits limits; /* of the body; in a turn less than the configuration's */
	struct span body;
	struct span tenant;  /* whose answers it may see */
	bool caches;         /* there is a cache, and the client does not forbid it */
	bool apart;          /* a helper reads: what may be needed is done now */
	struct arena *arena; /* for what is read */
	struct openai_request *request;
	/* what was found */
	struct findings findings;         /* none: it is a good request */
	struct span requested;            /* the model that the request names, in a good one or not; {NULL,0} = none */
	const struct config_model *model; /* NULL = none of ours, or none in particular */
	bool keyed;                       /* the cache may have the answer: under key, or under those of its inputs */
	struct cache_key key;
	struct embedding *embedding;  /* of embeddings that are keyed; owned */
	struct fanout_request fanout; /* of a fan-out */
	bool strict_read;             /* of a fan-out: strict holds what the strict rules find */
	struct findings strict;
};

/* Fills in what is read, but for arena and request. request: borrows. The limits are the configuration's. */
void reading_init(struct reading *reading, const struct exchange *exchange, const struct exchange_request *request);

/* Allows no more values than are read in a turn: some 2 ms of work, whatever they are. */
void reading_limit(struct reading *reading);

/* Returns whether that was too little, so that a helper must read it all again. */
bool reading_is_heavy(const struct reading *reading);

/* Frees what was found and nobody took. */
void reading_fini(struct reading *reading);

/*
 * Has a helper read the request of an exchange in EXCHANGE_ST_READING. reading: what is read is copied.
 * exchange_on_read() comes in a later turn, unless the exchange ends before. False: out of memory.
 */
bool reading_begin(struct exchange *exchange, const struct reading *reading);

/* The exchange ends while its request is read. */
void reading_cancel(struct exchange *exchange);

#endif
