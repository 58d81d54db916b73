/* SPDX-License-Identifier: MIT */
/* Use within a time, by slots; window.h holds the contract. */
#include "service/quotas/window.h"

#include <string.h>
#include <time.h>

enum { SECOND_US = 1000000, DAY_S = 86400, MONTHS = 12, PARTS = WINDOW_SLOTS - 1 };

static bool is_sliding(enum quota_window kind)
{
	return kind <= QUOTA_HOUR;
}

/* Length of a slot. An hour's is a minute. */
static uint64_t slot_us(enum quota_window kind)
{
	static const uint64_t lengths_us[] = {[QUOTA_SECOND] = (SECOND_US + PARTS - 1) / PARTS,
					      [QUOTA_MINUTE] = SECOND_US,
					      [QUOTA_HOUR] = 60 * (uint64_t)SECOND_US};
	return lengths_us[kind];
}

static struct tm calendar(struct quota_now now)
{
	time_t at = (time_t)now.s;
	struct tm day = {.tm_year = 70};
	gmtime_r(&at, &day);
	return day;
}

/* The number of the slot or period, from 1 on. */
static uint64_t number_of(enum quota_window kind, struct quota_now now)
{
	if (is_sliding(kind))
		return now.us / slot_us(kind) + 1;
	if (kind == QUOTA_DAY)
		return now.s / DAY_S + 1;
	struct tm day = calendar(now);
	return (uint64_t)day.tm_year * MONTHS + (uint64_t)day.tm_mon + 1;
}

/* Forgets what is over. */
static void advance(struct window *window, enum quota_window kind, struct quota_now now)
{
	uint64_t number = number_of(kind, now);
	if (number <= window->last)
		return;
	if (!is_sliding(kind) || number - window->last >= WINDOW_SLOTS) {
		if (window->sum != 0)
			memset(window->slots, 0, sizeof(window->slots));
		window->sum = 0;
		window->last = number;
	}
	while (window->last < number) {
		uint64_t *slot = &window->slots[++window->last % WINDOW_SLOTS];
		window->sum -= *slot;
		*slot = 0;
	}
}

uint64_t window_used(struct window *window, enum quota_window kind, struct quota_now now)
{
	advance(window, kind, now);
	return window->sum;
}

uint64_t window_used_later(struct window *window, enum quota_window kind, struct quota_now now, unsigned slots)
{
	advance(window, kind, now);
	if (slots == 0 || !is_sliding(kind))
		return slots == 0 ? window->sum : 0;
	uint64_t left = window->sum;
	for (unsigned i = 1; i <= slots && i <= WINDOW_SLOTS; i++) /* the oldest slot has the next one's place */
		left -= window->slots[(window->last + i) % WINDOW_SLOTS];
	return left;
}

uint64_t window_later(enum quota_window kind, struct quota_now now, unsigned slots)
{
	if (slots == 0)
		return 0;
	return is_sliding(kind) ? (now.us / slot_us(kind) + slots) * slot_us(kind) - now.us : window_rest(kind, now);
}

void window_add(struct window *window, enum quota_window kind, struct quota_now now, uint64_t amount)
{
	advance(window, kind, now);
	window->slots[window->last % WINDOW_SLOTS] += amount;
	window->sum += amount;
}

void window_take_back(struct window *window, enum quota_window kind, struct quota_now now, uint64_t amount)
{
	advance(window, kind, now);
	window->slots[window->last % WINDOW_SLOTS] -= amount;
	window->sum -= amount;
}

uint64_t window_rest(enum quota_window kind, struct quota_now now)
{
	if (is_sliding(kind))
		return slot_us(kind) * PARTS;
	struct tm day = calendar(now);
	if (kind == QUOTA_DAY)
		return (DAY_S - now.s % DAY_S) * SECOND_US;
	struct tm next = {.tm_year = day.tm_year, .tm_mon = day.tm_mon + 1, .tm_mday = 1};
	return ((uint64_t)timegm(&next) - now.s) * SECOND_US;
}

/* Returns the number, from 0 on, of the slot with whose beginning everything is forgotten. A slot goes when one begins
 * that is WINDOW_SLOTS later. */
static uint64_t last_to_go(const struct window *window)
{
	uint64_t newest = window->last;
	while (window->slots[newest % WINDOW_SLOTS] == 0)
		newest--;
	return newest + WINDOW_SLOTS - 1;
}

/* Returns the number of the slot with whose beginning at most so much is left. */
static uint64_t first_to_suffice(const struct window *window, uint64_t used)
{
	uint64_t sum = window->sum, oldest = window->last + 1; /* the place of the oldest one is that of the next */
	for (int i = 0; i < WINDOW_SLOTS && sum > used; i++)
		sum -= window->slots[oldest++ % WINDOW_SLOTS];
	return oldest - 2;
}

uint64_t window_wait(struct window *window, enum quota_window kind, struct quota_now now, uint64_t used)
{
	advance(window, kind, now);
	if (window->sum <= used)
		return 0;
	if (!is_sliding(kind))
		return window_rest(kind, now);
	uint64_t start_us = (used == 0 ? last_to_go(window) : first_to_suffice(window, used)) * slot_us(kind);
	return start_us > now.us ? start_us - now.us : 1;
}

uint64_t window_length(enum quota_window kind, struct quota_now now)
{
	static const uint64_t lengths_s[] = {
	    [QUOTA_SECOND] = 1, [QUOTA_MINUTE] = 60, [QUOTA_HOUR] = 3600, [QUOTA_DAY] = DAY_S};
	if (kind != QUOTA_MONTH)
		return lengths_s[kind];
	struct tm day = calendar(now);
	struct tm first = {.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = 1}, next = first;
	next.tm_mon++;
	return (uint64_t)(timegm(&next) - timegm(&first));
}
