/* SPDX-License-Identifier: MIT */
/*
 * Early events: those of an answer that has no content yet (a role, say). They
 * are kept back while another child's answer may still be the one, so that a
 * client never sees the beginning of an answer that is then abandoned.
 */
#ifndef SLUICE_SERVICE_PLAN_HELD_EVENTS_H
#define SLUICE_SERVICE_PLAN_HELD_EVENTS_H

#include "service/plan/plan.h"

/* Bytes of early events that may wait. */
enum { HELD_EVENTS_MOST = 65536 };

/* In the flight's arena. */
struct held_event {
	struct held_event *next;
	struct event event;
};

/* Zero-initialised means empty. */
struct held_events {
	struct held_event *first;
	struct held_event *last;
	size_t bytes;
};

/* True when an answer that goes on like this may still be taken back. */
bool held_events_may_hold(const struct event *event);

/* Copies an event aside. False when it must be let through instead: there are too many, or no memory. */
bool held_events_keep(struct held_events *early, struct arena *arena, const struct event *event);

/* The oldest kept event, taken out; NULL when there is none. */
const struct event *held_events_take(struct held_events *early);

#endif
