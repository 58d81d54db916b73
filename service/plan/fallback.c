/* SPDX-License-Identifier: MIT */
/*
 * fallback: the next child when one fails before commit.
 *
 * Streams: events before the first content (a role, say) are kept back while
 * another child could still take over, so that a client never sees the
 * beginning of an answer that is then abandoned. With the last child nothing is
 * kept back. Errors: a failure that another target could not mend, or any
 * failure after commit, is passed on. Usage: of the child that answered.
 */
#include "service/plan/kinds.h"

#include <stdlib.h>

/* An early event that waits for the child to commit. In the flight's arena. */
struct kept_event {
	struct kept_event *next;
	struct event event;
};

/* Bytes of early events that may wait; more than this counts as a commit. */
enum { FALLBACK_KEEP_MAX = 65536 };

enum fallback_state { FALLBACK_ST_TRYING, FALLBACK_ST_COMMITTED, FALLBACK_ST_ENDED };

struct fallback_run {
	struct run run;
	struct run_sink sink; /* of the children */
	enum fallback_state state;
	struct run *child;
	size_t next; /* index of the child to try next */
	bool paused;
	struct kept_event *kept;
	struct kept_event **kept_tail;
	size_t kept_bytes;
};

static struct fallback_run *fallback_of(struct run *run)
{
	return (struct fallback_run *)run;
}

static void fallback_forget_kept(struct fallback_run *fallback)
{
	fallback->kept = NULL;
	fallback->kept_tail = &fallback->kept;
	fallback->kept_bytes = 0;
}

static bool fallback_try_next(struct fallback_run *fallback)
{
	const struct plan *plan = fallback->run.plan;
	if (fallback->next == plan->child_count)
		return false;
	struct run *child = plan_create_run(plan->children[fallback->next], fallback->run.context, &fallback->sink);
	if (child == NULL)
		return false;
	fallback->next++;
	fallback->child = child;
	fallback_forget_kept(fallback);
	fallback->run.context->reason = METRICS_ATTEMPT_FALLBACK;
	child->ops->start(child);
	fallback->run.context->reason = METRICS_ATTEMPT_FIRST;
	if (fallback->paused)
		child->ops->pause(child, true);
	return true;
}

/* Copies an early event aside. False when it must be let through instead. */
static bool fallback_keep(struct fallback_run *fallback, const struct event *event)
{
	struct arena *arena = fallback->run.context->arena;
	size_t bytes = event->data.len + event->raw.len;
	if (fallback->kept_bytes + bytes > FALLBACK_KEEP_MAX)
		return false;
	struct kept_event *kept = arena_alloc(arena, sizeof(*kept));
	if (kept == NULL)
		return false;
	kept->next = NULL;
	kept->event = *event;
	kept->event.data = arena_copy(arena, event->data);
	if (event->raw.at != NULL)
		kept->event.raw = arena_copy(arena, event->raw);
	if (arena_failed(arena))
		return false;
	*fallback->kept_tail = kept;
	fallback->kept_tail = &kept->next;
	fallback->kept_bytes += bytes;
	return true;
}

static void fallback_commit(struct fallback_run *fallback)
{
	if (fallback->state != FALLBACK_ST_TRYING)
		return;
	fallback->state = FALLBACK_ST_COMMITTED;
	struct kept_event *kept = fallback->kept;
	fallback_forget_kept(fallback);
	for (; kept != NULL && fallback->state == FALLBACK_ST_COMMITTED; kept = kept->next)
		fallback->run.sink->on_event(fallback->run.sink, &fallback->run, &kept->event);
}

static bool fallback_is_early(const struct event *event)
{
	return event->kind == EVENT_USAGE || (event->kind == EVENT_CHUNK && (event->carries & CARRIES_CONTENT) == 0);
}

static void fallback_on_event(struct run_sink *sink, struct run *child, const struct event *event)
{
	struct fallback_run *fallback = (struct fallback_run *)((char *)sink - offsetof(struct fallback_run, sink));
	bool trying = fallback->state == FALLBACK_ST_TRYING;
	if (fallback->state == FALLBACK_ST_ENDED || child != fallback->child)
		return;
	if (event->kind == EVENT_ERROR) {
		if (trying && event->failure->retryable && fallback_try_next(fallback))
			return;
	} else if (trying && fallback->next < fallback->run.plan->child_count && fallback_is_early(event) &&
		   fallback_keep(fallback, event)) {
		return;
	} else {
		fallback_commit(fallback);
	}
	if (fallback->state == FALLBACK_ST_ENDED)
		return;
	if (event->kind == EVENT_END || event->kind == EVENT_ERROR)
		fallback->state = FALLBACK_ST_ENDED;
	fallback->run.sink->on_event(fallback->run.sink, &fallback->run, event);
}

static void fallback_start(struct run *run)
{
	struct fallback_run *fallback = fallback_of(run);
	fallback->child->ops->start(fallback->child);
}

static void fallback_pause(struct run *run, bool paused)
{
	struct fallback_run *fallback = fallback_of(run);
	fallback->paused = paused;
	fallback->child->ops->pause(fallback->child, paused);
}

static void fallback_cancel(struct run *run)
{
	struct fallback_run *fallback = fallback_of(run);
	fallback->state = FALLBACK_ST_ENDED;
	fallback->child->ops->cancel(fallback->child);
}

static void fallback_prepare(struct plan *plan)
{
	for (size_t i = 0; i < plan->child_count; i++) {
		plan->gathers |= plan->children[i]->gathers;
		if (plan->children[i]->width > plan->width)
			plan->width = plan->children[i]->width;
	}
}

static struct run *fallback_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct run_ops ops = {fallback_start, fallback_pause, fallback_cancel};
	struct fallback_run *fallback = arena_zalloc(context->arena, 1, sizeof(*fallback));
	if (fallback == NULL)
		return NULL;
	fallback->run = (struct run){.ops = &ops, .plan = plan, .context = context, .sink = sink};
	fallback->sink.on_event = fallback_on_event;
	fallback_forget_kept(fallback);
	fallback->next = 1;
	fallback->child = plan_create_run(plan->children[0], context, &fallback->sink);
	return fallback->child == NULL ? NULL : &fallback->run;
}

const struct plan_kind plan_kind_fallback = {
    .name = "fallback",
    .doc = "the next child when one fails before its first content was relayed",
    .min_children = 1,
    .prepare = fallback_prepare,
    .create_run = fallback_create_run,
};
