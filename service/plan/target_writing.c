/* SPDX-License-Identifier: MIT */
/*
 * The request of a target whose backend speaks another dialect: written in the loop's turn, or by a helper when it is
 * large or holds much. A helper owns all that it touches: the request is held, and what is spliced in is copied.
 */
#include <stdlib.h>

#include "schemas/dialect.h"
#include "schemas/dropped.h"
#include "service/loop/offload.h"
#include "service/plan/target.h"

enum { WRITING_OVERHEAD = 1 << 20 /* bytes of paths, and what blocks leave unused */ };

struct target_writing {
	struct offload_job job;    /* first */
	struct target_run *target; /* the loop's */
	struct request *request;   /* held */
	const struct dialect *dialect;
	struct request_splice splice;
	int64_t output_standard;
	struct arena arena;
	struct buf out;
	struct dropped dropped;
};

/* Nodes and texts of the arguments of calls. */
static size_t arena_most(const struct target_run *target)
{
	const struct request *request = target->run.context->request;
	size_t values = target->run.context->worker->config->limits.json.values;
	return values * sizeof(struct json_node) + 2 * request->json.text.len + WRITING_OVERHEAD;
}

static void writing_init(struct target_writing *writing, struct target_run *target, const struct request_splice *splice)
{
	const struct run_context *context = target->run.context;
	*writing = (struct target_writing){.target = target,
					   .request = request_hold((struct request *)context->request),
					   .dialect = target->run.plan->dialect,
					   .splice = *splice,
					   .output_standard = target->target->backend->max_tokens,
					   .out = buf_take(&target->request)};
	arena_init(&writing->arena, arena_most(target));
	arena_charge(&writing->arena, context->party);
}

static void writing_fini(struct target_writing *writing)
{
	buf_fini(&writing->out);
	arena_fini(&writing->arena);
	request_drop(writing->request);
}

static void writing_write(struct target_writing *writing)
{
	const struct translation translation = {.request = writing->request,
						.splice = &writing->splice,
						.output_standard = writing->output_standard,
						.arena = &writing->arena,
						.out = &writing->out,
						.dropped = &writing->dropped};
	writing->dialect->request_translate(&translation);
}

/* Hands the request over to the target. False: memory ran out. */
static bool writing_take(struct target_writing *writing)
{
	struct target_run *target = writing->target;
	struct arena *arena = target->run.context->arena;
	target->request = buf_take(&writing->out);
	target->origin.dropped = dropped_text(&writing->dropped, arena);
	if (target->origin.dropped.at != NULL) /* it may be a path of the writing's arena */
		target->origin.dropped = arena_copy(arena, target->origin.dropped);
	return !arena_failed(&writing->arena) && !buf_failed(&target->request) && !arena_failed(arena);
}

bool target_write_request(struct target_run *target, const struct request_splice *splice)
{
	struct target_writing writing;
	writing_init(&writing, target, splice);
	writing_write(&writing);
	bool good = writing_take(&writing);
	writing_fini(&writing);
	return good;
}

/* ---- by a helper ---- */

static void writing_on_work(struct offload_job *job)
{
	writing_write((struct target_writing *)job);
}

static void writing_free(struct target_writing *writing)
{
	writing_fini(writing);
	free(writing);
}

static void writing_on_done(struct offload_job *job)
{
	struct target_writing *writing = (struct target_writing *)job;
	struct target_run *target = writing->target;
	target->writing = NULL;
	bool good = writing_take(writing) && !job->refused;
	writing_free(writing);
	target_enter(target);
	if (good)
		target_proceed(target);
	else
		target_fail_code(target, ERROR_OVERLOADED);
	target_leave(target);
}

static void writing_on_discard(struct offload_job *job)
{
	writing_free((struct target_writing *)job);
}

/* A client's own bytes are copied, whatever they hold. */
static bool is_heavy(const struct target_run *target)
{
	const struct request *request = target->run.context->request;
	return target_serves_own(target) ? request->own.text.len >= OFFLOAD_LARGE
					 : offload_is_heavy(request->json.text);
}

bool target_write_apart(struct target_run *target, const struct request_splice *splice)
{
	struct run_context *context = target->run.context;
	struct target_writing *writing = NULL;
	if (context->worker->offload != NULL && is_heavy(target))
		writing = malloc(sizeof(*writing));
	if (writing == NULL)
		return false;
	writing_init(writing, target, splice);
	writing->splice.model = arena_copy(&writing->arena, splice->model);
	if (splice->prefill.at != NULL)
		writing->splice.prefill = arena_copy(&writing->arena, splice->prefill);
	writing->job = (struct offload_job){.work = writing_on_work,
					    .done = writing_on_done,
					    .discard = writing_on_discard,
					    .kind = OFFLOAD_TRANSLATE,
					    .owner = {context->network, context->client},
					    .bytes = context->request->json.text.len};
	target->writing = writing;
	offload_submit(context->worker->offload, &writing->job);
	return true;
}

void target_writing_cancel(struct target_run *target)
{
	struct target_writing *writing = target->writing;
	target->writing = NULL;
	if (writing != NULL)
		offload_cancel(&writing->job);
}
