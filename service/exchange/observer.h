/* SPDX-License-Identifier: MIT */
/*
 * Observers of an exchange: whoever wants to know what becomes of it, whatever its steps are. They form a list; the
 * report is always in it, the lanes of a fan-out are when there are any. Observers are called from within the plan, so
 * they must not end the exchange or cancel the plan; they may send to the client, which may pause the plan.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_OBSERVER_H
#define SLUICE_SERVICE_EXCHANGE_OBSERVER_H

#include "service/plan/plan.h"

struct exchange_observer;

/* Each may be NULL: no interest. */
struct exchange_observer_ops {
	/* An event of the answer. now_us: monotonic. relayed: it goes to the client, as a piece of the answer. */
	void (*on_event)(struct exchange_observer *observer, const struct event *event, bool relayed, uint64_t now_us);
	/* A leaf of the plan starts: it is named by its number, from 0, from here on. Each that starts ends once, by an
	 * EVENT_END or EVENT_ERROR, or by on_leaf_cancelled. Only of plans that run for this exchange alone. */
	void (*on_leaf_started)(struct exchange_observer *observer, unsigned leaf, const struct plan *plan);
	/* An event of a leaf, before the combinators around it see it. */
	void (*on_leaf_event)(struct exchange_observer *observer, unsigned leaf, const struct event *event);
	void (*on_leaf_cancelled)(struct exchange_observer *observer, unsigned leaf);
	/* The exchange is over. The last call. */
	void (*on_end)(struct exchange_observer *observer, uint64_t now_us);
};

/* Embedded in its owner, which lives as long as the exchange. */
struct exchange_observer {
	const struct exchange_observer_ops *ops;
	struct exchange_observer *next;
};

/* All observers of an exchange. */
struct observers {
	struct run_tap tap; /* first: hears the leaves for those who want to */
	struct exchange_observer *first;
	unsigned leaves; /* that started so far */
	bool hears_leaves;
};

void observers_init(struct observers *observers);

/* Adds an observer, before the plan runs. */
void observers_add(struct observers *observers, struct exchange_observer *observer);

/* Returns the tap to run the plan with; NULL when nobody wants to hear of its leaves. */
struct run_tap *observers_tap(struct observers *observers);

/* These tell all of them. */
void observers_tell_event(const struct observers *observers, const struct event *event, bool relayed, uint64_t now_us);
void observers_tell_end(const struct observers *observers, uint64_t now_us);

#endif
