/* SPDX-License-Identifier: MIT */
/*
 * all: every child's answer, gathered into one answer with a choice for each.
 *
 * Streams: the children's chunks are passed on as they come, with their choices
 * re-indexed and marked with the target they came from; one id and one model
 * name hold for all. Usage: summed, and told at the end if the client asked; what
 * was told of an answer that fails or is cancelled is counted in the metrics
 * only. Errors: the first child that fails fails the whole, the others are
 * aborted; put a fallback around a child that may fail. Timeouts: each call's
 * own. Pause and cancel reach all.
 */
#include "lib/container.h"
#include "lib/step.h"
#include "schemas/dialect.h"
#include "service/plan/answer_slices.h"
#include "service/plan/causes.h"
#include "service/plan/kinds.h"
#include "service/plan/merge_job.h"

struct all_child {
	struct run_sink sink; /* first: the sink of a child is the child */
	struct all_run *all;
	struct run *run;
	struct answer_lane lane;
	struct usage usage; /* the last that the child told: engines repeat it as it grows */
	struct buf answer;  /* whole answers only */
};

struct all_run {
	struct run run;
	struct all_child *children;
	size_t running;
	bool ended;
	struct usage usage;
	struct buf out;              /* one rewritten chunk, or the merged answer */
	struct merge_job *merging;   /* of large answers; NULL = not under way */
	struct answer_slices slices; /* of what came of that */
};

static struct all_run *all_of(struct run *run)
{
	return (struct all_run *)run;
}

static void all_release(struct all_run *all)
{
	merge_job_cancel(all->merging);
	all->merging = NULL;
	answer_slices_end(&all->slices);
	for (size_t i = 0; i < all->run.plan->child_count; i++)
		buf_fini(&all->children[i].answer);
	buf_fini(&all->out);
}

/* It ends before its time: what was told of its usage will not be passed on. */
static void all_abort(struct all_run *all)
{
	all->ended = true;
	for (size_t i = 0; i < all->run.plan->child_count; i++) {
		struct all_child *child = &all->children[i];
		child->run->ops->cancel(child->run);
		if (all->slices.told == 0) /* else it was passed on */
			run_count_lost(all->run.context, &child->usage);
	}
}

static void all_cancel(struct run *run)
{
	struct all_run *all = all_of(run);
	if (all->ended)
		return;
	all_abort(all);
	all_release(all);
}

static void all_emit(struct all_run *all, struct event *event)
{
	event->target = NULL;
	event->dialect = all->run.context->request->dialect;
	event->gathered = true;
	all->run.sink->on_event(all->run.sink, &all->run, event);
}

static void all_fail(struct all_run *all, const struct failure *failure)
{
	struct event event = {.kind = EVENT_ERROR, .failure = failure};
	all_abort(all);
	all_emit(all, &event);
	all_release(all);
}

static void all_fail_code(struct all_run *all, enum error_code code)
{
	struct failure failure = failure_of(code);
	all_fail(all, &failure);
}

static bool all_is_out_of_memory(const struct all_run *all)
{
	return arena_failed(all->run.context->worker->scratch) || buf_failed(&all->out);
}

static void all_on_chunk(struct all_child *child, const struct event *event)
{
	struct all_run *all = child->all;
	struct event up = *event;
	if ((event->carries & CARRIES_USAGE) != 0)
		child->usage = event->usage;
	if ((event->carries & CARRIES_NO_CHOICE) != 0)
		return;
	if (!event->gathered)
		child->lane.target = span_of(event->target->target);
	buf_reset(&all->out);
	if (!event->dialect->event_set_lane(event->data, &child->lane, all->run.context->worker->scratch, &all->out) ||
	    all_is_out_of_memory(all)) {
		all_fail_code(all, all_is_out_of_memory(all) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID);
		return;
	}
	event_rewrite(&up, buf_span(&all->out));
	all_emit(all, &up);
}

static void all_on_body(struct all_child *child, const struct event *event)
{
	if (!event->gathered)
		child->lane.target = span_of(event->target->target);
	if (!buf_append(&child->answer, event->data))
		all_fail_code(child->all, ERROR_UPSTREAM_TOO_LARGE);
}

static void all_finish(struct all_run *all)
{
	struct event end = {.kind = EVENT_END};
	all->ended = true;
	all_emit(all, &end);
	all_release(all);
}

static void on_emit(struct answer_slices *slices, struct event *event)
{
	all_emit(container_of(slices, struct all_run, slices), event);
}

static void on_told(struct answer_slices *slices)
{
	all_finish(container_of(slices, struct all_run, slices));
}

static void on_merged(void *owner, enum error_code error, struct buf *out)
{
	struct all_run *all = owner;
	all->merging = NULL;
	if (error != ERROR_NONE) {
		all_fail_code(all, error);
		return;
	}
	buf_fini(&all->out);
	all->out = buf_take(out);
	all->slices.emit = on_emit;
	all->slices.on_told = on_told;
	answer_slices_begin(&all->slices, all->run.context->worker->reactor, buf_span(&all->out), &all->usage);
}

