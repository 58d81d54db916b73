/* SPDX-License-Identifier: MIT */
/*
 * resume: what the option of that name puts around a combinator. When a stream
 * breaks off behind its first content, the plan runs once more without the
 * targets whose answers broke off (unless there is no other), and the client's
 * stream goes on:
 *
 *   replay    the request is sent again; its answer is heard until it has said
 *             what was relayed, byte for byte (service/answer/joint.h), and goes on from there
 *   continue  a target that takes a prefill gets what was relayed as the beginning
 *             of the answer, and gives the rest. Only plain content: neither tool
 *             calls nor JSON nor reasoning
 *
 * Streams: chunks behind the joint have the id, created and model of the first
 * answer, and a comment in front of the first of them tells what happened.
 * Errors: what cannot be joined ends with the most telling failure, all of them
 * as its causes; nothing that was relayed is taken back. A target that refuses the
 * prefill is not asked for one again, and the failure that broke the stream is what
 * is told. Usage: what the target told that finished, behind a prefill with its
 * tokens as completion (chunks, at least); what others told is counted in the metrics. Whole answers,
 * more than one choice and requests that are not meant to be repeatable
 * (replay) pass as without the option. Budget: every further call is an extra
 * one. Cancellation: as without. Timeouts: each call's own, but not behind a
 * total that is over.
 */
#include "service/plan/resume.h"

#include "lib/container.h"
#include "lib/log.h"
#include "schemas/dialect.h"
#include "schemas/sse_write.h"
#include "service/health/health.h"
#include "service/answer/joint.h"
#include "service/plan/causes.h"
#include "service/plan/kinds.h"

enum {
	RESUME_MOST = 3,           /* joints that are tried in one answer */
	USAGE_PLAUSIBLE = 1 << 30, /* tokens that a backend may have counted */
};

enum resume_state {
	RESUME_ST_PASSING,  /* events go up */
	RESUME_ST_CATCHING, /* another run is heard until it has something new to say */
	RESUME_ST_ENDED,
};

struct resume_run {
	struct run run; /* first */
	struct run_sink sink;
	enum resume_state state;
	unsigned busy; /* depth of events on their way up: buffers must stay */
	bool paused;
	bool able; /* the request is one whose answer can be joined */
	unsigned tries;
	enum config_resume how;           /* of the try under way */
	struct run *current;              /* whose events count */
	struct run_context context;       /* of all runs but the first */
	struct run_resumption resumption; /* theirs */
	const struct run_broken *broken;  /* all targets whose answers broke off */
	size_t before;                    /* bytes said in front of the joint */
	struct usage usage;               /* that the current run told last */
	bool usage_held;                  /* it was not passed on: the run was heard only */
	struct causes causes;
	struct joint joint;
	struct answer_identity identity; /* of the first event */
	bool named;
	struct buf out;    /* the first chunk behind a joint, framed, with its comment */
	struct buf mended; /* a chunk with usage */
};

static const char *const resume_words[] = {[CONFIG_RESUME_REPLAY] = "replay", [CONFIG_RESUME_CONTINUE] = "continue"};

const char *resume_bars(const struct run_resumption *resumption, const struct health *health, uint64_t now_us,
			const struct config_plan *target)
{
	if (resumption == NULL)
		return NULL;
	for (const struct run_broken *at = resumption->broken; at != NULL; at = at->next)
		if (at->target->target_index == target->target_index)
			return "was not asked to go on: its own answer broke off";
	if (resumption->prefill.at != NULL && target->backend->prefill == CONFIG_PREFILL_NONE)
		return "was not asked to go on: its backend takes no prefill";
	if (resumption->prefill.at != NULL && health != NULL &&
	    health_refuses(health, target->target_index, HEALTH_REWRITE_PREFILL, now_us))
		return "was not asked to go on: its backend refused to";
	return NULL;
}

/* True when some leaf may be called. */
static bool has_target(const struct plan *plan, const struct run_resumption *resumption,
		       const struct plan_worker *worker)
{
	uint64_t now_us = timers_now(&worker->reactor->timers);
	if (plan->child_count == 0)
		return resume_bars(resumption, worker->health, now_us, plan->source) == NULL;
	for (size_t i = 0; i < plan->child_count; i++)
		if (has_target(plan->children[i], resumption, worker))
			return true;
	return false;
}

static void resume_release(struct resume_run *resume)
{
	if (resume->busy != 0 || resume->state != RESUME_ST_ENDED)
		return;
	joint_fini(&resume->joint);
	buf_fini(&resume->out);
	buf_fini(&resume->mended);
}

