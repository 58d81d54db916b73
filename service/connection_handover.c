/* SPDX-License-Identifier: MIT */
/* Who is busy, by the clocks of the workers' threads; connection_handover.h holds the contract. */
#include "service/connection_handover.h"

#include <stdlib.h>

bool handover_init(struct handover *handover, size_t count, size_t own)
{
	*handover = (struct handover){.count = count, .own = own};
	handover->clocks = calloc(count, sizeof(*handover->clocks));
	handover->cpu_us = calloc(count, sizeof(*handover->cpu_us));
	handover->busy = calloc(count, sizeof(*handover->busy));
	if (handover->clocks != NULL && handover->cpu_us != NULL && handover->busy != NULL)
		return true;
	handover_fini(handover);
	return false;
}

void handover_fini(struct handover *handover)
{
	free(handover->clocks);
	free(handover->cpu_us);
	free(handover->busy);
	*handover = (struct handover){.count = 0};
}

void handover_meet(struct handover *handover, size_t worker, pthread_t thread)
{
	if (pthread_getcpuclockid(thread, &handover->clocks[worker]) != 0)
		handover->clocks[worker] = CLOCK_THREAD_CPUTIME_ID;
}

/* Processor time so far; 0 when the thread has ended. */
static uint64_t cpu_us_of(clockid_t clock)
{
	struct timespec time;
	if (clock_gettime(clock, &time) != 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void look(struct handover *handover, uint64_t now_us)
{
	uint64_t passed_us = now_us - handover->looked_us;
	for (size_t i = 0; i < handover->count; i++) {
		uint64_t cpu_us = cpu_us_of(handover->clocks[i]);
		uint64_t used_us = cpu_us > handover->cpu_us[i] ? cpu_us - handover->cpu_us[i] : 0;
		handover->busy[i] = (unsigned)(used_us >= passed_us ? 1000 : used_us * 1000 / passed_us);
		handover->cpu_us[i] = cpu_us;
	}
	handover->looked_us = now_us;
}

size_t handover_pick(const unsigned *busy, size_t count, size_t own)
{
	size_t least = own;
	for (size_t i = 0; i < count; i++)
		if (busy[i] < busy[least])
			least = i;
	return busy[own] - busy[least] >= HANDOVER_LEAST ? least : own;
}

size_t handover_choose(struct handover *handover, uint64_t now_us)
{
	if (handover->count < 2)
		return handover->own;
	if (now_us - handover->looked_us >= HANDOVER_LOOK_US)
		look(handover, now_us);
	size_t choice = handover_pick(handover->busy, handover->count, handover->own);
	handover->busy[choice] += HANDOVER_CONNECTION;
	return choice;
}