/* True when a helper merges the answers, or could not be asked. */
static bool all_merge_apart(struct all_run *all, const struct answer_lane *lanes)
{
	struct run_context *context = all->run.context;
	size_t count = all->run.plan->child_count;
	struct buf **answers = arena_zalloc(context->arena, count, sizeof(*answers));
	struct merge_job_request request = {
	    .answers = answers, .count = count, .lanes = lanes, .most = (size_t)MERGING_ANSWER_MOST * count};
	for (size_t i = 0; answers != NULL && i < count; i++)
		answers[i] = &all->children[i].answer;
	if (answers != NULL && !merge_job_is_worth(context, &request))
		return false;
	all->merging = answers == NULL ? NULL : merge_job_begin(context, &request, on_merged, all);
	if (all->merging == NULL)
		all_fail_code(all, ERROR_OVERLOADED);
	return true;
}

/* All whole answers are there: one answer of them. */
static void all_merge(struct all_run *all)
{
	size_t count = all->run.plan->child_count;
	struct run_context *context = all->run.context;
	struct span *bodies = arena_zalloc(context->arena, count, sizeof(*bodies));
	struct answer_lane *lanes = arena_zalloc(context->arena, count, sizeof(*lanes));
	if (bodies == NULL || lanes == NULL) {
		all_fail_code(all, ERROR_OVERLOADED);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		bodies[i] = buf_span(&all->children[i].answer);
		lanes[i] = all->children[i].lane;
	}
	if (all_merge_apart(all, lanes))
		return;
	buf_reset(&all->out);
	if (!context->request->dialect->answers_merge(bodies, lanes, count, context->worker->scratch, &all->out)) {
		all_fail_code(all, all_is_out_of_memory(all) ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID);
		return;
	}
	struct event body = {
	    .kind = EVENT_BODY, .data = buf_span(&all->out), .total = (int64_t)buf_len(&all->out), .usage = all->usage};
	all_emit(all, &body);
}

static void all_tell_usage(struct all_run *all)
{
	struct event event;
	if (merge_job_usage(all->run.context, &all->usage, &all->out, &event))
		all_emit(all, &event);
}

static void all_on_end(struct all_child *child)
{
	struct all_run *all = child->all;
	usage_add(&all->usage, &child->usage);
	if (--all->running > 0)
		return;
	struct step_mark before = step_enter("merge");
	if (all->run.context->request->stream)
		all_tell_usage(all);
	else
		all_merge(all);
	step_leave(before);
	if (!all->ended && all->merging == NULL)
		all_finish(all);
}

static void all_on_failed(struct all_child *child, const struct failure *failure)
{
	struct causes causes = {.called = child->all->run.plan->child_count > 1}; /* the others' */
	causes_add(&causes, child->run, failure);
	struct failure told = causes_failure(&causes);
	all_fail(child->all, &told);
}

static void all_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	struct all_child *child = (struct all_child *)sink;
	(void)run;
	if (child->all->ended)
		return;
	switch (event->kind) {
	case EVENT_CHUNK:
		all_on_chunk(child, event);
		break;
	case EVENT_USAGE:
		child->usage = event->usage;
		break;
	case EVENT_BODY:
		child->usage = event->usage;
		all_on_body(child, event);
		break;
	case EVENT_END:
		all_on_end(child);
		break;
	case EVENT_ERROR:
		all_on_failed(child, event->failure);
		break;
	}
}

static void all_start(struct run *run)
{
	struct all_run *all = all_of(run);
	for (size_t i = 0; i < run->plan->child_count; i++)
		all->children[i].run->ops->start(all->children[i].run);
}

static void all_pause(struct run *run, bool paused)
{
	struct all_run *all = all_of(run);
	answer_slices_pause(&all->slices, paused);
	for (size_t i = 0; i < run->plan->child_count; i++)
		all->children[i].run->ops->pause(all->children[i].run, paused);
}

static const char *all_prepare(struct plan *plan, struct arena *arena)
{
	plan_take_widest(plan, arena);
	plan->gathers = true;
	plan->width = 0;
	for (size_t i = 0; i < plan->child_count; i++)
		plan->width += plan->children[i]->width;
	return NULL;
}

static struct run *all_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct run_ops ops = {all_start, all_pause, all_cancel};
	struct all_run *all = arena_zalloc(context->arena, 1, sizeof(*all));
	struct all_child *children = arena_zalloc(context->arena, plan->child_count, sizeof(*children));
	int64_t index_base = 0;
	if (all == NULL || children == NULL)
		return NULL;
	all->run = (struct run){.ops = &ops, .plan = plan, .context = context, .sink = sink};
	all->children = children;
	all->running = plan->child_count;
	all->usage = USAGE_UNKNOWN;
	buf_init(&all->out, (size_t)MERGING_ANSWER_MOST * plan->child_count);
	buf_charge(&all->out, context->party);
	for (size_t i = 0; i < plan->child_count; i++) {
		children[i].sink.on_event = all_on_event;
		children[i].all = all;
		children[i].usage = USAGE_UNKNOWN;
		children[i].lane =
		    (struct answer_lane){.id = context->id, .model = context->request->model, .index_base = index_base};
		index_base += (int64_t)plan->children[i]->width * context->request->choices;
		buf_init(&children[i].answer, MERGING_ANSWER_MOST);
		buf_charge(&children[i].answer, context->party);
		children[i].run = plan_create_run(plan->children[i], context, &children[i].sink);
		if (children[i].run == NULL)
			return NULL;
	}
	return &all->run;
}

const struct plan_kind plan_kind_all = {
    .name = "all",
    .doc = "every child's answer, as choices[0…n-1] of one answer",
    .min_children = 1,
    .asks_all = true,
    .prepare = all_prepare,
    .create_run = all_create_run,
};
