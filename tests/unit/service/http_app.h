/* SPDX-License-Identifier: MIT */
/*
 * A tiny application on http_server.h for its tests: echoes, streams at the
 * client's pace, hangs, and counts what it is told. Everything runs in the
 * test's thread; app_turn drives the loop.
 */
#ifndef SLUICE_TESTS_HTTP_APP_H
#define SLUICE_TESTS_HTTP_APP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/container.h"
#include "schemas/error_body.h"
#include "service/http/http_server.h"

enum { APP_WORKERS_PORTS = 2 };

struct app {
	struct config_listener listeners[APP_WORKERS_PORTS];
	struct config config;
	struct loop *loop;
	struct http_server *server;
	struct http_listener_address addresses[APP_WORKERS_PORTS];
	int port;
	int tls_port;
	unsigned requests;
	unsigned gone;
	unsigned drained;
	unsigned open; /* exchanges alive */
	size_t backlog_peak;
	struct exchange *last;
};

/* One request in progress; freed when it is finished, aborted or gone. */
struct exchange {
	struct app *app;
	struct http_request *request;
	size_t events_left;
	size_t event_size;
	size_t events_sent;
	struct task step;
};

static inline void exchange_end(struct exchange *exchange)
{
	task_drop(loop_reactor(exchange->app->loop), &exchange->step);
	if (exchange->app->last == exchange)
		exchange->app->last = NULL;
	exchange->app->open--;
	free(exchange);
}

static inline void app_on_gone(void *context)
{
	struct exchange *exchange = context;
	exchange->app->gone++;
	exchange_end(exchange);
}

static inline void exchange_stream(struct exchange *exchange)
{
	char event[70000];
	memset(event, 'x', sizeof(event));
	while (exchange->events_left > 0) {
		size_t backlog = http_respond_backlog(exchange->request);
		if (backlog > exchange->app->backlog_peak)
			exchange->app->backlog_peak = backlog;
		if (backlog >= HTTP_BACKLOG_HIGH)
			return;
		int len = snprintf(event, 32, "data: %08zu ", exchange->events_sent);
		event[len] = '.';
		size_t size = exchange->event_size < 20 ? 20 : exchange->event_size;
		memcpy(event + size - 2, "\n\n", 2);
		assert_true(http_respond_write(exchange->request, (struct span){event, size}));
		memset(event + size - 2, 'x', 2);
		exchange->events_sent++;
		exchange->events_left--;
	}
	http_respond_finish(exchange->request);
	exchange_end(exchange);
}

static inline void app_on_drained(void *context)
{
	struct exchange *exchange = context;
	exchange->app->drained++;
	if (exchange->events_left > 0)
		exchange_stream(exchange);
}

static inline void app_answer(struct http_request *request, int status, struct span body)
{
	const struct http_field fields[] = {{SPAN("content-type"), SPAN("application/json")}};
	http_respond_head(request, status, fields, 1, (int64_t)body.len);
	http_respond_write(request, body);
	http_respond_finish(request);
}

static inline size_t query_number(struct http_request *request, const char *key)
{
	struct span query = http_request_query(request);
	char text[128];
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(query));
	const char *at = strstr(text, key);
	return at == NULL ? 0 : strtoul(at + strlen(key), NULL, 10);
}

static inline void stream_head(struct http_request *request)
{
	const struct http_field fields[] = {{SPAN("content-type"), SPAN("text/event-stream")},
					    {SPAN("cache-control"), SPAN("no-cache")}};
	http_respond_head(request, 200, fields, 2, -1);
}

static inline struct exchange *exchange_begin(struct app *app, struct http_request *request)
{
	static const struct http_request_ops ops = {app_on_gone, app_on_drained};
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	exchange->app = app;
	exchange->request = request;
	app->open++;
	app->last = exchange;
	http_request_attach(request, &ops, exchange);
	return exchange;
}

static inline void app_step(struct task *task)
{
	struct exchange *exchange = container_of(task, struct exchange, step);
	app_answer(exchange->request, 200, SPAN("{\"later\":true}"));
	exchange_end(exchange);
}

