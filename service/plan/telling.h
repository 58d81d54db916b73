/* SPDX-License-Identifier: MIT */
/*
 * A large whole answer on its way up: in slices, as fast as whoever receives it does not pause, and a few in each turn,
 * so that copying it holds no turn.
 */
#ifndef SLUICE_SERVICE_PLAN_TELLING_H
#define SLUICE_SERVICE_PLAN_TELLING_H

#include "service/plan/plan.h"

/* Embedded in its run. Zero-initialised means not under way. */
struct telling {
	struct reactor *reactor; /* NULL = not under way */
	struct span body;        /* borrows */
	struct usage usage;
	size_t told;
	bool paused; /* may be set before it begins */
	struct task now;
	struct timer later;
	/* Passes an event up; may end the telling. */
	void (*emit)(struct telling *telling, struct event *event);
	/* All of it was told. */
	void (*on_told)(struct telling *telling);
};

/* Begins in a task of this turn. emit and on_told are filled in; body must stay until telling_end. */
void telling_begin(struct telling *telling, struct reactor *reactor, struct span body, const struct usage *usage);

/* Returns whether some of it is still to be told. */
bool telling_is_on(const struct telling *telling);

void telling_pause(struct telling *telling, bool paused);

/* Nothing is told any more. Harmless at any time. */
void telling_end(struct telling *telling);

#endif
