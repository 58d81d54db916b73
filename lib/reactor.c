/* SPDX-License-Identifier: MIT */
/* The part of a reactor that needs no operating system: timers and the queue of tasks. */
#include "lib/reactor.h"

void reactor_init(struct reactor *reactor, const struct reactor_ops *ops, clock_us_fn clock, void *clock_context)
{
	reactor->ops = ops;
	reactor->tasks_head = NULL;
	reactor->tasks_tail = &reactor->tasks_head;
	timers_init(&reactor->timers, clock, clock_context);
}

void reactor_fini(struct reactor *reactor)
{
	timers_fini(&reactor->timers);
}

void task_queue(struct reactor *reactor, struct task *task)
{
	if (task->back != NULL)
		return;
	task->next = NULL;
	task->back = reactor->tasks_tail;
	*reactor->tasks_tail = task;
	reactor->tasks_tail = &task->next;
}

void task_drop(struct reactor *reactor, struct task *task)
{
	if (task->back == NULL)
		return;
	*task->back = task->next;
	if (task->next != NULL)
		task->next->back = task->back;
	else
		reactor->tasks_tail = task->back;
	task->back = NULL;
}

void reactor_run_tasks(struct reactor *reactor)
{
	while (reactor->tasks_head != NULL) {
		struct task *task = reactor->tasks_head;
		task_drop(reactor, task);
		task->run(task);
	}
}
