/* SPDX-License-Identifier: MIT */
/* Waiting for jobs; waiting.h holds the contract. */
#include "service/waiting.h"

#include <stdlib.h>

enum { WAITING_BODY_MAX = 64 << 20 };

struct waiting {
	struct http_request *request;
	enum operation operation;
	struct admin_job *job;
	waiting_send send;
	void *context;
};

struct admin_answer waiting_answer(enum operation operation)
{
	struct admin_answer answer = {.status = 200, .content_type = operation_row(operation)->media_type};
	buf_init(&answer.body, WAITING_BODY_MAX);
	return answer;
}

static void on_ready(void *waiter)
{
	struct waiting *waiting = waiter;
	struct admin_answer answer = waiting_answer(waiting->operation);
	struct arena arena;
	arena_init(&arena, 0);
	answer.arena = &arena;
	waiting->job->tell(waiting->job, &answer);
	waiting->send(waiting->context, waiting->request, waiting->operation, &answer, &arena);
	buf_fini(&answer.body);
	arena_fini(&arena);
	free(waiting);
}

static void on_gone(void *context)
{
	struct waiting *waiting = context;
	waiting->job->leave(waiting->job);
	free(waiting);
}

static void on_drained(void *context)
{
	(void)context; /* nothing was written yet */
}

bool waiting_begin(struct http_request *request, enum operation operation, struct admin_job *job, waiting_send send,
		   void *context)
{
	static const struct http_request_ops ops = {on_gone, on_drained};
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	if (waiting == NULL) {
		job->leave(job);
		return false;
	}
	*waiting = (struct waiting){request, operation, job, send, context};
	job->on_ready = on_ready;
	job->waiter = waiting;
	http_request_attach(request, &ops, waiting);
	return true;
}