static void resume_emit(struct resume_run *resume, const struct event *event)
{
	if (event->kind == EVENT_END || event->kind == EVENT_ERROR)
		resume->state = RESUME_ST_ENDED;
	resume->busy++;
	resume->run.sink->on_event(resume->run.sink, &resume->run, event);
	resume->busy--;
	resume_release(resume);
}

static void resume_count(const struct resume_run *resume, enum metrics_resume result)
{
	const struct run_context *context = resume->run.context;
	metrics_count(context->worker->metrics, METRIC_RESUMES, context->model_index, result);
}

static void resume_log(const struct resume_run *resume, const struct config_plan *to)
{
	struct log_line line;
	log_begin(&line, LOG_WARN, "resumed");
	log_str(&line, "request_id", resume->run.context->request_id);
	log_str(&line, "how", span_of(resume_words[resume->how]));
	log_str(&line, "from", span_of(resume->broken->target->target));
	log_str(&line, "to", span_of(to->target));
	log_str(&line, "error", span_of(error_row(resume->causes.last->code)->code));
	log_int(&line, "bytes", (int64_t)resume->before);
	log_end(&line);
}

/* Nothing can be joined: the most telling of what happened is told. */
static void resume_give_up(struct resume_run *resume)
{
	struct failure failure = causes_failure(&resume->causes);
	struct event event = {.kind = EVENT_ERROR, .failure = &failure};
	resume_emit(resume, &event);
}

/* How the answer so far can be gone on with; CONFIG_RESUME_OFF = not at all. */
static enum config_resume resume_way(const struct resume_run *resume)
{
	struct run_context *context = resume->run.context;
	enum config_resume wanted = resume->run.plan->source->options.resume;
	struct span text = joint_plain_text(&resume->joint);
	if (wanted != CONFIG_RESUME_CONTINUE && context->request->dialect->is_repeatable(context->request))
		return CONFIG_RESUME_REPLAY;
	if (wanted == CONFIG_RESUME_REPLAY || text.at == NULL)
		return CONFIG_RESUME_OFF;
	return context->request->dialect->takes_prefill(context->request, text, (int64_t)resume->joint.events,
							context->worker->scratch)
		   ? CONFIG_RESUME_CONTINUE
		   : CONFIG_RESUME_OFF;
}

/* Decides how the next run goes on, and who may. False when nobody can. */
static bool resume_prepare(struct resume_run *resume)
{
	const struct plan *plan = resume->run.plan;
	const struct plan_worker *worker = resume->run.context->worker;
	resume->how = resume_way(resume);
	resume->resumption = (struct run_resumption){.broken = resume->broken};
	if (resume->how == CONFIG_RESUME_OFF)
		return false;
	if (resume->how == CONFIG_RESUME_CONTINUE) {
		resume->resumption.prefill = arena_copy(resume->run.context->arena, joint_plain_text(&resume->joint));
		resume->resumption.spent = (int64_t)resume->joint.events;
	} else {
		joint_again(&resume->joint);
	}
	if (!has_target(plan, &resume->resumption, worker))
		resume->resumption.broken = NULL;
	return has_target(plan, &resume->resumption, worker) && !arena_failed(resume->run.context->arena);
}

static bool resume_run_again(struct resume_run *resume)
{
	resume->tries++;
	resume->state = RESUME_ST_CATCHING;
	resume->context = *resume->run.context;
	resume->context.reason = CALL_RESUME;
	resume->context.resumption = &resume->resumption;
	resume->usage = USAGE_UNKNOWN;
	resume->usage_held = false;
	resume->current = plan_create_run(resume->run.plan->children[0], &resume->context, &resume->sink);
	if (resume->current == NULL)
		return false;
	resume->current->ops->start(resume->current);
	if (resume->paused)
		resume->current->ops->pause(resume->current, true);
	return true;
}

static bool is_worth_it(const struct resume_run *resume, const struct failure *failure)
{
	return resume->able && resume->tries < RESUME_MOST && failure->retryable &&
	       failure->code != ERROR_UPSTREAM_TOTAL && joint_is_open(&resume->joint);
}

/* The current run is no more: another one, or the end. */
static void resume_go_on(struct resume_run *resume, const struct failure *failure)
{
	struct run_broken *broken = arena_alloc(resume->run.context->arena, sizeof(*broken));
	causes_add(&resume->causes, resume->current, failure);
	run_count_lost(resume->run.context, &resume->usage);
	if (broken != NULL && failure->target != NULL) {
		*broken = (struct run_broken){failure->target, resume->broken};
		resume->broken = broken;
	}
	if (broken == NULL || !is_worth_it(resume, failure) || !resume_prepare(resume) || !resume_run_again(resume))
		resume_give_up(resume);
}

