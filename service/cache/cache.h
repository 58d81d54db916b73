/* SPDX-License-Identifier: MIT */
/*
 * The cache of answers, of the whole process.
 */
#ifndef SLUICE_SERVICE_CACHE_CACHE_H
#define SLUICE_SERVICE_CACHE_CACHE_H

#include "config/config.h"
#include "lib/ledger.h"
#include "schemas/metrics.h"
#include "service/cache/entry.h"
#include "service/cache/cache_key.h"
#include "service/cache/models.h"
#include "service/cache/store.h"

/* How the cache handled a request. */
enum cache_result {
	CACHE_RESULT_HIT,
	CACHE_RESULT_STALE, /* a stale entry, in place of a failure */
	CACHE_RESULT_MISS,
	CACHE_RESULT_PARTIAL,   /* some inputs of embeddings were hits */
	CACHE_RESULT_COLLAPSED, /* follows a flight that another request leads */
	CACHE_RESULT_BYPASS,    /* the client or the configuration excludes the cache */
	CACHE_RESULT_NONE       /* the request has nothing to do with the cache */
};

struct cache {
	struct store *store;
	struct ledger_cache yields;
	struct cache_models *models; /* of the configuration */
};

/* A kept answer, for whoever gives it again. */
struct cache_hit {
	struct store_value *value; /* held */
	struct cache_entry entry;  /* borrows from it */
	uint64_t age_us;
	int64_t ttl_us; /* how much longer it is fresh; negative = stale */
};

/* What an answer is kept with. */
struct cache_keeping {
	struct cache_key key;
	struct store_tags tags; /* model: by cache_model */
	const struct config_cache_rule *rule;
	struct purge_mark began; /* when its call began */
	bool renews;             /* it takes the place of what others keep */
	bool taken;              /* from Redis, which was asked at began.turn */
};

/* NULL: out of memory. */
struct cache *cache_create(const struct config *config);

/* No fetch and no flight may be left. NULL is fine. */
void cache_destroy(struct cache *cache);

/*
 * Models that are one plan have the same answers: aliases. Returns the number (models.h) of the first of them by name,
 * which stands for all in store_tags. model: by its index in the configuration.
 */
uint32_t cache_model(const struct cache *cache, size_t model);

/* What is looked for, and by whose rule. */
struct cache_wanted {
	const struct cache_key *key;
	const struct config_cache_rule *rule; /* of who reads; NULL = of who kept it */
	uint64_t now_us;                      /* monotonic */
};

/*
 * Thread-safe. Finds the answer that is there and that the rule wants: stale ones included, those that ended otherwise
 * not. cache_hit_drop gives it back.
 */
bool cache_find(struct cache *cache, const struct cache_wanted *wanted, struct cache_hit *hit);
void cache_hit_drop(struct cache_hit *hit);

/* A value that is held, as it is at that time. False when it is no entry. */
bool cache_hit_of(struct store_value *value, const struct cache_wanted *wanted, struct cache_hit *hit);

/* Whether the rule is for answers that end like this one. rule: NULL = any. */
bool cache_rule_wants(const struct config_cache_rule *rule, const struct cache_entry *entry);

/* How old an answer is, and how long it lives on. */
struct cache_lives {
	uint64_t age_us;
	int64_t fresh_us; /* negative = it is stale */
	uint64_t left_us; /* until it is gone; at least fresh_us */
};

/* What became of an entry. */
enum cache_adopted {
	CACHE_ADOPTED,
	CACHE_PURGED,  /* since its call began */
	CACHE_NOT_ONE, /* it is no entry, or there is no memory */
};

/*
 * Thread-safe. Puts an encoded entry into memory, and fills hit with it. turn: of the purge log, when its call, or the
 * question for it, began. Without CACHE_ADOPTED hit holds nothing.
 */
enum cache_adopted cache_adopt(struct cache *cache, const struct cache_keeping *keeping,
			       const struct cache_lives *lives, struct span entry, uint64_t now_us,
			       struct cache_hit *hit);

/* The same for an entry that is a value already. value: takes; NULL = there was no memory for it. */
enum cache_adopted cache_adopt_value(struct cache *cache, const struct cache_keeping *keeping,
				     const struct cache_lives *lives, struct store_value *value, uint64_t now_us,
				     struct cache_hit *hit);

/* How long an answer of that key is fresh by the rule: give or take a tenth, so that what was kept together does not
 * end together. The same for all who ask. */
uint64_t cache_fresh_us(const struct config_cache_rule *rule, const struct cache_key *key);

/* Thread-safe. The value of one of the cache's READ_… metrics; false when it is none of them. */
bool cache_read_metric(struct cache *cache, enum metric metric, double *value);

#endif
