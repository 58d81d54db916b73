/* SPDX-License-Identifier: MIT */
/*
 * A worker's way to the stored responses that replicas share, in Redis. Those of a tenant are
 *
 *   PREFIX:responses:{TENANT}:ID     a record (shared_record.h), with its time to live
 *   PREFIX:responses:{TENANT}        a sorted set: the ids, by the time when they expire
 *   PREFIX:responses:{TENANT}:bytes  a hash: the size of each record, and of all ("total")
 *
 * TENANT is a hash; the braces keep all of a tenant on one node of a cluster. A script adds and removes records, so the
 * bytes of a tenant stay within responses.tenant_size: its oldest responses make room.
 *
 * The store in memory (response_store.h) holds what this process stored or recalled. Redis decides: a response that
 * Redis had and has no longer was deleted or expired, and is forgotten. While Redis does not answer, the store in
 * memory serves. No call waits longer than redis.budget.
 */
#ifndef SLUICE_SERVICE_RESPONSES_SHARED_RESPONSES_H
#define SLUICE_SERVICE_RESPONSES_SHARED_RESPONSES_H

#include "clients/redis/redis.h"
#include "service/responses/response_store.h"

struct reactor;
struct shared_responses;

enum { SHARED_RESPONSES_NAME_MAX = 384, SHARED_RESPONSES_RECORD_MAX = 8 << 20 /* bytes of a record that is shared */ };

struct shared_responses_options {
	struct redis *redis;          /* borrows */
	struct reactor *reactor;      /* borrows; its clock */
	struct response_store *store; /* borrows */
	const char *prefix;           /* of all keys; borrows */
	uint64_t budget_us;           /* how long one command may take */
};

/* NULL: out of memory. */
struct shared_responses *shared_responses_create(const struct shared_responses_options *options);

/* Returns whether Redis may have a response of that id: it looks like one of ours. */
bool shared_responses_may_have(struct span id);

/* No recall may be under way. NULL is harmless. */
void shared_responses_destroy(struct shared_responses *shared);

/* Sends the response of that id from the store in memory to Redis, and does not wait. Nothing is sent when the store
 * has none, or when it is larger than SHARED_RESPONSES_RECORD_MAX. */
void shared_responses_put(struct shared_responses *shared, const struct response_store_limits *limits,
			  struct span tenant, struct span id);

enum recall_result {
	RECALL_FOUND,  /* the store in memory has it now, if its limits allow */
	RECALL_NONE,   /* Redis has none; neither has the store, unless it was never shared */
	RECALL_SILENT, /* Redis did not answer: the store is as it was */
};

/* One question to Redis. Embedded in its owner, which sets the first members and stays in place until on_done. */
struct response_recall {
	struct span tenant, id; /* borrowed */
	struct response_store_limits limits;
	bool removes; /* the response is removed in Redis and in memory, instead of being fetched */
	/* The last that touches the recall; never inside of shared_responses_recall(). */
	void (*on_done)(struct response_recall *recall, enum recall_result result);
	/* its own */
	struct redis_command command;
	struct shared_responses *shared;
	char name[SHARED_RESPONSES_NAME_MAX];
};

/* recall->id: one that Redis may have. Returns false when Redis is not to be had, as after RECALL_SILENT; on_done does
 * not follow then. */
bool shared_responses_recall(struct shared_responses *shared, struct response_recall *recall);

/* on_done does not follow. Harmless when nothing is under way. */
void response_recall_cancel(struct response_recall *recall);

#endif
