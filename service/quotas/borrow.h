/* SPDX-License-Identifier: MIT */
/*
 * Asking Redis for parts of shared limits: one call for each account at a time in the process, whichever worker needs
 * it. Requests that lack something wait for the next call that includes them, and are called back on their own worker's
 * thread.
 *
 *   request ─► quotas_reserve(): short ─► quotas_wait() ─► call ─► on_ready() ─► quotas_reserve() again
 *
 * A port is a worker's way to Redis. It knows no Redis: lender.h does, and tests bring their own.
 */
#ifndef SLUICE_SERVICE_QUOTAS_BORROW_H
#define SLUICE_SERVICE_QUOTAS_BORROW_H

#include <sys/queue.h>

#include "lib/timers.h"
#include "service/quotas/quotas.h"
#include "service/quotas/script.h"

struct quota_entry;
struct quota_port;

/* One call of the script; the first member of what the port's owner needs for it. */
struct quota_call {
	struct script_ask ask;
	struct quota_port *port;
	struct quota_entry *entry;
	uint64_t sent_us, round;
	bool was_unsure; /* before it */
};

/* From the port's owner. */
struct quota_port_ops {
	size_t call_size; /* of what begins with a quota_call */
	/* Sends a call about the limit of that name; quota_call_end() follows later. False: Redis is not to be had.
	 */
	bool (*send)(void *context, struct quota_call *call, struct span name);
	/* Has quota_port_deliver() called on the port's thread soon. From any thread, with a lock held. */
	void (*post)(void *context);
};

/* One request that may wait; embedded in its owner, zero-initialised but for on_ready and port. */
struct quota_waiter {
	/* The wait is over, on the port's thread: time to reserve again. */
	void (*on_ready)(struct quota_waiter *waiter);
	struct quota_port *port;
	/* its own */
	enum { QUOTA_WAITER_ST_IDLE, QUOTA_WAITER_ST_WAITING, QUOTA_WAITER_ST_READY } state;
	unsigned waits;         /* that were begun */
	uint64_t round;         /* of its entry: the call that includes it */
	uint64_t amount;        /* that it needs there */
	uint64_t enough;        /* that it would be served with */
	uint64_t owed_until_us; /* it waits no longer for what other processes are to return; 0 = it does not yet */
	struct quota_entry *entry;
	TAILQ_ENTRY(quota_waiter) link; /* of its entry, or of its port */
};

/* Has all replicas share the limits. ops, context, timers: borrowed. Each worker needs a port, before the first
 * request. It lives as long as quotas. NULL: out of memory. */
struct quota_port *quota_port_create(struct quotas *quotas, const struct quota_port_ops *ops, void *context,
				     struct timers *timers);

/*
 * Waits for what the parts lack that Redis may give. False: there is nothing to wait for, or it has waited often
 * enough. On the thread of the waiter's port; so are all functions below.
 */
bool quotas_wait(struct quotas *quotas, struct quota_part *parts, size_t count, struct quota_now now,
		 struct quota_waiter *waiter);

/* Ends a wait without a callback. Harmless when it does not wait. */
void quotas_abandon(struct quotas *quotas, struct quota_waiter *waiter);

/* Calls back the waiters whose wait is over. */
void quota_port_deliver(struct quota_port *port);

/* Ends a call, and frees it. answer: NULL = there was none. */
void quota_call_end(struct quota_call *call, const struct script_answer *answer);

/* Renews what is held, and reports what was used, where it is time. Returns the microseconds until it is called again.
 * One port does this for all. */
uint64_t quota_port_renew(struct quota_port *port);

/* The port sends nothing more by itself. Returns whether it is the last one that does. */
bool quota_port_close(struct quota_port *port);

/* Gives back all that no request has reserved, and reports the rest. */
void quota_port_give_back(struct quota_port *port);

/* Returns whether calls of the port are under way. */
bool quota_port_is_busy(const struct quota_port *port);

#endif
