/* SPDX-License-Identifier: MIT */
/*
 * The concurrency limit of one target and its queue, shared by all workers. A
 * call that finds no room may wait: bounded in number and in time. A place that
 * becomes free goes to the tenant that was served least by its weight, or to the
 * network, and there to the client, that has the fewest (queue.h), so that nobody's
 * burst starves the others, and nobody who holds all places gets the next one too.
 * Those whose client left are gone at once. The limit is static, or adapts to the time to
 * first content.
 *
 * Thread-safe. A waiter is called back on the loop that it waits on.
 */
#ifndef SLUICE_SERVICE_HEALTH_LIMIT_H
#define SLUICE_SERVICE_HEALTH_LIMIT_H

#include "config/config.h"
#include "service/health/queue.h"
#include "service/loop/loop.h"

struct limit;
struct limit_mailbox;
struct metrics_cells;

/* options: copied. Returns a limit that the caller holds, or NULL when out of memory. */
struct limit *limit_create(const struct config_concurrency *options);
/* Returns the limit, which has one holder more. */
struct limit *limit_hold(struct limit *limit);
/* One holder less. The last one: the threads of all loops that ever waited have ended, and nobody waits. */
void limit_drop(struct limit *limit);

/* Returns whether the limit was created with the same options. */
bool limit_has_options(const struct limit *limit, const struct config_concurrency *options);

enum limit_verdict {
	LIMIT_GO,     /* it runs: limit_leave must follow */
	LIMIT_QUEUED, /* on_settled will follow, unless limit_abandon comes first */
	LIMIT_FULL    /* there is no room to wait either */
};

/* One who may wait; embedded in its owner. Zero-initialise before the first use; may be used again once it is over. */
struct limit_waiter {
	/* The wait is over, on the waiter's loop: admitted (limit_leave must follow), or its time is up. */
	void (*on_settled)(struct limit_waiter *waiter, bool admitted);
	struct loop *loop;        /* where to call back; limit_enter and limit_abandon are called on its thread */
	struct queue_party party; /* whose request it is, for fairness; its tenant only until limit_enter returns */
	uint64_t deadline_us;     /* of the request itself; the shorter of this and the queue's wait holds; 0 = none */
	struct metrics_cells *metrics; /* of the loop's worker; NULL = nothing is counted */
	size_t backend;                /* their label */
	bool displaced; /* told with admitted = false: not the time is up, a client that waits for less got its place */
	struct queue_lane *place; /* result: what limit_leave takes, when it runs */
	struct limit *limit;      /* from here on: limit.c's own */
	struct queue_entry entry;
	struct limit_mailbox *mailbox;
	TAILQ_ENTRY(limit_waiter) link; /* in its mailbox */
	struct timer timer;
	unsigned state;
	uint64_t queued_us;
};

/*
 * LIMIT_GO and LIMIT_FULL are final. LIMIT_QUEUED: waiter must stay in place until it is called back or abandons. No
 * callback runs inside; the callback may enter again, and abandon others.
 */
enum limit_verdict limit_enter(struct limit *limit, struct limit_waiter *waiter, uint64_t now_us);

/*
 * The waiter leaves the queue without being called back; a place it was given meanwhile goes to the next. Harmless when
 * it does not wait.
 */
void limit_abandon(struct limit_waiter *waiter, uint64_t now_us);

/*
 * A call that ran has ended. place: its waiter's. first_content_us: how long its first content took, 0 = there was
 * none. overloaded: the backend said so (429, 529) or timed out: an adaptive limit shrinks.
 */
void limit_leave(struct limit *limit, struct queue_lane *place, uint64_t first_content_us, bool overloaded,
		 uint64_t now_us);

/* For pages and metrics. */
struct limit_report {
	unsigned limit; /* calls allowed now; 0 = no limit */
	unsigned running;
	unsigned waiting;
};
void limit_report(struct limit *limit, struct limit_report *report);

/* Reports at most that many tenants whose requests run or wait, sorted by path. Returns how many. */
size_t limit_report_tenants(struct limit *limit, struct queue_tenant_report *reports, size_t most);

/* How long a newcomer would have to wait, judged by the calls that ended lately; for Retry-After. At least 1 s. */
uint64_t limit_estimate_us(struct limit *limit, uint64_t now_us);

#endif