/* The run that is heard says something else. */
static void resume_diverge(struct resume_run *resume, const struct config_plan *target)
{
	struct failure failure = failure_of(ERROR_UPSTREAM_DIVERGED);
	failure.target = target;
	resume->current->ops->cancel(resume->current);
	resume_count(resume, METRICS_RESUME_DIVERGED);
	causes_add(&resume->causes, resume->current, &failure);
	run_count_lost(resume->run.context, &resume->usage);
	resume_give_up(resume);
}

static void resume_pass(struct resume_run *resume, const struct event *event);

/* The first chunk behind the joint, with a comment in front of it. */
static void resume_join(struct resume_run *resume, const struct event *event, struct span data)
{
	struct event joined = *event;
	buf_reset(&resume->out);
	buf_printf(&resume->out, ": resumed by %s on %s behind %zu bytes\n\n", resume_words[resume->how],
		   event->target->target, resume->before);
	sse_write_event(&resume->out, data);
	event_rewrite(&joined, data);
	joined.joined = true;
	joined.raw = buf_failed(&resume->out) ? (struct span){NULL, 0} : buf_span(&resume->out);
	resume->state = RESUME_ST_PASSING;
	resume_count(resume, METRICS_RESUME_JOINED);
	resume_log(resume, event->target);
	resume_emit(resume, &joined);
	if (resume->usage_held && resume->state == RESUME_ST_PASSING) {
		struct event usage = {.kind = EVENT_USAGE, .target = event->target, .usage = resume->usage};
		resume->usage_held = false;
		resume_pass(resume, &usage);
	}
}

/* An event of another run than the first. */
static void resume_hear(struct resume_run *resume, const struct event *event)
{
	struct arena *scratch = resume->run.context->worker->scratch;
	struct json room;
	struct deltas deltas = {NULL, 0, 0};
	enum joint_step step = JOINT_APART;
	struct span data = {NULL, 0};
	const struct json *json = event->kind == EVENT_CHUNK ? event_json(event, scratch, &room) : NULL;
	bool read = json != NULL && event->dialect->deltas_read(json, scratch, &deltas);
	size_t *heard = read ? arena_zalloc(scratch, deltas.count + 1, sizeof(*heard)) : NULL;
	resume->before = joint_size(&resume->joint);
	if (heard != NULL)
		step = joint_hear(&resume->joint, &deltas, heard);
	if (step == JOINT_JOINED)
		data = event->dialect->event_rejoin(json, &deltas, heard, &resume->identity, scratch);
	if (step == JOINT_APART || (step == JOINT_JOINED && data.at == NULL))
		resume_diverge(resume, event->target);
	else if (step == JOINT_JOINED)
		resume_join(resume, event, data);
}

static void resume_on_failure(struct resume_run *resume, const struct event *event)
{
	if (resume->state == RESUME_ST_CATCHING)
		resume_count(resume, METRICS_RESUME_FAILED);
	if (resume->tries > 0 || is_worth_it(resume, event->failure))
		resume_go_on(resume, event->failure);
	else
		resume_emit(resume, event);
}

/*
 * The usage of a call that went on with a prefill: what it was given of the answer is not prompt but completion. The
 * sum stays.
 */
static void resume_mend_usage(struct resume_run *resume, struct event *event)
{
	struct usage *usage = &event->usage;
	int64_t spent = resume->resumption.spent;
	bool plausible = usage->completion_tokens >= 0 && usage->completion_tokens < USAGE_PLAUSIBLE &&
			 usage->prompt_tokens < USAGE_PLAUSIBLE;
	if (resume->how != CONFIG_RESUME_CONTINUE || !plausible)
		return;
	usage->completion_tokens += spent;
	if (usage->prompt_tokens >= 0) {
		usage->prompt_tokens = usage->prompt_tokens > spent ? usage->prompt_tokens - spent : 0;
		usage->total_tokens = usage->prompt_tokens + usage->completion_tokens;
	}
	buf_reset(&resume->mended);
	if (event->kind == EVENT_CHUNK &&
	    event->dialect->event_set_usage(event->data, usage, resume->run.context->worker->scratch,
					    &resume->mended) &&
	    !buf_failed(&resume->mended)) {
		event_rewrite(event, buf_span(&resume->mended));
	}
}

static bool tells_usage(const struct event *event)
{
	return event->kind == EVENT_USAGE || (event->kind == EVENT_CHUNK && (event->carries & CARRIES_USAGE) != 0);
}

