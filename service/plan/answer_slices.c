/* SPDX-License-Identifier: MIT */
/* Slices of a whole answer; answer_slices.h holds the contract. */
#include "service/plan/answer_slices.h"

#include "lib/container.h"

enum { SLICE = 64 << 10, SLICES_OF_A_TURN = 4 };

static void on_later(struct timer *timer)
{
	struct answer_slices *slices = container_of(timer, struct answer_slices, later);
	task_queue(slices->reactor, &slices->now);
}

static bool tells(const struct answer_slices *slices)
{
	return slices->reactor != NULL && !slices->paused && slices->told < slices->body.len;
}

static void tell_slice(struct answer_slices *slices)
{
	size_t left = slices->body.len - slices->told;
	struct event event = {.kind = EVENT_BODY,
			      .data = {slices->body.at + slices->told, left < SLICE ? left : SLICE},
			      .total = (int64_t)slices->body.len,
			      .usage = slices->usage};
	slices->told += event.data.len;
	slices->emit(slices, &event);
}

static void on_now(struct task *task)
{
	struct answer_slices *slices = container_of(task, struct answer_slices, now);
	for (int i = 0; i < SLICES_OF_A_TURN && tells(slices); i++)
		tell_slice(slices);
	if (tells(slices))
		timer_start(&slices->reactor->timers, &slices->later, 0, on_later);
	else if (slices->reactor != NULL && slices->told == slices->body.len)
		slices->on_told(slices);
}

void answer_slices_begin(struct answer_slices *slices, struct reactor *reactor, struct span body,
			 const struct usage *usage)
{
	slices->reactor = reactor;
	slices->body = body;
	slices->usage = *usage;
	slices->told = 0;
	slices->now.run = on_now;
	task_queue(reactor, &slices->now);
}

bool answer_slices_is_on(const struct answer_slices *slices)
{
	return slices->reactor != NULL;
}

void answer_slices_pause(struct answer_slices *slices, bool paused)
{
	slices->paused = paused;
	if (tells(slices))
		task_queue(slices->reactor, &slices->now);
}

void answer_slices_end(struct answer_slices *slices)
{
	if (slices->reactor == NULL)
		return;
	task_drop(slices->reactor, &slices->now);
	timer_stop(&slices->reactor->timers, &slices->later);
	slices->reactor = NULL;
}
