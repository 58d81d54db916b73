/* SPDX-License-Identifier: MIT */
/* The length of turns, and the warning of long ones; turn.h holds the contract. */
#include "service/loop/turn.h"

#include <time.h>

#include "lib/log.h"
#include "lib/step.h"
#include "lib/timers.h"

enum { TURN_MS_US = 1000, TURN_SECOND_US = 1000000, TURN_NS_OF_US = 1000 };

/* The longest turn that is believed: the wall clock may be set while one runs. */
static const uint64_t turn_most_us = 600000000;

static void warn(struct turn *turn, uint64_t took_us, uint64_t now_us)
{
	struct log_line line;
	struct step_longest longest = step_take_longest(took_us);
	turn->unreported++;
	if (now_us < turn->quiet_until_us)
		return;
	log_begin(&line, LOG_WARN, "a loop turn was long");
	log_ms(&line, "duration_ms", took_us);
	log_str(&line, "step", span_of(longest.name));
	log_ms(&line, "step_ms", longest.took_us);
	log_int(&line, "turns", (int64_t)turn->unreported);
	log_end(&line);
	turn->unreported = 0;
	turn->quiet_until_us = now_us + TURN_QUIET_US;
}

void turn_note(struct turn *turn, uint64_t took_us, uint64_t now_us)
{
	metrics_observe_alone(turn->metrics, took_us, METRIC_LOOP_TURN);
	if (took_us >= TURN_LONG_US)
		warn(turn, took_us, now_us);
	else
		step_forget();
}

void turn_end(struct turn *turn, uint64_t at_ms, uint64_t passed_ms)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t end_us = (uint64_t)now.tv_sec * TURN_SECOND_US + (uint64_t)now.tv_nsec / TURN_NS_OF_US;
	uint64_t at_us = (at_ms + 1) * TURN_MS_US;
	uint64_t took_us = passed_ms * TURN_MS_US + (end_us > at_us ? end_us - at_us : 0);
	if (took_us > turn_most_us)
		took_us = 0;
	turn_note(turn, took_us, took_us >= TURN_LONG_US ? timers_monotonic(NULL) : 0);
}
