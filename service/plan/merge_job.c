/* SPDX-License-Identifier: MIT */
/*
 * The job owns the answers, the texts of the lanes and the result; merge_job.h holds the contract. At the end, the
 * usage of several answers as an event.
 */
#include "service/plan/merge_job.h"

#include <stdlib.h>

#include "schemas/dialect.h"
#include "service/loop/offload.h"

enum { MERGED_IN_TURN = 256 << 10 /* bytes of all answers */ };

struct merge_job {
	struct offload_job job; /* first */
	struct arena arena;
	const struct dialect *dialect;
	struct buf *answers;
	struct span *bodies;
	struct answer_lane *lanes;
	size_t count;
	bool replaces; /* the usage of the one answer */
	struct usage usage;
	struct buf out;
	bool merged;
	merge_job_done done;
	void *owner;
};

static void merge_job_free(struct merge_job *merging)
{
	for (size_t i = 0; i < merging->count; i++)
		buf_fini(&merging->answers[i]);
	buf_fini(&merging->out);
	arena_fini(&merging->arena);
	free(merging);
}

/* On a helper thread. */
static void merge_job_on_work(struct offload_job *job)
{
	struct merge_job *merging = (struct merge_job *)job;
	merging->merged = merging->replaces
			      ? merging->dialect->answer_set_usage(merging->bodies[0], &merging->usage, &merging->arena,
								   &merging->out)
			      : merging->dialect->answers_merge(merging->bodies, merging->lanes, merging->count,
								&merging->arena, &merging->out);
}

static void merge_job_on_done(struct offload_job *job)
{
	struct merge_job *merging = (struct merge_job *)job;
	enum error_code error = ERROR_NONE;
	if (job->refused || arena_failed(&merging->arena) || buf_failed(&merging->out))
		error = ERROR_OVERLOADED;
	else if (!merging->merged)
		error = ERROR_UPSTREAM_INVALID;
	merging->done(merging->owner, error, &merging->out);
	merge_job_free(merging);
}

static void merge_job_on_discard(struct offload_job *job)
{
	merge_job_free((struct merge_job *)job);
}

static size_t bytes_of(const struct merge_job_request *request)
{
	size_t bytes = 0;
	for (size_t i = 0; i < request->count; i++)
		bytes += buf_len(request->answers[i]);
	return bytes;
}

bool merge_job_is_worth(const struct run_context *context, const struct merge_job_request *request)
{
	if (context->worker->offload == NULL)
		return false;
	bool worth = bytes_of(request) > MERGED_IN_TURN;
	for (size_t i = 0; i < request->count && !worth; i++)
		worth = offload_is_heavy(buf_span(request->answers[i]));
	return worth;
}

static struct span copy(struct arena *arena, struct span text)
{
	return text.at == NULL ? text : arena_copy(arena, text);
}

static bool copy_lanes(struct merge_job *merging, const struct answer_lane *lanes)
{
	merging->lanes = arena_alloc(&merging->arena, merging->count * sizeof(*merging->lanes));
	for (size_t i = 0; merging->lanes != NULL && i < merging->count; i++) {
		merging->lanes[i] = lanes[i];
		merging->lanes[i].id = copy(&merging->arena, lanes[i].id);
		merging->lanes[i].model = copy(&merging->arena, lanes[i].model);
		merging->lanes[i].target = copy(&merging->arena, lanes[i].target);
	}
	return !arena_failed(&merging->arena);
}

/* Once nothing can fail any more. */
static void take_answers(struct merge_job *merging, const struct merge_job_request *request)
{
	for (size_t i = 0; i < request->count; i++) {
		merging->answers[i] = buf_take(request->answers[i]);
		merging->bodies[i] = buf_span(&merging->answers[i]);
	}
}

struct merge_job *merge_job_begin(const struct run_context *context, const struct merge_job_request *request,
				  merge_job_done done, void *owner)
{
	struct merge_job *merging = calloc(1, sizeof(*merging));
	if (merging == NULL)
		return NULL;
	arena_init(&merging->arena, 0); /* as large as what is read, which has its ceilings */
	arena_charge(&merging->arena, context->party);
	buf_init(&merging->out, request->most);
	buf_charge(&merging->out, context->party);
	merging->answers = arena_zalloc(&merging->arena, request->count, sizeof(*merging->answers));
	merging->bodies = arena_zalloc(&merging->arena, request->count, sizeof(*merging->bodies));
	merging->dialect = context->request->dialect;
	merging->done = done;
	merging->owner = owner;
	merging->replaces = request->usage != NULL;
	if (merging->replaces)
		merging->usage = *request->usage;
	size_t bytes = bytes_of(request);
	merging->job = (struct offload_job){.work = merge_job_on_work,
					    .done = merge_job_on_done,
					    .discard = merge_job_on_discard,
					    .kind = OFFLOAD_MERGE,
					    .owner = {context->network, context->client},
					    .bytes = bytes * 2};
	merging->count = request->count;
	if (arena_failed(&merging->arena) || (request->lanes != NULL && !copy_lanes(merging, request->lanes))) {
		merging->count = 0;
		merge_job_free(merging);
		return NULL;
	}
	take_answers(merging, request);
	offload_submit(context->worker->offload, &merging->job);
	return merging;
}

void merge_job_cancel(struct merge_job *merging)
{
	if (merging != NULL)
		offload_cancel(&merging->job);
}

bool merge_job_usage(const struct run_context *context, const struct usage *usage, struct buf *out, struct event *event)
{
	if (usage->total_tokens < 0 && usage->completion_tokens < 0)
		return false;
	const struct dialect *dialect = context->request->dialect;
	struct answer_identity identity = {
	    .id = context->id, .model = context->request->model, .created = context->created};
	*event = (struct event){.kind = EVENT_USAGE, .dialect = dialect, .usage = *usage};
	buf_reset(out);
	dialect->usage_event_write(out, context->request->endpoint, &identity, usage);
	event->data = buf_span(out);
	if (!context->request->include_usage)
		return true;
	event->kind = EVENT_CHUNK;
	event->carries = CARRIES_USAGE | CARRIES_NO_CHOICE;
	return true;
}
