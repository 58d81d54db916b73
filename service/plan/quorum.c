/* SPDX-License-Identifier: MIT */
/*
 * quorum: all children at once, and the answer on which options.agree of them
 * agree (more than half when it is not set).
 *
 * Two answers agree when their text is the same but for white space around it
 * (Unicode is not normalised), and their tool calls have the same names and
 * arguments in the same order; when the request asks for JSON
 * (response_format), when the text is the same JSON, whatever the order of its
 * members and the spelling of its numbers. Reasoning does not count.
 *
 * Each child's answer is kept until it is complete. As soon as enough agree the
 * others are cancelled, and the first of those that agree is the answer. As soon
 * as too few can agree the others are cancelled, and the failure is NO_QUORUM
 * with every child as a cause: those that failed and those that disagree. If
 * nobody answered, and a backend found the client at fault, it is told that.
 *
 * Streams: a streaming client gets the chosen answer's own events once it is
 * chosen; nothing before. Usage: of all children, as far as they told it, summed.
 * Timeouts: each call's own. Pause and cancel reach all. A child must give one
 * choice, and a request may ask for one only.
 */
#include "lib/container.h"
#include "schemas/dialect.h"
#include "service/plan/answer_slices.h"
#include "service/plan/causes.h"
#include "service/plan/held_answer.h"
#include "service/plan/kinds.h"
#include "service/plan/merge_job.h"

enum quorum_state {
	QUORUM_ST_OPEN,  /* not decided */
	QUORUM_ST_TELLS, /* the chosen answer goes up */
	QUORUM_ST_ENDED,
};

enum vote { VOTE_RUNS, VOTE_READ /* by a helper */, VOTE_ANSWERED, VOTE_FAILED };

struct quorum_child {
	struct run_sink sink; /* first: the sink of a child is the child */
	struct quorum_run *quorum;
	struct run *run;
	enum vote vote;
	struct held_answer held;
};

struct quorum_run {
	struct run run; /* first */
	enum quorum_state state;
	struct quorum_child *children;
	size_t need;
	size_t running;
	struct causes causes;
	struct quorum_child *chosen;
	size_t told; /* pieces of it that went up */
	bool paused;
	struct task tell;
	struct buf out;
	struct merge_job *merging;   /* the usage of a large answer is replaced; NULL = not under way */
	struct answer_slices slices; /* of that */
};

static struct quorum_run *quorum_of(struct run *run)
{
	return (struct quorum_run *)run;
}

static size_t quorum_size(const struct quorum_run *quorum)
{
	return quorum->run.plan->child_count;
}

/* The children that still run are aborted, and those that are being read are not needed. */
static void quorum_dismiss(struct quorum_run *quorum)
{
	for (size_t i = 0; i < quorum_size(quorum); i++) {
		struct quorum_child *child = &quorum->children[i];
		if (child->vote == VOTE_RUNS)
			child->run->ops->cancel(child->run);
		else if (child->vote == VOTE_READ)
			held_answer_fini(&child->held);
	}
}

static struct usage quorum_usage(const struct quorum_run *quorum)
{
	struct usage sum = USAGE_UNKNOWN;
	for (size_t i = 0; i < quorum_size(quorum); i++)
		usage_add(&sum, &quorum->children[i].held.usage);
	return sum;
}

static void quorum_end(struct quorum_run *quorum)
{
	quorum->state = QUORUM_ST_ENDED;
	task_drop(quorum->run.context->worker->reactor, &quorum->tell);
	merge_job_cancel(quorum->merging);
	quorum->merging = NULL;
	answer_slices_end(&quorum->slices);
	for (size_t i = 0; i < quorum_size(quorum); i++)
		held_answer_fini(&quorum->children[i].held);
	buf_fini(&quorum->out);
}

static void quorum_emit(struct quorum_run *quorum, struct event *event)
{
	const struct quorum_child *chosen = quorum->chosen;
	event->target = chosen == NULL ? NULL : chosen->held.target;
	event->dialect = chosen == NULL ? quorum->run.context->request->dialect : chosen->held.dialect;
	event->gathered = chosen != NULL && chosen->held.gathered;
	quorum->run.sink->on_event(quorum->run.sink, &quorum->run, event);
}

