/* SPDX-License-Identifier: MIT */
/*
 * How an exchange uses the cache: whether its request may be answered from it,
 * what the client's Cache-Control says (RFC 9111, section 5.2.1), hits, answers that are
 * shared while they come, and stale ones that stand in for a failure.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_CACHING_H
#define SLUICE_SERVICE_EXCHANGE_CACHING_H

#include "service/cache/fetch.h"
#include "service/exchange/exchange.h"
#include "service/flights/shared.h"
#include "service/flights/whole.h"

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

struct embedding;

/* What the entity tag of a hit is made of: which answers, what they say, and in which form it is told. */
struct caching_tag {
	uint64_t keys, digests;
	char form; /* w(hole), s(tream), or u: a stream with usage */
};

/* What an exchange knows of the cache. */
struct caching {
	bool on;      /* the exchange goes by the cache */
	bool fetched; /* the cache has been asked */
	struct cache_directives directives;
	struct cache_keeping keeping;
	struct exchange_request *request; /* for when the cache has said what it has; in the flight's arena */
	struct flight_options *options;   /* as well */
	struct cache_fetch fetch;
	struct follower *follower; /* of a shared flight; NULL = none */
	struct store_value *stale; /* held; may stand in; NULL = none */
	struct whole *whole;       /* the flight comes in another form than was asked for: gathered first; NULL = not */
	struct embedding *embedding; /* of embeddings, which take another way from here; NULL = none */
	/* of a hit, for the head */
	int64_t age_s, ttl_s;
	struct caching_tag tag;
	bool by_bytes; /* its request was refused in other words: only the same bytes are shared from here on */
	bool on_own;   /* the flight that it followed ran out of its leader's memory: it leads one of its own */
};

struct cache_directives cache_directives_read(struct span cache_control);

/* How a kept answer may be used by a client's directives. */
enum caching_use {
	CACHING_USE_NOT,
	CACHING_USE_STALE, /* it may stand in for a failure */
	CACHING_USE_FRESH,
};

enum caching_use caching_use_of(const struct caching *caching, const struct cache_hit *hit);

struct shared_request;

/* Completes what a shared flight is asked for by the client's directives; fresh and alone may be set already. */
void caching_ask_as_wanted(const struct caching *caching, struct shared_request *ask);

enum caching_step {
	CACHING_RUNS,     /* events will come */
	CACHING_ANSWERED, /* the exchange is over */
	CACHING_PASSED,   /* the request has to be read */
	CACHING_FAILED,   /* out of memory: nothing was done */
};

/*
 * Answers a request whose very bytes were answered from the cache before, without reading them again, when that is
 * still possible. Should that turn out later not to be so, the exchange is admitted then.
 */
enum caching_step caching_recall(struct exchange *exchange, const struct exchange_request *request);

/* Keeps a copy of the request for later. False: out of memory. */
bool caching_keep_request(struct exchange *exchange, const struct exchange_request *request);

struct reading;

/* Decides whether a decoded request goes by the cache, and computes its keys. Thread-safe. */
void caching_read(struct reading *reading);

/* Takes what caching_read() found; the model is known. */
void caching_consider(struct exchange *exchange, struct reading *reading);

/* Answers from the cache, or follows a flight, at once or as soon as the cache has said what it has. */
enum caching_step caching_start(struct exchange *exchange, const struct exchange_request *request,
				const struct flight_options *options);

/* An event of a flight that the exchange follows, in the form of its leader; passed on as the exchange asked for it. */
void caching_on_event(struct exchange *exchange, const struct event *event);

/*
 * The flight failed while the client may still get any answer. Returns true when the exchange asks again in its own
 * words, or a stale answer stood in and the exchange is over.
 */
bool caching_stand_in(struct exchange *exchange, const struct failure *failure);

/* Fields of a head, with their text. */
struct caching_fields {
	struct http_field list[CACHING_FIELDS];
	size_t count;
	char text[CACHING_TEXT_SIZE];
};

/* The fields of the answer's head: Cache-Status, and Age and ETag of a hit. */
void caching_tell(const struct exchange *exchange, struct caching_fields *fields);

void caching_close(struct exchange *exchange);

/* What embeddings have in common with other answers: the client may have the answer already. */
bool caching_is_unchanged(const struct exchange *exchange);
void caching_give_not_modified(struct exchange *exchange);

#endif
