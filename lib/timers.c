/* SPDX-License-Identifier: MIT */
/* A binary min-heap of timers; each timer knows its slot, so that stopping is O(log n). */
#include "lib/timers.h"

#include <stdlib.h>
#include <time.h>

uint64_t timers_monotonic(void *context)
{
	(void)context;
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void timers_init(struct timers *timers, clock_us_fn clock, void *context)
{
	*timers = (struct timers){.clock = clock == NULL ? timers_monotonic : clock, .clock_context = context};
	timers_refresh(timers);
}

void timers_fini(struct timers *timers)
{
	for (size_t i = 0; i < timers->count; i++)
		timers->heap[i]->slot = 0;
	free(timers->heap);
	timers->heap = NULL;
	timers->count = timers->capacity = 0;
}

uint64_t timers_refresh(struct timers *timers)
{
	timers->now_us = timers->clock(timers->clock_context);
	timers->stale = false;
	return timers->now_us;
}

static void heap_put(struct timers *timers, size_t at, struct timer *timer)
{
	timers->heap[at] = timer;
	timer->slot = at + 1;
}

static void heap_up(struct timers *timers, size_t at, struct timer *timer)
{
	while (at > 0 && timers->heap[(at - 1) / 2]->due_us > timer->due_us) {
		heap_put(timers, at, timers->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(timers, at, timer);
}

static void heap_down(struct timers *timers, size_t at, struct timer *timer)
{
	for (;;) {
		size_t child = at * 2 + 1;
		if (child >= timers->count)
			break;
		if (child + 1 < timers->count && timers->heap[child + 1]->due_us < timers->heap[child]->due_us)
			child++;
		if (timers->heap[child]->due_us >= timer->due_us)
			break;
		heap_put(timers, at, timers->heap[child]);
		at = child;
	}
	heap_put(timers, at, timer);
}

static bool heap_reserve(struct timers *timers)
{
	if (timers->count < timers->capacity)
		return true;
	size_t capacity = timers->capacity == 0 ? 64 : timers->capacity * 2;
	struct timer **heap = realloc(timers->heap, capacity * sizeof(struct timer *));
	if (heap == NULL)
		return false;
	timers->heap = heap;
	timers->capacity = capacity;
	return true;
}

bool timer_start(struct timers *timers, struct timer *timer, uint64_t delay_us, timer_cb on_due)
{
	timer_stop(timers, timer);
	if (!heap_reserve(timers))
		return false;
	timer->on_due = on_due;
	uint64_t now = timers_now(timers);
	timer->due_us = delay_us > UINT64_MAX - now ? UINT64_MAX : now + delay_us;
	timers->count++;
	heap_up(timers, timers->count - 1, timer);
	return true;
}

void timer_stop(struct timers *timers, struct timer *timer)
{
	if (timer->slot == 0)
		return;
	size_t at = timer->slot - 1;
	timer->slot = 0;
	timers->count--;
	if (at == timers->count)
		return;
	struct timer *last = timers->heap[timers->count];
	if (at > 0 && timers->heap[(at - 1) / 2]->due_us > last->due_us)
		heap_up(timers, at, last);
	else
		heap_down(timers, at, last);
}

void timers_run(struct timers *timers)
{
	uint64_t now = timers_now(timers);
	size_t budget = timers->count;
	while (budget-- > 0 && timers->count > 0 && timers->heap[0]->due_us <= now) {
		struct timer *timer = timers->heap[0];
		timer_stop(timers, timer);
		timer->on_due(timer);
	}
}

uint64_t timers_wait(struct timers *timers)
{
	if (timers->count == 0)
		return UINT64_MAX;
	uint64_t due = timers->heap[0]->due_us;
	uint64_t now = timers_now(timers);
	return due > now ? due - now : 0;
}