static void quorum_fail(struct quorum_run *quorum, const struct failure *failure)
{
	struct event event = {.kind = EVENT_ERROR, .failure = failure};
	struct usage spent = quorum_usage(quorum);
	bool open = quorum->state == QUORUM_ST_OPEN;
	quorum->state = QUORUM_ST_ENDED;
	if (open)
		quorum_dismiss(quorum);
	run_count_lost(quorum->run.context, &spent);
	quorum_emit(quorum, &event);
	quorum_end(quorum);
}

static void quorum_fail_code(struct quorum_run *quorum, enum error_code code)
{
	struct failure failure = failure_of(code);
	quorum_fail(quorum, &failure);
}

/* ---- the chosen answer goes up ---- */

static bool tell_piece(struct quorum_run *quorum)
{
	struct event event;
	if (!held_answer_piece(&quorum->chosen->held, quorum->told, &event))
		return false;
	quorum->told++;
	quorum_emit(quorum, &event);
	return true;
}

static void tell_usage(struct quorum_run *quorum)
{
	struct event event;
	struct usage sum = quorum_usage(quorum);
	if (merge_job_usage(quorum->run.context, &sum, &quorum->out, &event))
		quorum_emit(quorum, &event);
}

static void quorum_complete(struct quorum_run *quorum)
{
	struct event end = {.kind = EVENT_END};
	quorum->state = QUORUM_ST_ENDED;
	quorum_emit(quorum, &end);
	quorum_end(quorum);
}

static void on_emit(struct answer_slices *slices, struct event *event)
{
	quorum_emit(container_of(slices, struct quorum_run, slices), event);
}

static void on_told(struct answer_slices *slices)
{
	quorum_complete(container_of(slices, struct quorum_run, slices));
}

static void on_merged(void *owner, enum error_code error, struct buf *out)
{
	struct quorum_run *quorum = owner;
	struct usage sum = quorum_usage(quorum);
	quorum->merging = NULL;
	if (error != ERROR_NONE) {
		quorum_fail_code(quorum, ERROR_OVERLOADED);
		return;
	}
	buf_fini(&quorum->out);
	quorum->out = buf_take(out);
	quorum->slices.paused = quorum->paused;
	quorum->slices.emit = on_emit;
	quorum->slices.on_told = on_told;
	answer_slices_begin(&quorum->slices, quorum->run.context->worker->reactor, buf_span(&quorum->out), &sum);
}

/* True when a helper makes the body, or could not be asked. */
static bool tell_body_apart(struct quorum_run *quorum, const struct usage *sum)
{
	struct buf *answers[] = {&quorum->chosen->held.data};
	struct merge_job_request request = {
	    .answers = answers, .count = 1, .usage = sum, .most = (size_t)MERGING_ANSWER_MOST + 1024};
	if (!merge_job_is_worth(quorum->run.context, &request))
		return false;
	quorum->merging = merge_job_begin(quorum->run.context, &request, on_merged, quorum);
	if (quorum->merging == NULL)
		quorum_fail_code(quorum, ERROR_OVERLOADED);
	return true;
}

static void tell_body(struct quorum_run *quorum)
{
	struct run_context *context = quorum->run.context;
	struct usage sum = quorum_usage(quorum);
	if (tell_body_apart(quorum, &sum))
		return;
	arena_reset(context->worker->scratch);
	buf_reset(&quorum->out);
	if (!quorum->chosen->held.dialect->answer_set_usage(buf_span(&quorum->chosen->held.data), &sum,
							    context->worker->scratch, &quorum->out) ||
	    arena_failed(context->worker->scratch) || buf_failed(&quorum->out)) {
		quorum_fail_code(quorum, ERROR_OVERLOADED);
		return;
	}
	struct event event = {
	    .kind = EVENT_BODY, .data = buf_span(&quorum->out), .total = (int64_t)buf_len(&quorum->out), .usage = sum};
	quorum_emit(quorum, &event);
}

