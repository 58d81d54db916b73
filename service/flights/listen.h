/* SPDX-License-Identifier: MIT */
/*
 * Hearing the flight of another replica: it is told that somebody follows, and what it publishes is read, again and
 * again, quickly while there is something to hear. When its lease is gone and its log has not ended, it is lost,
 * unless it left the answer itself.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_LISTEN_H
#define SLUICE_SERVICE_FLIGHTS_LISTEN_H

#include "service/flights/lease.h"

enum listen_end {
	LISTEN_ANSWERED, /* the answer was stored, and nothing was heard before: listen->what.hit */
	LISTEN_LOST,     /* the other replica, or Redis, went away in the middle */
};

/* Embedded in its owner, zero-initialised. */
struct listen {
	/* from the owner; none is called from inside a call of the owner's */
	void (*on_record)(struct listen *listen, struct span record); /* may stop, or drop the listener */
	void (*on_end)(struct listen *listen, enum listen_end end);   /* the last call */
	/* for the owner to read */
	struct cache_fetch what; /* as of the lease; hit is the owner's to drop */
	/* its own */
	struct remote *remote; /* NULL = not listening */
	struct remote_name name, want, log;
	char holder[LEASE_TOKEN_SIZE];
	uint64_t heard; /* records */
	uint64_t wait_us;
	uint64_t failing_since_us; /* 0 = the last poll was answered */
	uint64_t wanted_us;        /* when that was last told */
	int64_t left_ms;
	bool gone; /* the lease was, at the last poll */
	bool paused;
	struct redis_command holds, range, left, answer;
	struct remote_taking taking;
	struct timer poll;
};

/* Follows the flight whose lease was LEASE_TAKEN. */
void listen_begin(struct listen *listen, const struct lease *lease);

/* No records come for a while. */
void listen_pause(struct listen *listen, bool paused);

/* The owner has no more interest: nothing is called any more. Harmless when not listening. */
void listen_stop(struct listen *listen);

#endif