/* Remembers what a chunk says; behind a joint it becomes a part of the first answer. */
static void resume_note(struct resume_run *resume, struct event *event)
{
	struct arena *scratch = resume->run.context->worker->scratch;
	struct json room;
	struct deltas deltas = {NULL, 0, 0};
	const struct json *json = event_json(event, scratch, &room);
	bool read = json != NULL && event->dialect->deltas_read(json, scratch, &deltas);
	if (json != NULL && !resume->named)
		event->dialect->identity_read(json, resume->run.context->arena, &resume->identity);
	resume->named = true;
	joint_said(&resume->joint, read ? &deltas : NULL);
	struct span data = {NULL, 0};
	if (resume->tries > 0 && json != NULL)
		data = event->dialect->event_rejoin(json, &deltas, NULL, &resume->identity, scratch);
	if (data.at != NULL && data.at != json->text.at)
		event_rewrite(event, data);
}

/* An event that goes up. */
static void resume_pass(struct resume_run *resume, const struct event *event)
{
	struct event passed = *event;
	struct event_origin origin;
	if (event->origin != NULL) { /* another answer may go on from here */
		origin = (struct event_origin){.dialect = event->origin->dialect, .dropped = event->origin->dropped};
		passed.origin = &origin;
	}
	if (tells_usage(event) && resume->tries > 0)
		resume_mend_usage(resume, &passed);
	if (event->kind == EVENT_CHUNK && resume->able)
		resume_note(resume, &passed);
	resume_emit(resume, &passed);
}

static void resume_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	struct resume_run *resume = container_of(sink, struct resume_run, sink);
	if (resume->state == RESUME_ST_ENDED || run != resume->current)
		return;
	if (tells_usage(event))
		resume->usage = event->usage;
	if (resume->state == RESUME_ST_CATCHING && event->kind == EVENT_USAGE) {
		resume->usage_held = true; /* of an answer that may yet be dropped */
		return;
	}
	if (event->kind == EVENT_ERROR)
		resume_on_failure(resume, event);
	else if (resume->state == RESUME_ST_CATCHING)
		resume_hear(resume, event);
	else
		resume_pass(resume, event);
}

static void resume_start(struct run *run)
{
	struct resume_run *resume = (struct resume_run *)run;
	resume->current->ops->start(resume->current);
}

static void resume_pause(struct run *run, bool paused)
{
	struct resume_run *resume = (struct resume_run *)run;
	resume->paused = paused;
	if (resume->state != RESUME_ST_ENDED)
		resume->current->ops->pause(resume->current, paused);
}

static void resume_cancel(struct run *run)
{
	struct resume_run *resume = (struct resume_run *)run;
	if (resume->state == RESUME_ST_ENDED)
		return;
	resume->state = RESUME_ST_ENDED;
	resume->current->ops->cancel(resume->current);
	resume_release(resume);
}

static const char *resume_prepare_plan(struct plan *plan, struct arena *arena)
{
	const struct plan *inner = plan->children[0];
	plan_take_widest(plan, arena);
	if (inner->gathers)
		return "resume joins the parts of one answer, and this plan gathers several; expected it beside the "
		       "plans within";
	if (inner->resumes)
		return "a plan within it has resume, too; expected it once, around what shall go on";
	plan->resumes = true;
	return NULL;
}

static struct run *resume_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct run_ops ops = {resume_start, resume_pause, resume_cancel};
	const struct request *request = context->request;
	struct resume_run *resume = arena_zalloc(context->arena, 1, sizeof(*resume));
	if (resume == NULL)
		return NULL;
	resume->run = (struct run){.ops = &ops, .plan = plan, .context = context, .sink = sink};
	resume->sink.on_event = resume_on_event;
	resume->usage = USAGE_UNKNOWN;
	resume->able = request->stream && request->choices == 1 && request->endpoint != ENDPOINT_EMBEDDINGS;
	joint_init(&resume->joint, context->arena, request->dialect->wants_json(request));
	buf_init(&resume->out, context->worker->config->limits.event * 2 + 1024);
	buf_init(&resume->mended, context->worker->config->limits.event * 2 + 1024);
	buf_charge(&resume->out, context->party);
	buf_charge(&resume->mended, context->party);
	resume->current = plan_create_run(plan->children[0], context, &resume->sink);
	return resume->current == NULL ? NULL : &resume->run;
}

const struct plan_kind plan_kind_resume = {
    .name = NULL,
    .doc = "the plan again when its stream breaks off, joined where the answers agree",
    .min_children = 1,
    .prepare = resume_prepare_plan,
    .create_run = resume_create_run,
};