static void on_tell(struct task *task)
{
	struct quorum_run *quorum = container_of(task, struct quorum_run, tell);
	bool stream = quorum->run.context->request->stream;
	while (stream && !quorum->paused && quorum->state == QUORUM_ST_TELLS) {
		if (!tell_piece(quorum))
			break;
	}
	bool apart = quorum->merging != NULL || quorum->slices.reactor != NULL; /* it goes on by itself */
	if (apart || quorum->paused || quorum->state != QUORUM_ST_TELLS)
		return;
	if (stream)
		tell_usage(quorum);
	else
		tell_body(quorum);
	if (quorum->state == QUORUM_ST_TELLS && quorum->merging == NULL)
		quorum_complete(quorum);
}

/* ---- the vote ---- */

static size_t agreeing(const struct quorum_run *quorum, const struct quorum_child *child)
{
	size_t count = 0;
	for (size_t i = 0; i < quorum_size(quorum); i++) {
		const struct quorum_child *other = &quorum->children[i];
		count += other->vote == VOTE_ANSWERED && held_answer_agrees(&other->held, &child->held);
	}
	return count;
}

static void quorum_choose(struct quorum_run *quorum, struct quorum_child *child)
{
	quorum->chosen = child;
	quorum->state = QUORUM_ST_TELLS;
	quorum_dismiss(quorum);
	task_queue(quorum->run.context->worker->reactor, &quorum->tell);
}

static void quorum_is_missed(struct quorum_run *quorum, size_t most)
{
	struct arena *arena = quorum->run.context->arena;
	struct failure told = failure_of(ERROR_NO_QUORUM);
	bool answered = false;
	for (size_t i = 0; i < quorum_size(quorum); i++) {
		struct quorum_child *child = &quorum->children[i];
		struct failure other = failure_of(ERROR_NO_QUORUM);
		if (child->vote != VOTE_ANSWERED)
			continue;
		answered = true;
		other.target = child->held.target;
		other.message =
		    arena_printf(arena, "Of %zu answers, %zu were needed that agree; this one is one of %zu.",
				 quorum_size(quorum), quorum->need, agreeing(quorum, child));
		causes_add(&quorum->causes, child->run, &other);
	}
	if (!answered && quorum->causes.telling.code == ERROR_UPSTREAM_REJECTED)
		told = quorum->causes.telling;
	else
		told.message = arena_printf(arena, "%s (%zu of %zu, %zu were needed)", error_row(ERROR_NO_QUORUM)->text,
					    most, quorum_size(quorum), quorum->need);
	told.refused = !quorum->causes.called;
	told.causes = quorum->causes.first;
	quorum_fail(quorum, &told);
}

/* Enough agree, too few can, or it goes on. */
static void quorum_count(struct quorum_run *quorum)
{
	struct quorum_child *best = NULL;
	size_t most = 0;
	for (size_t i = 0; i < quorum_size(quorum); i++) {
		struct quorum_child *child = &quorum->children[i];
		size_t count = child->vote == VOTE_ANSWERED ? agreeing(quorum, child) : 0;
		if (count > most) {
			most = count;
			best = child;
		}
	}
	if (most >= quorum->need)
		quorum_choose(quorum, best);
	else if (most + quorum->running < quorum->need)
		quorum_is_missed(quorum, most);
}

static void child_failed(struct quorum_child *child, const struct failure *failure)
{
	child->vote = VOTE_FAILED;
	child->quorum->running--;
	causes_add(&child->quorum->causes, child->run, failure);
	quorum_count(child->quorum);
}

/* Its answer can't be kept or read: it is as good as failed, and cancelled. */
static void child_is_unusable(struct quorum_child *child, enum error_code code)
{
	struct failure failure = failure_of(code);
	failure.target = child->held.target;
	child->run->ops->cancel(child->run);
	child_failed(child, &failure);
}

static void child_on_piece(struct quorum_child *child, const struct event *event)
{
	enum error_code error = held_answer_add(&child->held, event, child->quorum->run.context->worker->scratch);
	if (error != ERROR_NONE)
		child_is_unusable(child, error);
}

static void child_closed(struct quorum_child *child, enum error_code error)
{
	if (error != ERROR_NONE) {
		child_is_unusable(child, error);
		return;
	}
	child->vote = VOTE_ANSWERED;
	child->quorum->running--;
	quorum_count(child->quorum);
}

