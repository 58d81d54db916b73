/* SPDX-License-Identifier: MIT */
/*
 * The timeouts of a call. How long its answer may take in all; and how long a target may be silent: until the first
 * content of a stream, then between complete events; between the pieces of a whole answer or a refusal once their head
 * has come.
 *
 * While the call is paused for a slow client the clock stands still: what the
 * backend has sent waits unread, and its silence is not its fault. Nor does it run
 * for an answer that is there and read a part at a time.
 */
#include "lib/container.h"
#include "service/plan/target.h"

uint64_t target_idle_limit(const struct target_run *target)
{
	const struct config_timeouts *limits = &target->target->backend->timeouts;
	return target->state == TARGET_ST_WHOLE ? limits->idle_whole_us : limits->idle_us;
}

static void silence_is_over(struct target_run *target)
{
	switch (target->state) {
	case TARGET_ST_STREAM:
		if (target_stream_is_finished(target))
			target_stream_on_end(target, ERROR_NONE);
		else
			target_fail_code(target,
					 target->content_seen ? ERROR_UPSTREAM_IDLE : ERROR_UPSTREAM_FIRST_CONTENT);
		break;
	case TARGET_ST_REFUSAL:
		target_refusal_on_end(target); /* what has come of it tells enough */
		break;
	case TARGET_ST_WHOLE:
		target_fail_code(target, ERROR_UPSTREAM_IDLE);
		break;
	default:
		target_fail_code(target, ERROR_UPSTREAM_FIRST_CONTENT);
	}
}

static void on_silence(struct timer *timer)
{
	struct target_run *target = container_of(timer, struct target_run, silence);
	/* the timer is not restarted for every event: look how old the last one really is */
	uint64_t age_us = target_now(target) - target->last_event_us;
	if (!target->idle || age_us >= target_idle_limit(target) ||
	    !timer_start(target_timers(target), timer, target_idle_limit(target) - age_us, on_silence))
		silence_is_over(target);
}

static void on_total(struct timer *timer)
{
	struct target_run *target = container_of(timer, struct target_run, total);
	target_fail_code(target, ERROR_UPSTREAM_TOTAL);
}

bool target_timeouts_begin(struct target_run *target)
{
	const struct config_timeouts *limits = &target->target->backend->timeouts;
	return timer_start(target_timers(target), &target->total, limits->total_us, on_total) &&
	       (!target->run.context->request->stream ||
		timer_start(target_timers(target), &target->silence, limits->first_content_us, on_silence));
}

void target_alive(struct target_run *target)
{
	bool running = timer_is_running(&target->silence) && target->idle;
	target->idle = true;
	target->last_event_us = target_now(target);
	target->silence_left_us = target_idle_limit(target);
	if (!running && !target->paused && !answer_slices_is_on(&target->slices))
		timer_start(target_timers(target), &target->silence, target_idle_limit(target), on_silence);
}

void target_timeouts_pause(struct target_run *target, bool paused)
{
	uint64_t now = target_now(target);
	if (!paused && target->silence_left_us > 0) {
		target->last_event_us = now; /* the clock of idleness stood still, too */
		timer_start(target_timers(target), &target->silence, target->silence_left_us, on_silence);
	} else if (paused && timer_is_running(&target->silence)) {
		target->silence_left_us = target->silence.due_us > now ? target->silence.due_us - now : 1;
		timer_stop(target_timers(target), &target->silence);
	}
}
