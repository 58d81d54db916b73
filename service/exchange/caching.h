/* SPDX-License-Identifier: MIT */
/*
 * What an exchange knows of the cache, and what HTTP says about it: the client's Cache-Control (RFC 9111, section
 * 5.2.1), and the fields of the answer's head: Cache-Status (RFC 9211), Age and ETag.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_CACHING_H
#define SLUICE_SERVICE_EXCHANGE_CACHING_H

#include "lib/http_field.h"
#include "service/cache/fetch.h"
#include "service/flights/shared.h"

struct embedding;
struct exchange;
struct whole;

/* What a client's Cache-Control asks for. */
struct cache_directives {
	bool no_cache;       /* not from the cache */
	bool no_store;       /* neither from it nor into it */
	bool only_if_cached; /* from it, or not at all */
	int64_t max_age_s;   /* at most so old; -1 = any */
	int64_t stale_s;     /* at most so much older when the plan fails (RFC 5861); -1 = as long as the rule says */
};

enum {
	CACHING_SECOND_US = 1000000,
	CACHING_FIELDS = 3,
	CACHING_TEXT_SIZE = 160, /* of all fields */
	CACHING_TAG_SIZE = 48
};

/* What the entity tag of a hit is made of: which answers, what they say, and in which form it is told. */
struct caching_tag {
	uint64_t keys, digests;
	char form; /* w(hole), s(tream), or u: a stream with usage */
};

/* A question to the cache; its hit is what is given next. */
struct caching_search {
	struct cache_fetch fetch; /* first */
	struct exchange *exchange;
};

struct caching {
	bool on; /* the exchange goes by the cache */
	struct cache_directives directives;
	struct cache_keeping keeping;
	/* what was found */
	struct caching_search *search; /* for the answer as a whole; in the arena; NULL = the cache was not asked */
	enum cache_result how;         /* how the hit is given: fresh, or stale */
	struct store_value *stale;     /* held; may stand in; NULL = none */
	struct embedding *embedding;   /* of embeddings, which are found input by input; NULL = none */
	/* what is followed */
	struct follower *follower; /* of a shared flight; NULL = none */
	struct shared_start start; /* that it is led with, but for options */
	struct whole *whole;       /* it comes in another form than was asked for: gathered first; NULL = not */
	bool by_bytes; /* its request was refused in other words: only the same bytes are shared from here on */
	bool on_own;   /* the flight that it followed ran out of its leader's memory: it leads one of its own */
	/* for the head */
	struct span forward;    /* why the plan was asked; {NULL,0}: stale says it */
	int64_t age_s, ttl_s;   /* of a hit */
	struct caching_tag tag; /* as well */
};

struct cache_directives cache_directives_read(struct span cache_control);

/* How a kept answer may be used by a client's directives. */
enum caching_use {
	CACHING_USE_NOT,
	CACHING_USE_STALE, /* it may stand in for a failure */
	CACHING_USE_FRESH,
};

enum caching_use caching_use_of(const struct caching *caching, const struct cache_hit *hit);

/* Completes what a shared flight is asked for by the client's directives; fresh and alone may be set already. */
void caching_ask_as_wanted(struct caching *caching, struct shared_request *ask);

/* Fields of a head, with their text. */
struct caching_fields {
	struct http_field list[CACHING_FIELDS];
	size_t count;
	char text[CACHING_TEXT_SIZE];
};

/* The fields of the answer's head: Cache-Status, and Age and ETag of a hit. */
void caching_tell(const struct caching *caching, enum cache_result how, struct caching_fields *fields);

/* Returns whether the client has the answer with that tag already (If-None-Match, RFC 9110, section 13.1.2). */
bool caching_is_unchanged(const struct caching *caching, struct span if_none_match);

/* Gives back what was found. */
void caching_close(struct caching *caching);

#endif
