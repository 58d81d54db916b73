/* SPDX-License-Identifier: MIT */
/* The steps of one thread; step.h holds the contract. */
#include "lib/step.h"

#include <stddef.h>

struct steps {
	const char *name;   /* of the present step; NULL = none */
	uint64_t since_us;  /* when it began, or went on */
	uint64_t spent_us;  /* of it, before that */
	uint64_t in_all_us; /* of all steps that ended */
	struct step_longest longest;
	const char *hint;
};

static _Thread_local struct steps steps;
static clock_us_fn step_clock = timers_monotonic;

/* Books the time since the present step went on. */
static void book(uint64_t now_us)
{
	if (steps.name == NULL)
		return;
	steps.spent_us += now_us - steps.since_us;
	steps.in_all_us += now_us - steps.since_us;
	if (steps.spent_us > steps.longest.took_us || steps.longest.name == NULL)
		steps.longest = (struct step_longest){steps.name, steps.spent_us};
}

struct step_mark step_enter(const char *name)
{
	uint64_t now_us = step_clock(NULL);
	book(now_us);
	struct step_mark before = {steps.name, steps.spent_us};
	steps.name = name;
	steps.since_us = now_us;
	steps.spent_us = 0;
	return before;
}

void step_leave(struct step_mark before)
{
	uint64_t now_us = step_clock(NULL);
	book(now_us);
	steps.name = before.name;
	steps.since_us = now_us;
	steps.spent_us = before.spent_us;
}

void step_set_clock(clock_us_fn clock)
{
	step_clock = clock == NULL ? timers_monotonic : clock;
}

void step_hint(const char *name)
{
	steps.hint = name;
}

struct step_longest step_take_longest(uint64_t took_us)
{
	struct step_longest longest = steps.longest;
	uint64_t rest_us = took_us > steps.in_all_us ? took_us - steps.in_all_us : 0;
	if (longest.name == NULL || rest_us > longest.took_us)
		longest = (struct step_longest){steps.hint == NULL ? "events" : steps.hint, rest_us};
	step_forget();
	return longest;
}

void step_forget(void)
{
	steps.in_all_us = 0;
	steps.longest = (struct step_longest){NULL, 0};
	steps.hint = NULL;
}
