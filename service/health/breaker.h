/* SPDX-License-Identifier: MIT */
/*
 * The circuit breaker of one target: a state machine without clock and lock.
 * Its owner locks, passes the time, and gives every call a ticket.
 *
 * Closed, it counts outcomes in a window of buckets and opens by one of three
 * rules. Open, it refuses until a wait is over that doubles each time. Half-open,
 * real calls probe: 1, then 2, then 4 at once, and 3 successes close it. A probe
 * holds its place for a second at most, then another call may probe, too; a
 * client that leaves gives no place back, so that those who poll and leave
 * cannot take every one.
 *
 * A target without alternative that fails at once is tried again within two
 * seconds: its breaker spares nobody anything. Half-open, it lets a random
 * quarter of all calls through beside the probes: then no client depends on
 * what others do with their places.
 *
 * Failures of one client's requests alone, however many, open it for that client: calls of others are let through
 * beside it, until one of those fails, too. When a probe succeeds while it holds for all, that begins anew.
 *
 * A ticket carries the generation of the state that let it in; what it tells
 * later, when the state is another one, judges nobody.
 */
#ifndef SLUICE_SERVICE_HEALTH_BREAKER_H
#define SLUICE_SERVICE_HEALTH_BREAKER_H

#include "service/health/blame.h"
#include "service/health/health.h"

enum {
	BREAKER_BUCKETS = 6,
	BREAKER_SUCCESSES = 3,          /* of probes, that close it */
	BREAKER_PROBE_US = 1000000,     /* how long a probe may keep others from probing */
	BREAKER_ALONE_SHARE = 4,        /* half-open without alternative: one of so many calls goes through */
	BREAKER_ALONE_MOST = 64,        /* such calls within BREAKER_PROBE_US */
	BREAKER_QUICK_US = 1000000,     /* a failure within that time came at once, and costs nobody much */
	BREAKER_ALONE_WAIT_US = 2000000 /* longest wait of a target that fails at once and has no alternative */
};

/* The rule that opened it. */
enum breaker_why { BREAKER_NEVER, BREAKER_CONSECUTIVE, BREAKER_SHARE, BREAKER_NO_CONNECTION, BREAKER_PROBE };

struct breaker_bucket {
	uint64_t number; /* of its stretch of time, from 0 */
	unsigned outcomes;
	unsigned failed;
	struct blame blame; /* for the failed ones */
};

struct breaker {
	const struct config_breaker *options;
	bool alone; /* its target has no alternative in some plan */
	bool quick; /* the failure that opened it came at once */
	enum health_breaker state;
	uint32_t generation; /* of the state: another one after each change */
	uint64_t random;     /* state of the jitter */
	uint64_t latest_us;  /* workers' clocks differ a little: time never goes back here */
	struct breaker_bucket buckets[BREAKER_BUCKETS];
	struct blame row;       /* for the failures in a row that are counted below */
	struct blame opened_by; /* not closed: for whom it holds */
	unsigned failures;      /* in a row, since anything succeeded */
	unsigned breaks;        /* failures after content, in a row, since a call was good to its end */
	unsigned unreachable;   /* in a row, since anything answered */
	unsigned probes;        /* half-open: places taken by probes of this round */
	uint32_t round;         /* half-open: of probes; those of an earlier one hold no place */
	uint64_t probed_us;     /* half-open: when the last one was let through */
	unsigned refused;       /* half-open: calls since then */
	unsigned due;           /* half-open, alone: after so many the next one is let through */
	unsigned successes;     /* half-open: of probes */
	unsigned opened;        /* times in a row, without a good probe between */
	uint64_t until_us;      /* open: refuses until then */
	uint64_t closed_us;     /* when it closed last; 0 = never */
	enum breaker_why why;
	uint64_t changes[HEALTH_BREAKER_STATES]; /* into each state */
};

/* options: borrows. alone: some plan has no other target. */
void breaker_init(struct breaker *breaker, const struct config_breaker *options, bool alone, uint64_t seed);

/* Returns whether a call of that client would be let through. */
bool breaker_admits(const struct breaker *breaker, uint64_t client, uint64_t now_us);

/* Returns how long the breaker refuses calls from now on, in microseconds: until it is half-open, or until its probes
 * keep nobody from probing; 0 = it does not. */
uint64_t breaker_wait_us(const struct breaker *breaker, uint64_t now_us);

/* Counts a call that was refused because breaker_admits() said no. */
void breaker_refuse(struct breaker *breaker);

/* Lets a call through that breaker_admits(); its ticket takes the generation. */
void breaker_enter(struct breaker *breaker, struct health_call *call, uint64_t now_us);

/* The call's first content: its success, until the contrary is told. At most once. */
void breaker_content(struct breaker *breaker, struct health_call *call, uint64_t now_us);

/* The call's end. After content, a failure takes the place of the success. */
void breaker_leave(struct breaker *breaker, const struct health_call *call, enum failure_verdict verdict,
		   uint64_t now_us);

/* What the window holds. */
struct breaker_bucket breaker_window(const struct breaker *breaker, uint64_t now_us);

/* "consecutive", "share", "unreachable", "probe"; NULL = never opened. */
const char *breaker_why_name(enum breaker_why why);

#endif
