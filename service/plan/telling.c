/* SPDX-License-Identifier: MIT */
/* Slices of a whole answer; telling.h holds the contract. */
#include "service/plan/telling.h"

#include "lib/container.h"

enum { SLICE = 64 << 10, SLICES_OF_A_TURN = 4 };

static void on_later(struct timer *timer)
{
	struct telling *telling = container_of(timer, struct telling, later);
	task_queue(telling->reactor, &telling->now);
}

static bool tells(const struct telling *telling)
{
	return telling->reactor != NULL && !telling->paused && telling->told < telling->body.len;
}

static void tell_slice(struct telling *telling)
{
	size_t left = telling->body.len - telling->told;
	struct event event = {.kind = EVENT_BODY,
			      .data = {telling->body.at + telling->told, left < SLICE ? left : SLICE},
			      .total = (int64_t)telling->body.len,
			      .usage = telling->usage};
	telling->told += event.data.len;
	telling->emit(telling, &event);
}

static void on_now(struct task *task)
{
	struct telling *telling = container_of(task, struct telling, now);
	for (int i = 0; i < SLICES_OF_A_TURN && tells(telling); i++)
		tell_slice(telling);
	if (tells(telling))
		timer_start(&telling->reactor->timers, &telling->later, 0, on_later);
	else if (telling->reactor != NULL && telling->told == telling->body.len)
		telling->on_told(telling);
}

void telling_begin(struct telling *telling, struct reactor *reactor, struct span body, const struct usage *usage)
{
	telling->reactor = reactor;
	telling->body = body;
	telling->usage = *usage;
	telling->told = 0;
	telling->now.run = on_now;
	task_queue(reactor, &telling->now);
}

bool telling_is_on(const struct telling *telling)
{
	return telling->reactor != NULL;
}

void telling_pause(struct telling *telling, bool paused)
{
	telling->paused = paused;
	if (tells(telling))
		task_queue(telling->reactor, &telling->now);
}

void telling_end(struct telling *telling)
{
	if (telling->reactor == NULL)
		return;
	task_drop(telling->reactor, &telling->now);
	timer_stop(&telling->reactor->timers, &telling->later);
	telling->reactor = NULL;
}
