/* SPDX-License-Identifier: MIT */
/*
 * What is known of a target for calls that are diverted to it, because other
 * backends failed their requests. Serves every request that is on its way out;
 * what one can take is one call.
 *
 * A target that gave content a moment ago takes all of them. One of which nothing
 * is known gets a few scouts, and the others wait until a scout has content (all
 * may start) or until several failed in a row (none may, but for a scout now and
 * then, or when no other request runs; for requests of the one client whose failed, if no other's did). So a healthy
 * standby serves everybody, and backends that all fail are not asked by every request in turn. Heals by a single
 * content.
 *
 * Its owner locks. Pure: time is passed in, microseconds on the monotonic clock.
 */
#ifndef SLUICE_SERVICE_HEALTH_STANDBY_H
#define SLUICE_SERVICE_HEALTH_STANDBY_H

#include <stdbool.h>

#include "config/config.h"
#include "service/health/blame.h"

enum {
	STANDBY_PROVEN_US = 1000000,  /* content proves that the target works for so long */
	STANDBY_FAILURES = 3,         /* in a row: it fails */
	STANDBY_PAUSE_US = 100000,    /* between scouts at one that fails; doubles with each failure */
	STANDBY_DOUBLINGS = 4,        /* at most */
	STANDBY_FORGET_US = 10000000, /* failures that are older say nothing any more */
};

struct standby {
	bool proven;         /* it gave content, and never STANDBY_FAILURES failures since */
	uint64_t content_us; /* when it gave content last */
	uint64_t failed_us;  /* when a call failed last */
	unsigned failures;   /* in a row, since any content */
	struct blame blame;  /* for those */
	unsigned scouts;     /* diverted calls under way without content */
};

enum standby_answer {
	STANDBY_GO,
	STANDBY_WAIT,  /* for the scouts: ask again soon */
	STANDBY_FAILS, /* try another target */
};

/* Returns whether one more diverted call of client may start. budget: how many scouts there may be. plans: that run. */
enum standby_answer standby_ask(const struct standby *standby, const struct config_budget *budget, uint64_t client,
				unsigned plans, uint64_t now_us);

/* Any call's first content. scout: a diverted call that had none before. */
void standby_content(struct standby *standby, bool scout, uint64_t now_us);

/* Any call of client failed in a way that seems no fault of its request. */
void standby_failed(struct standby *standby, uint64_t client, uint64_t now_us);

#endif
