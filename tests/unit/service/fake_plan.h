/* SPDX-License-Identifier: MIT */
/*
 * A plan whose leaves do what the test says: for testing combinators without
 * any network. fake_leaf[i] is the run of leaf i once it was created.
 */
#ifndef SLUICE_TESTS_UNIT_SERVICE_FAKE_PLAN_H
#define SLUICE_TESTS_UNIT_SERVICE_FAKE_PLAN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schemas/openai/dialect.h"
#include "service/plan/kinds.h"

enum { FAKE_LEAVES = 8, FAKE_TEXT = 8192, FAKE_SECOND = 1000000 };

struct fake_leaf {
	struct run run;
	size_t index;
	enum call_reason reason; /* why it was started */
	bool started;
	bool cancelled;
	bool paused;
};

static struct fake_leaf *fake_leaf[FAKE_LEAVES]; /* the latest run of each */
static unsigned fake_runs[FAKE_LEAVES];          /* of each that were started */
static uint64_t fake_now;
static struct reactor fake_reactor;
static struct plan_worker fake_worker;
static struct arena fake_scratch;
static struct config_plan fake_root_source;
static struct failure fake_failure; /* the last that the root's sink saw */
static char fake_text[FAKE_TEXT];   /* what the root's sink saw, one word per event */
static struct arena fake_arena;
static struct request fake_request;
static struct run_shared fake_shared;
static struct run_context fake_context;
static struct run_sink fake_sink;
static struct config_plan fake_source[FAKE_LEAVES];
static struct plan fake_plan[FAKE_LEAVES];
static const struct plan *fake_children[FAKE_LEAVES];

static void fake_leaf_start(struct run *run)
{
	struct fake_leaf *leaf = (struct fake_leaf *)run;
	leaf->started = true;
	leaf->reason = run->context->reason;
	fake_runs[leaf->index]++;
}

static void fake_leaf_pause(struct run *run, bool paused)
{
	((struct fake_leaf *)run)->paused = paused;
}

static void fake_leaf_cancel(struct run *run)
{
	((struct fake_leaf *)run)->cancelled = true;
}

static struct run *fake_leaf_create(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	static const struct run_ops ops = {fake_leaf_start, fake_leaf_pause, fake_leaf_cancel};
	struct fake_leaf *leaf = arena_zalloc(context->arena, 1, sizeof(*leaf));
	leaf->run = (struct run){.ops = &ops, .plan = plan, .context = context, .sink = sink};
	leaf->index = (size_t)(plan->source - fake_source);
	fake_leaf[leaf->index] = leaf;
	return &leaf->run;
}

static const struct plan_kind fake_kind = {.name = NULL, .create_run = fake_leaf_create};

static void fake_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fake_note(const char *format, ...)
{
	size_t used = strlen(fake_text);
	va_list args;
	va_start(args, format);
	vsnprintf(fake_text + used, FAKE_TEXT - used, format, args);
	va_end(args);
}

static void fake_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	(void)sink;
	(void)run;
	switch (event->kind) {
	case EVENT_CHUNK:
		fake_note("chunk %.*s;", SPAN_ARG(event->data));
		break;
	case EVENT_USAGE:
		fake_note("usage %lld;", (long long)event->usage.total_tokens);
		break;
	case EVENT_BODY:
		fake_note("body %.*s;", SPAN_ARG(event->data));
		break;
	case EVENT_END:
		fake_note("end;");
		break;
	case EVENT_ERROR:
		fake_failure = *event->failure;
		fake_note("error %s;", error_row(event->failure->code)->code);
		break;
	}
}

static uint64_t fake_read_clock(void *unused)
{
	(void)unused;
	return fake_now;
}

/* Time passes: timers that are due run. */
static inline void fake_pass(uint64_t us)
{
	fake_now += us;
	timers_stale(&fake_reactor.timers);
	timers_run(&fake_reactor.timers);
}

