/* SPDX-License-Identifier: MIT */
/*
 * What is found out about a request before anything is done for it: the decoded body or what is wrong with it, the
 * model, and the key of its answer in the cache. All of it is a function of the request and the configuration, so that
 * a small request is read in the loop's turn and a heavy one by a helper thread.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_READING_H
#define SLUICE_SERVICE_EXCHANGE_READING_H

#include "config/config.h"
#include "schemas/finding.h"
#include "schemas/request.h"
#include "service/access/holder.h"
#include "service/cache/cache_key.h"
#include "service/loop/offload.h"

struct embedding;
struct exchange;
struct exchange_kind;
struct fanout_reading;

struct reading {
	struct offload_job job; /* first: a helper's, when one reads */
	bool submitted;         /* it has the job */
	struct exchange *exchange;
	const struct exchange_kind *kind;
	/* what is read */
	const struct config *config;
	struct json_limits limits; /* of the body; in a turn less than the configuration's */
	struct span body;
	const struct dialect *dialect; /* of the body */
	struct holder *holder;         /* counted; who asks, and which models it may use; NULL = anybody, and all */
	struct span tenant;            /* whose answers it may see */
	bool caches;                   /* there is a cache, and the client does not forbid it */
	bool apart;                    /* a helper reads: what may be needed is done now */
	struct request *request;       /* held; filled in */
	/* what was found */
	struct findings findings;         /* none: it is a good request */
	struct span requested;            /* the model that the request names, in a good one or not; {NULL,0} = none */
	const struct config_model *model; /* NULL = none of ours, or none in particular */
	bool keyed;                       /* the cache may have the answer: under key, or under those of its inputs */
	struct cache_key key;
	struct embedding *embedding;   /* of embeddings that are keyed; owned */
	struct fanout_reading *fanout; /* of a fan-out; in the arena */
};

/* Refuses a model that the key may not use, whether or not there is one of that name. param: which member names it.
 * Thread-safe. */
void reading_refuse_model(struct findings *findings, const struct config_key *holder, struct span model,
			  struct span param, struct arena *arena);

/* Decides whether a decoded request goes by the cache, and computes its keys. Thread-safe. */
void reading_find_keys(struct reading *reading);

/* Nobody needs it any more, read or not. NULL is fine. */
void reading_drop(struct reading *reading);

#endif