static inline void app_on_request(void *context, struct http_request *request)
{
	struct app *app = context;
	struct span path = http_request_path(request);
	app->requests++;
	enum error_code error = http_request_error(request);
	if (error != ERROR_NONE) {
		struct buf text;
		buf_init(&text, 4096);
		error_write(&text, ERROR_FORM_DIALECT, NULL, &(struct error_told){.code = error});
		app_answer(request, error_row(error)->status, buf_span(&text));
		buf_fini(&text);
	} else if (span_is(path, "/echo")) {
		app_answer(request, 200, http_request_body(request));
	} else if (span_is(path, "/length")) {
		char text[32];
		int len = snprintf(text, sizeof(text), "%zu", http_request_body(request).len);
		app_answer(request, 200, (struct span){text, (size_t)len});
	} else if (span_is(path, "/host")) {
		app_answer(request, 200, http_request_field(request, "host"));
	} else if (span_is(path, "/subject")) {
		app_answer(request, 200, http_request_subject(request));
	} else if (span_is(path, "/later")) {
		struct exchange *exchange = exchange_begin(app, request);
		exchange->step.run = app_step;
		task_queue(loop_reactor(app->loop), &exchange->step);
	} else if (span_is(path, "/stream")) {
		struct exchange *exchange = exchange_begin(app, request);
		exchange->events_left = query_number(request, "n=");
		exchange->event_size = query_number(request, "size=");
		stream_head(request);
		exchange_stream(exchange);
	} else if (span_is(path, "/hang")) {
		exchange_begin(app, request);
	} else if (span_is(path, "/sse-hang")) {
		exchange_begin(app, request);
		stream_head(request);
		http_respond_write(request, SPAN("data: first\n\n"));
	} else if (span_is(path, "/head-hang")) {
		exchange_begin(app, request);
		stream_head(request);
	} else if (span_is(path, "/json-hang")) {
		exchange_begin(app, request);
		http_respond_head(request, 200, NULL, 0, 100);
		http_respond_write(request, SPAN("{\"part"));
	} else if (span_is(path, "/big")) {
		size_t size = 8 << 20;
		char *bytes = calloc(1, size);
		app_answer(request, 200, (struct span){bytes, size});
		free(bytes);
	} else if (span_is(path, "/abort")) {
		stream_head(request);
		http_respond_write(request, SPAN("data: part\n\n"));
		http_respond_abort(request);
	} else if (span_is(path, "/abort-headless")) {
		http_respond_abort(request);
	} else if (span_is(path, "/created")) {
		http_respond_head(request, 201, NULL, 0, -1);
		http_respond_write(request, SPAN("made"));
		http_respond_finish(request);
	} else {
		app_answer(request, 200, SPAN("{\"hello\":\"world\"}"));
	}
}

static inline void app_config(struct app *app)
{
	app->listeners[0] = (struct config_listener){.host = "127.0.0.1", .port = "0", .line = 3};
	app->config = (struct config){
	    .file = "test.yaml",
	    .listeners = app->listeners,
	    .listener_count = 1,
	    .limits = {.body = 1 << 20,
		       .bodies = 64 << 20,
		       .connections = 1000,
		       .streams = 100,
		       .header_list = 16384,
		       .head_time_us = 10000000,
		       .body_stall_us = 30000000,
		       .stalled_us = 60000000},
	};
}

static inline void app_start(struct app *app)
{
	struct buf error;
	buf_init(&error, 4096);
	const struct http_server_callbacks callbacks = {.on_request = app_on_request, .context = app};
	app->loop = loop_create();
	assert_non_null(app->loop);
	app->server = http_server_create(app->loop, &app->config, &callbacks, &error);
	if (app->server == NULL || !http_server_listen(app->server, app->addresses, &error))
		fail_msg("%.*s", SPAN_ARG(buf_span(&error)));
	app->port = atoi(strrchr(app->addresses[0].text, ':') + 1);
	if (app->config.listener_count > 1)
		app->tls_port = atoi(strrchr(app->addresses[1].text, ':') + 1);
	buf_fini(&error);
}

static inline void app_stop(struct app *app)
{
	http_server_destroy(app->server);
	assert_int_equal(app->open, 0);
	loop_destroy(app->loop);
}

/* A second listener, with TLS. The paths are borrowed. */
static inline void app_add_tls(struct app *app, const char *certificate, const char *key)
{
	app->listeners[1] = (struct config_listener){
	    .host = "127.0.0.1", .port = "0", .line = 5, .tls_certificate = certificate, .tls_key = key};
	app->config.listener_count = 2;
}

/* What a set-up makes an app of, to be configured further, and starts; what its tear-down is. */
static inline struct app *app_create(void)
{
	struct app *app = calloc(1, sizeof(*app));
	assert_non_null(app);
	app_config(app);
	return app;
}

static inline int app_set_up(void **state, struct app *app)
{
	app_start(app);
	*state = app;
	return 0;
}

static inline int app_tear_down(void **state)
{
	app_stop(*state);
	free(*state);
	return 0;
}

static inline void app_turn(struct app *app)
{
	loop_turn(app->loop, 1000);
}

static inline uint64_t app_now_us(struct app *app)
{
	return timers_refresh(&loop_reactor(app->loop)->timers);
}

#endif