/* Fills root with count fake leaves under kind, and its options with fake_root_source's. */
static struct run *fake_setup(struct plan *root, const struct plan_kind *kind, size_t count, bool stream)
{
	fake_text[0] = '\0';
	fake_now = FAKE_SECOND;
	memset(fake_leaf, 0, sizeof(fake_leaf));
	memset(fake_runs, 0, sizeof(fake_runs));
	fake_failure = (struct failure){.code = ERROR_NONE};
	reactor_init(&fake_reactor, NULL, fake_read_clock, NULL);
	fake_worker.reactor = &fake_reactor;
	fake_worker.scratch = &fake_scratch;
	arena_init(&fake_arena, 0);
	fake_request = (struct request){
	    .dialect = &openai_dialect, .endpoint = ENDPOINT_CHAT, .model = SPAN("m"), .choices = 1, .stream = stream};
	fake_shared = (struct run_shared){.attempts = 0};
	fake_context = (struct run_context){.shared = &fake_shared,
					    .worker = &fake_worker,
					    .arena = &fake_arena,
					    .request = &fake_request,
					    .id = SPAN("chatcmpl-x")};
	arena_init(&fake_scratch, 0);
	fake_sink.on_event = fake_on_event;
	static const char *const names[FAKE_LEAVES] = {"a/0", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7"};
	for (size_t i = 0; i < count; i++) {
		fake_source[i] = (struct config_plan){.target = names[i], .target_index = i};
		fake_plan[i] =
		    (struct plan){.kind = &fake_kind, .source = &fake_source[i], .width = 1, .loc = span_of(names[i])};
		fake_children[i] = &fake_plan[i];
	}
	*root =
	    (struct plan){.kind = kind, .source = &fake_root_source, .children = fake_children, .child_count = count};
	assert_null(kind->prepare(root, &fake_arena));
	struct run *run = plan_create_run(root, &fake_context, &fake_sink);
	assert_non_null(run);
	run->ops->start(run);
	return run;
}

static void fake_teardown(void)
{
	reactor_fini(&fake_reactor);
	arena_fini(&fake_scratch);
	arena_fini(&fake_arena);
}

static void fake_send(size_t leaf, struct event event)
{
	event.target = &fake_source[leaf];
	event.dialect = &openai_dialect;
	fake_leaf[leaf]->run.sink->on_event(fake_leaf[leaf]->run.sink, &fake_leaf[leaf]->run, &event);
}

static inline void fake_chunk(size_t leaf, unsigned carries, const char *data)
{
	fake_send(leaf, (struct event){.kind = EVENT_CHUNK, .carries = carries, .data = span_of(data)});
}

static inline void fake_body(size_t leaf, const char *data, int64_t tokens)
{
	fake_send(leaf,
		  (struct event){.kind = EVENT_BODY, .data = span_of(data), .usage = {tokens, tokens, tokens, -1, -1}});
}

static inline void fake_end(size_t leaf)
{
	fake_send(leaf, (struct event){.kind = EVENT_END});
}

static inline void fake_fail(size_t leaf, struct failure failure)
{
	failure.target = &fake_source[leaf];
	fake_send(leaf, (struct event){.kind = EVENT_ERROR, .failure = &failure});
}

static inline void fake_error(size_t leaf, enum error_code code, bool retryable)
{
	fake_fail(leaf, (struct failure){.code = code,
					 .kind = failure_kind_of(code),
					 .retryable = retryable,
					 .again = retryable,
					 .should_retry = retryable});
}

/* No call was made; retry_after: seconds, or NULL. */
static inline void fake_refuse(size_t leaf, const char *retry_after)
{
	struct failure failure = failure_of(ERROR_UPSTREAM_UNAVAILABLE);
	failure.refused = true;
	failure.retry_after = span_of(retry_after);
	fake_fail(leaf, failure);
}

/* The causes of the last failure, "LOC CODE;" each. */
static inline const char *fake_causes(void)
{
	static char text[1024];
	size_t used = 0;
	text[0] = '\0';
	for (const struct cause *at = fake_failure.causes; at != NULL; at = at->next)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s %s;", SPAN_ARG(at->loc),
					 error_row(at->code)->code);
	return text;
}

#endif
