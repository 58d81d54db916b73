/* SPDX-License-Identifier: MIT */
/*
 * Early events: those of an answer that has no content yet (a role, say). They
 * are kept back while another child's answer may still be the one, so that a
 * client never sees the beginning of an answer that is then abandoned.
 */
#ifndef SLUICE_SERVICE_PLAN_EARLY_H
#define SLUICE_SERVICE_PLAN_EARLY_H

#include "service/plan/plan.h"

/* Bytes of early events that may wait. */
enum { EARLY_MOST = 65536 };

/* In the flight's arena. */
struct early_event {
	struct early_event *next;
	struct event event;
};

/* Zero-initialised means empty. */
struct early {
	struct early_event *first;
	struct early_event *last;
	size_t bytes;
};

/* True when an answer that goes on like this may still be taken back. */
bool early_is(const struct event *event);

/* Copies an event aside. False when it must be let through instead: there are too many, or no memory. */
bool early_keep(struct early *early, struct arena *arena, const struct event *event);

/* The oldest kept event, taken out; NULL when there is none. */
const struct event *early_take(struct early *early);

#endif
