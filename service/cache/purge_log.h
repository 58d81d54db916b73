/* SPDX-License-Identifier: MIT */
/*
 * The purges and renewals that this process knows of, so that nothing is kept, or taken from Redis, of a call that
 * began before a purge of it. All workers share one; it is bounded: where it forgot a purge, it assumes one.
 *
 * A purge is known by its turn, which counts the calls that began and what was noted here, and by its id in the stream
 * by which replicas tell each other (replica_purges.h). A renewal is a purge of one key that spares the answer it
 * brought, and those of calls that began behind its own.
 */
#ifndef SLUICE_SERVICE_CACHE_PURGE_LOG_H
#define SLUICE_SERVICE_CACHE_PURGE_LOG_H

#include <stdbool.h>

#include "service/cache/cache_key.h"

/* What values can be found by besides their key. */
struct store_tags {
	uint32_t model;  /* index in the configuration */
	uint64_t tenant; /* hash */
};

/* What to purge: what the members that are set have in common; none: everything. */
struct store_filter {
	const struct cache_key *key;
	const uint32_t *model;
	const uint64_t *tenant;
	const uint64_t
	    *except;    /* a renewal, with key only: the digest (entry.h) of the answer that is spared; of 0, none is */
	uint64_t began; /* of a renewal: the turn when its call began; 0 = now */
};

/* What is held against a filter. */
struct purge_subject {
	const struct cache_key *key;
	const struct store_tags *tags;
	uint64_t digest;
	bool taken; /* it was asked for at the turn that it is told with, and its call began nobody knows when */
};

bool purge_meets(const struct store_filter *filter, const struct purge_subject *subject);

/* The two streams. */
enum purge_kind { PURGE_KIND_PURGE, PURGE_KIND_RENEWAL, PURGE_KINDS };

/* An id in a stream; zero is before all. */
struct purge_id {
	uint64_t ms, number;
};

bool purge_id_is_before(struct purge_id a, struct purge_id b);

/* When a call began: what was known of purges then. */
struct purge_mark {
	uint64_t turn;
	struct purge_id seen[PURGE_KINDS];
};

struct purge_log;

/* NULL: out of memory. */
struct purge_log *purge_log_create(void);
void purge_log_destroy(struct purge_log *log);

/* Thread-safe, as all that follows. Returns what is known now; the turn is a new one. */
struct purge_mark purge_log_mark(struct purge_log *log);

/* Notes a purge of this process, before anything is removed. */
void purge_log_note(struct purge_log *log, const struct store_filter *filter);

/*
 * Notes what a stream told. Returns false when it was known already: nothing is to be done then. filter: NULL = it
 * concerns nothing here, and only its id counts.
 */
bool purge_log_hear(struct purge_log *log, enum purge_kind kind, struct purge_id id, const struct store_filter *filter);

/*
 * All that is in the stream was heard, and what its end will tell is. from: purges up to this one may have been
 * forgotten by the stream.
 */
void purge_log_set_heard(struct purge_log *log, enum purge_kind kind, struct purge_id from);

/* True once purge_log_set_heard was called. */
bool purge_log_is_heard(struct purge_log *log, enum purge_kind kind);

/*
 * Notes where the stream ended, as Redis replied. asked: purge_log_seen() when Redis was asked: others may have heard
 * more since. Returns true when the stream began anew, by an earlier clock: ids beyond its end say nothing from here
 * on.
 */
bool purge_log_hear_end(struct purge_log *log, enum purge_kind kind, struct purge_id asked, struct purge_id end);

/* The last id that was heard. */
struct purge_id purge_log_seen(struct purge_log *log, enum purge_kind kind);

/* The last purge of the subject that a stream told of; what is older may have been forgotten. Zero: there was none. */
struct purge_id purge_log_last(struct purge_log *log, const struct purge_subject *subject);

/*
 * Returns a number for all renewals of these keys that are known, told by a stream or not; 0 = none is known. Two
 * replicas have the same number only when they know the same renewals, in whatever order they heard of them.
 */
uint64_t purge_log_renewals(struct purge_log *log, const struct cache_key *keys, size_t count);

/* True when the subject, of a call that began at that turn, was purged since, or may have been: it must not be kept. */
bool purge_log_forbids_keeping(struct purge_log *log, uint64_t turn, const struct purge_subject *subject);

/* True when the subject, of a call that began at that mark at another replica, was purged since, or may have been. */
bool purge_log_forbids_taking(struct purge_log *log, const struct purge_mark *mark,
			      const struct purge_subject *subject);

#endif