static void on_closed(void *owner, enum error_code error)
{
	child_closed(owner, error);
}

static void child_on_end(struct quorum_child *child)
{
	struct run_context *context = child->quorum->run.context;
	if (held_answer_close_apart(&child->held, context, on_closed, child))
		child->vote = VOTE_READ;
	else
		child_closed(child, held_answer_close(&child->held, context));
}

static void quorum_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	struct quorum_child *child = (struct quorum_child *)sink;
	(void)run;
	if (child->quorum->state != QUORUM_ST_OPEN || child->vote != VOTE_RUNS)
		return;
	switch (event->kind) {
	case EVENT_CHUNK:
	case EVENT_USAGE:
	case EVENT_BODY:
		child_on_piece(child, event);
		break;
	case EVENT_END:
		child_on_end(child);
		break;
	case EVENT_ERROR:
		child_failed(child, event->failure);
		break;
	}
}

/* ---- the run ---- */

static void quorum_start(struct run *run)
{
	struct quorum_run *quorum = quorum_of(run);
	for (size_t i = 0; i < quorum_size(quorum); i++)
		quorum->children[i].run->ops->start(quorum->children[i].run);
}

static void quorum_pause(struct run *run, bool paused)
{
	struct quorum_run *quorum = quorum_of(run);
	quorum->paused = paused;
	answer_slices_pause(&quorum->slices, paused);
	for (size_t i = 0; quorum->state == QUORUM_ST_OPEN && i < quorum_size(quorum); i++)
		quorum->children[i].run->ops->pause(quorum->children[i].run, paused);
	if (!paused && quorum->state == QUORUM_ST_TELLS)
		task_queue(run->context->worker->reactor, &quorum->tell);
}

static void quorum_cancel(struct run *run)
{
	struct quorum_run *quorum = quorum_of(run);
	if (quorum->state == QUORUM_ST_ENDED)
		return;
	struct usage spent = quorum_usage(quorum);
	if (quorum->state == QUORUM_ST_OPEN)
		quorum_dismiss(quorum);
	run_count_lost(run->context, &spent);
	quorum_end(quorum);
}

static const char *quorum_prepare(struct plan *plan, struct arena *arena)
{
	plan_take_widest(plan, arena);
	if (plan->width > 1)
		return "a child that gives several choices can't be compared";
	if (plan->source->options.agree > plan->child_count)
		return "agree is more than there are children";
	plan->gathers = true;
	plan->compares = true;
	return NULL;
}

static bool quorum_create_child(struct quorum_run *quorum, size_t index)
{
	struct quorum_child *child = &quorum->children[index];
	child->sink.on_event = quorum_on_event;
	child->quorum = quorum;
	held_answer_init(&child->held, quorum->run.context->party);
	child->run = plan_create_run(quorum->run.plan->children[index], quorum->run.context, &child->sink);
	return child->run != NULL;
}

static struct run *quorum_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct run_ops ops = {quorum_start, quorum_pause, quorum_cancel};
	struct quorum_run *quorum = arena_zalloc(context->arena, 1, sizeof(*quorum));
	struct quorum_child *children = arena_zalloc(context->arena, plan->child_count, sizeof(*children));
	unsigned agree = plan->source->options.agree;
	if (quorum == NULL || children == NULL)
		return NULL;
	quorum->run = (struct run){.ops = &ops, .plan = plan, .context = context, .sink = sink};
	quorum->children = children;
	quorum->running = plan->child_count;
	quorum->need = agree == 0 ? plan->child_count / 2 + 1 : agree;
	quorum->tell.run = on_tell;
	buf_init(&quorum->out, (size_t)MERGING_ANSWER_MOST + 1024);
	buf_charge(&quorum->out, context->party);
	for (size_t i = 0; i < plan->child_count; i++) {
		if (!quorum_create_child(quorum, i))
			return NULL;
	}
	return &quorum->run;
}

const struct plan_kind plan_kind_quorum = {
    .name = "quorum",
    .doc = "all children at once; the answer on which enough of them agree",
    .min_children = 2,
    .asks_all = true,
    .prepare = quorum_prepare,
    .create_run = quorum_create_run,
};
