/* SPDX-License-Identifier: MIT */
/* /admin/keys: the keys of the store. The keeper (service/access/keeper.h) runs each operation on its own thread. */
#include <stdlib.h>

#include "lib/container.h"
#include "service/access/keeper.h"
#include "service/access/key_edit.h"
#include "service/admin/admin.h"

struct keys_job {
	struct admin_job job; /* first */
	struct keeper_job work;
	bool left; /* nobody waits any more */
};

static void keys_free(struct keys_job *keys)
{
	key_task_fini(&keys->work.task);
	free(keys);
}

/* Texts move from the task, which goes, into what the answer has. */
static void keys_tell(struct admin_job *job, struct admin_answer *answer)
{
	struct keys_job *keys = (struct keys_job *)job;
	struct key_task *task = &keys->work.task;
	answer->error = task->error;
	if (task->error == ERROR_NONE) {
		buf_fini(&answer->body);
		answer->body = buf_take(&task->answer);
	} else {
		buf_append(&answer->body, task->message);
		if (task->param.at != NULL)
			answer->param = arena_copy(answer->arena, task->param);
		if (task->details.at != NULL)
			answer->details = arena_copy(answer->arena, task->details);
	}
	keys_free(keys);
}

static void keys_leave(struct admin_job *job)
{
	struct keys_job *keys = (struct keys_job *)job;
	keys->left = true;
}

static void on_done(struct job *work)
{
	struct keys_job *keys = container_of(work, struct keys_job, work.job);
	if (keys->left)
		keys_free(keys);
	else
		keys->job.on_ready(keys->job.waiter);
}

/* A body that is too large is refused by its first bytes. */
static void copy_texts(const struct admin_request *request, struct key_task *task)
{
	struct span body = request->body;
	if (body.len > KEY_EDIT_BODY_MAX)
		body.len = KEY_EDIT_BODY_MAX + 1;
	task->id = arena_copy(&task->arena, request->argument);
	task->body = arena_copy(&task->arena, body);
	task->query = arena_copy(&task->arena, request->query);
}

static void run(const struct admin_request *request, struct admin_answer *answer, enum key_operation operation)
{
	if (request->keys == NULL) {
		answer->error = ERROR_KEY_NO_STORE;
		return;
	}
	struct keys_job *keys = calloc(1, sizeof(*keys));
	answer->error = ERROR_OVERLOADED;
	if (keys == NULL)
		return;
	keys->job = (struct admin_job){.tell = keys_tell, .leave = keys_leave};
	keys->work.job.done = on_done;
	key_task_init(&keys->work.task, operation);
	copy_texts(request, &keys->work.task);
	if (arena_failed(&keys->work.task.arena) || !jobs_submit(request->keys, &keys->work.job)) {
		keys_free(keys);
		return;
	}
	answer->error = ERROR_NONE;
	answer->job = &keys->job;
}

void admin_keys(const struct admin_request *request, struct admin_answer *answer)
{
	run(request, answer, KEY_LIST);
}

void admin_key_create(const struct admin_request *request, struct admin_answer *answer)
{
	run(request, answer, KEY_CREATE);
}

void admin_key(const struct admin_request *request, struct admin_answer *answer)
{
	run(request, answer, KEY_SHOW);
}

void admin_key_change(const struct admin_request *request, struct admin_answer *answer)
{
	run(request, answer, KEY_CHANGE);
}

void admin_key_revoke(const struct admin_request *request, struct admin_answer *answer)
{
	run(request, answer, KEY_REVOKE);
}

void admin_key_rotate(const struct admin_request *request, struct admin_answer *answer)
{
	run(request, answer, KEY_ROTATE);
}
