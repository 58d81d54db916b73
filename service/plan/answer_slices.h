/* SPDX-License-Identifier: MIT */
/*
 * A large whole answer on its way up: in slices, as fast as whoever receives it does not pause, and a few in each turn,
 * so that copying it holds no turn.
 */
#ifndef SLUICE_SERVICE_PLAN_ANSWER_SLICES_H
#define SLUICE_SERVICE_PLAN_ANSWER_SLICES_H

#include "service/plan/plan.h"

/* Embedded in its run. Zero-initialised means not under way. */
struct answer_slices {
	struct reactor *reactor; /* NULL = not under way */
	struct span body;        /* borrows */
	struct usage usage;
	size_t told;
	bool paused; /* may be set before it begins */
	struct task now;
	struct timer later;
	/* Passes an event up; may end them. */
	void (*emit)(struct answer_slices *slices, struct event *event);
	/* All of it was told. */
	void (*on_told)(struct answer_slices *slices);
};

/* Begins in a task of this turn. emit and on_told are filled in; body must stay until answer_slices_end. */
void answer_slices_begin(struct answer_slices *slices, struct reactor *reactor, struct span body,
			 const struct usage *usage);

/* Returns whether some of it is still to be told. */
bool answer_slices_is_on(const struct answer_slices *slices);

void answer_slices_pause(struct answer_slices *slices, bool paused);

/* Nothing is told any more. Harmless at any time. */
void answer_slices_end(struct answer_slices *slices);

#endif
