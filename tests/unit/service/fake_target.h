/* SPDX-License-Identifier: MIT */
/* One target on a fake clock with a fake HTTP client: for testing what it makes of a backend's answer. */
#ifndef SLUICE_TESTS_UNIT_SERVICE_FAKE_TARGET_H
#define SLUICE_TESTS_UNIT_SERVICE_FAKE_TARGET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schemas/openai/request.h"
#include "schemas/openai/dialect.h"
#include "service/plan/kinds.h"
#include "tests/unit/service/fake_http.h"

enum { TEXT_MAX = 16384, SECOND = 1000000 };

static uint64_t fake_now;
static char seen[TEXT_MAX];
static char last_message[1024];
static char last_retry_after[64];
static int last_status;
static bool last_retryable;
static bool last_again;
static bool last_had_body;
static bool last_refused;
static unsigned settled;
static bool cancel_on_event;
static struct reactor reactor;
static struct config config;
static struct config_backend backend;
static struct config_plan source;
static struct plan plan;
static struct plan_worker worker;
static struct arena scratch;
static struct run_shared shared;
static struct run_context context;
static struct arena arena;
static struct request request;
static struct run_sink sink;
static struct run *run;

static uint64_t read_fake_clock(void *unused)
{
	(void)unused;
	return fake_now;
}

static void note(const char *what, struct span detail)
{
	size_t used = strlen(seen);
	snprintf(seen + used, TEXT_MAX - used, "%s%.*s;", what, SPAN_ARG(detail));
}

static void on_event(struct run_sink *unused, struct run *from, const struct event *event)
{
	(void)unused;
	(void)from;
	switch (event->kind) {
	case EVENT_CHUNK:
		note(event->raw.at != NULL ? "raw " : "data ", event->raw.at != NULL ? event->raw : event->data);
		break;
	case EVENT_USAGE:
		note("usage", SPAN(""));
		break;
	case EVENT_BODY:
		note("body ", event->data);
		if (cancel_on_event)
			run->ops->cancel(run);
		break;
	case EVENT_END:
		note("end", SPAN(""));
		break;
	case EVENT_ERROR:
		note("error ", span_of(error_row(event->failure->code)->code));
		snprintf(last_message, sizeof(last_message), "%.*s", SPAN_ARG(event->failure->message));
		snprintf(last_retry_after, sizeof(last_retry_after), "%.*s", SPAN_ARG(event->failure->retry_after));
		last_status = event->failure->status;
		last_retryable = event->failure->retryable;
		last_again = event->failure->again;
		last_refused = event->failure->refused;
		last_had_body = event->failure->body.at != NULL;
		break;
	}
}

static void on_settled(struct run_shared *unused)
{
	(void)unused;
	settled++;
}

/* Everything but the run itself; the test may still change it. */
static void prepare(bool stream)
{
	struct findings findings;
	struct span body =
	    stream ? SPAN("{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}")
		   : SPAN("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
	static struct http_origin *origins[1];
	fake_now = SECOND;
	seen[0] = '\0';
	settled = 0;
	cancel_on_event = false;
	reactor_init(&reactor, NULL, read_fake_clock, NULL);
	arena_init(&arena, 0);
	backend =
	    (struct config_backend){.name = "b",
				    .stream_usage = true,
				    .timeouts = {2 * SECOND, 30 * SECOND, 10 * SECOND, 20 * SECOND, 600 * SECOND}};
	config = (struct config){.backends = &backend, .backend_count = 1, .limits = {.event = 4096}};
	source = (struct config_plan){.backend = &backend, .target_model = "real", .target = "b/real"};
	plan = (struct plan){.kind = &plan_kind_target, .source = &source, .width = 1, .dialect = &openai_dialect};
	worker = (struct plan_worker){.reactor = &reactor, .config = &config, .origins = origins, .scratch = &scratch};
	shared = (struct run_shared){.on_settled = on_settled};
	context = (struct run_context){.shared = &shared, .worker = &worker, .arena = &arena, .request = &request};
	arena_init(&scratch, 0);
	sink.on_event = on_event;
	assert_true(openai_request_decode(&request, ENDPOINT_CHAT, &arena, body, &JSON_DEPTH(64), &findings));
}

static void start(void)
{
	run = plan_create_run(&plan, &context, &sink);
	run->ops->start(run);
}

static inline void begin(bool stream)
{
	prepare(stream);
	start();
}

static void finish(void)
{
	run->ops->cancel(run);
	reactor_run_tasks(&reactor);
	reactor_fini(&reactor);
	arena_fini(&scratch);
	arena_fini(&arena);
}

static inline void pass(uint64_t us)
{
	fake_now += us;
	timers_stale(&reactor.timers);
	timers_run(&reactor.timers);
}

#endif
