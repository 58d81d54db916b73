/* SPDX-License-Identifier: MIT */
/*
 * What retry, fallback, balance, hedge and race have in common: several
 * contenders, one after the other or at once, of which the first with content
 * gives the answer. The combinators only say who starts when.
 *
 * Streams: early events of a contender are kept back while another one may
 * still win, and let through as soon as none can. The first content decides, or
 * an end without any: from there on the winner's events pass as they are, its
 * failure included. Losers are cancelled at that moment.
 *
 * Errors: a failure before that is a cause. When nobody runs and the
 * combinator starts nobody else, the most telling cause goes up with all of
 * them (causes.h). Usage: the client sees the winner's; what losers told is
 * counted in the metrics only. Pause and cancel reach all who run.
 */
#ifndef SLUICE_SERVICE_PLAN_CONTEST_H
#define SLUICE_SERVICE_PLAN_CONTEST_H

#include "service/plan/causes.h"
#include "service/plan/held_events.h"

struct contest;

enum contest_state {
	CONTEST_ST_OPEN,  /* nobody has content yet */
	CONTEST_ST_WON,   /* the winner's events pass */
	CONTEST_ST_ENDED, /* the terminal event went up, or the run was cancelled */
};

struct contender {
	struct run_sink sink; /* first: the sink of a contender's run is the contender */
	struct contest *contest;
	struct contender *next;
	struct run *run;
	bool running; /* started, neither ended nor out */
	enum call_reason reason;
	struct held_events early;
	struct usage usage; /* that it told last */
};

/* What makes a combinator of it. */
struct contest_rules {
	/* Starts those who were added. */
	void (*start)(struct contest *contest);
	/* May another contender still start? Early events then wait. */
	bool (*more)(const struct contest *contest);
	/* One failed in a way that another may mend. May enter another one, or set contest->awaited. */
	void (*on_failed)(struct contest *contest, const struct failure *failure);
	/* The contest is decided or over: timers stop. Once. NULL = nothing to do. */
	void (*on_closed)(struct contest *contest);
};

struct contest {
	struct run run; /* first */
	const struct contest_rules *rules;
	enum contest_state state;
	struct contender *first; /* in the order they were added */
	struct contender *last;
	struct contender *winner;
	size_t running;
	enum call_reason reason; /* why the contest itself was started */
	bool paused;
	bool awaited; /* a contender will enter later: nobody running does not mean the end */
	struct causes causes;
};

/* Fills what all contests have in common; the rest is zero. */
void contest_init(struct contest *contest, const struct contest_rules *rules, const struct plan *plan,
		  struct run_context *context, struct run_sink *sink);

/* One more who may be started; NULL when out of memory. */
struct contender *contest_add(struct contest *contest, const struct plan *plan);

/* Starts one who was added. */
void contest_launch(struct contender *contender, enum call_reason reason);

/* Both. False when out of memory. */
bool contest_enter(struct contest *contest, const struct plan *plan, enum call_reason reason);

/* Why another contender starts after a failure: reason, unless no call was made so far. */
enum call_reason contest_reason(const struct contest *contest, enum call_reason reason);

/* Nobody runs and nobody will: the failure goes up. For those that set awaited. */
void contest_give_up(struct contest *contest);

#endif
