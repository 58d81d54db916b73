/* SPDX-License-Identifier: MIT */
/*
 * How much was used within a time. What is added counts for at least as long as the window is, and at most a sixtieth
 * longer: whatever interval of that length is looked at, no more lies in it than was let in. Days and months are the
 * calendar's in UTC; they begin anew at once.
 */
#ifndef SLUICE_SERVICE_QUOTAS_WINDOW_H
#define SLUICE_SERVICE_QUOTAS_WINDOW_H

#include "config/quota.h"

/* Both clocks: seconds to hours are counted on the first, days and months on the second. */
struct quota_now {
	uint64_t us; /* monotonic */
	uint64_t s;  /* since 1970 */
};

enum { WINDOW_SLOTS = 61 };

/* All zero is empty. */
struct window {
	uint64_t sum;
	uint64_t last; /* number of the newest slot or period */
	uint64_t slots[WINDOW_SLOTS];
};

/* Returns what was used. A clock that goes back changes nothing until it is where it was. */
uint64_t window_used(struct window *window, enum quota_window kind, struct quota_now now);

/* Returns what will still be counted when that many more slots have begun and nothing was added; of days and months,
 * nothing unless it is none. */
uint64_t window_used_later(struct window *window, enum quota_window kind, struct quota_now now, unsigned slots);

/* Returns the microseconds until that many more slots have begun. */
uint64_t window_later(enum quota_window kind, struct quota_now now, unsigned slots);

/* Adds an amount now. */
void window_add(struct window *window, enum quota_window kind, struct quota_now now, uint64_t amount);

/* Undoes window_add() of the same time and amount. */
void window_take_back(struct window *window, enum quota_window kind, struct quota_now now, uint64_t amount);

/* Returns the microseconds until at most so much is used, when nothing is added; 0 = that is so. */
uint64_t window_wait(struct window *window, enum quota_window kind, struct quota_now now, uint64_t used);

/* Returns the microseconds until the day or month is over; of a window that slides: its length. */
uint64_t window_rest(enum quota_window kind, struct quota_now now);

/* Length in seconds; of the month that is now. */
uint64_t window_length(enum quota_window kind, struct quota_now now);

#endif
