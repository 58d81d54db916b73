/* SPDX-License-Identifier: MIT */
/*
 * A flight that several exchanges follow, on any worker: the first one to ask
 * for an answer leads, that is its worker runs the plan; whoever asks for the same
 * meanwhile follows. Every follower gets all events from the first on, at
 * its own pace, on its own worker.
 *
 * Leaving hurts nobody: the plan runs as long as one follower is there, and is
 * cancelled with the last. It runs while one follower reads as events come; when all
 * are paused, or more than SHARED_LAG_MOST bytes behind, it waits. While the leader's client may hold no more memory,
 * it waits for all: whoever is more than SHARED_LAG_TIGHT bytes behind. One that is so far behind and reads next to
 * nothing for a second, or falls SHARED_MOST bytes behind, while others read is cut off by an error of its own. Answers
 * of more than SHARED_MOST bytes are not joined any more, and what all have read of them is forgotten.
 *
 * The events are the backend's: with usage whether a follower asked for it or
 * not, streamed or whole as the leader asked. Failures are the same for all; a refusal may be of
 * the leader's own bytes only (follower_may_differ).
 * A complete answer is kept in the cache when the rule for it says so.
 *
 * With a cache that replicas share, at most one of them runs the plan, and the others' leaders listen to it; when it
 * goes away before there was content, the next one takes over.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_SHARED_H
#define SLUICE_SERVICE_FLIGHTS_SHARED_H

#include "service/cache/fetch.h"
#include "service/flights/flight_worker.h"
#include "service/flights/flight.h"

enum {
	SHARED_MOST = 8 << 20, /* bytes of events that are kept */
	SHARED_LAG_MOST = 1 << 20,
	SHARED_LAG_TIGHT = 4 << 10,   /* the same while the client that leads may hold no more memory */
	SHARED_BATCH_MOST = 32 << 20, /* bytes of an answer that is taken apart into vectors */
};

struct follower;
struct request;

/* The inputs of embeddings that a flight is for, in their order. */
struct shared_batch {
	struct cache_key *keys;
	uint64_t *weights; /* how much of the batch each is */
	size_t count;
};

/* Which flight is wanted. */
struct shared_request {
	struct cache_key key;
	const char *asked;            /* checksum of the body that would be sent, HASH_CHECKSUM_SIZE bytes */
	struct cache_keeping keeping; /* under which the answer is kept */
	const struct plan *plan;
	uint32_t party;   /* who is charged for it in the ledger, should it be the first of its key */
	bool convertible; /* a stream may be kept as a whole answer */
	bool fresh;       /* an answer that is kept by now will not do */
	bool own;         /* nor will a flight that is under way */
	bool as_streamed; /* a stream that cannot be told whole: its flight is told apart */
	bool joins_only;  /* a new one is not wanted */
	bool by_bytes;    /* only those with the same body follow it */
};

/*
 * Follows the flight of that key, or a new one when there is none. Events come to sink (borrowed) from the next
 * turn on, up to the terminal one or follower_leave(). *leads: it is a new one, and shared_lead() must be called before
 * anything else. NULL: out of memory, or there is none to join.
 */
struct follower *shared_follow(struct flight_worker *worker, const struct shared_request *request,
			       struct run_sink *sink, bool *leads);

/* What a new flight is run with. */
struct shared_start {
	struct request *request; /* that is sent: holds; NULL = memory ran out, and all who follow hear of it */
	const struct flight_options *options; /* copied */
	const struct shared_batch *batch;     /* the answer is kept vector by vector, under these; NULL = as a whole */
	bool alone;                           /* other replicas are not worth asking */
};

/* Runs the flight of the follower that leads. */
void shared_lead(struct follower *follower, const struct shared_start *start);

/* Backpressure of the sink. */
void follower_pause(struct follower *follower, bool paused);

/* Calls that the plan started so far. */
unsigned follower_attempts(const struct follower *follower);

/* True when the plan runs in this process, or did: not when another replica ran it, or the answer was there by then. */
bool follower_runs_here(const struct follower *follower);

/* True when the body that was sent may be another one than the follower's own, with members that count for no answer.
 */
bool follower_may_differ(const struct follower *follower);

/* True when the flight is charged to that party of the ledger. */
bool follower_is_charged_to(const struct follower *follower, uint32_t party);

/* The follower is gone for the caller. Required exactly once, before or behind the terminal event. */
void follower_leave(struct follower *follower);

#endif
