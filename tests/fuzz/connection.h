/* SPDX-License-Identifier: MIT */
/*
 * A whole server of service/http behind a pair of sockets, for fuzzers of connections: what a client sends goes through
 * the real sessions to a small application, which answers by the path. After each input everything must be as before:
 * no connection, no request, nothing charged in the ledger.
 */
#ifndef SLUICE_TESTS_FUZZ_CONNECTION_H
#define SLUICE_TESTS_FUZZ_CONNECTION_H

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/container.h"
#include "lib/ledger.h"
#include "service/http/listener.h"

enum {
	FUZZ_BODY_MOST = 1 << 20,
	FUZZ_REQUESTS_MOST = 256,
	FUZZ_STREAM_EVENTS = 40,
	FUZZ_EVENT_SIZE = 1000,
	FUZZ_MEMORY = 64 << 20
};

/* A request that reached the application. */
struct fuzz_request {
	enum error_code error;
	size_t method, target, body; /* bytes */
	uint64_t hash;               /* of all three */
};

struct fuzz_server {
	struct loop *loop;
	struct http_server *server;
	struct config config;
	struct config_listener listener;
	struct fuzz_request requests[FUZZ_REQUESTS_MOST]; /* of the present input */
	size_t count;
	unsigned open; /* requests that wait for their answer */
	int fd;        /* the client's end */
};

/* A request that is answered later, or never. */
struct fuzz_exchange {
	struct fuzz_server *fuzz;
	struct http_request *request;
	size_t left; /* events */
	struct task step;
};

static inline uint64_t fuzz_hash(uint64_t hash, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.at[i]) * UINT64_C(1099511628211);
	return (hash ^ bytes.len) * UINT64_C(1099511628211);
}

static inline void fuzz_answer(struct http_request *request, int status, struct span body)
{
	const struct http_field fields[] = {{SPAN("content-type"), SPAN("text/plain")}};
	http_respond_head(request, status, fields, 1, (int64_t)body.len);
	http_respond_write(request, body);
	http_respond_finish(request);
}

static inline void fuzz_end(struct fuzz_exchange *exchange)
{
	task_drop(loop_reactor(exchange->fuzz->loop), &exchange->step);
	exchange->fuzz->open--;
	free(exchange);
}

static inline void fuzz_on_gone(void *context)
{
	fuzz_end(context);
}

/* Sends events while the client takes them. */
static inline void fuzz_stream(struct fuzz_exchange *exchange)
{
	static const char event[FUZZ_EVENT_SIZE];
	for (; exchange->left > 0; exchange->left--) {
		if (http_respond_is_full(exchange->request, HTTP_BACKLOG_HIGH))
			return;
		if (!http_respond_write(exchange->request, (struct span){event, sizeof(event)})) {
			http_respond_abort(exchange->request);
			fuzz_end(exchange);
			return;
		}
	}
	http_respond_finish(exchange->request);
	fuzz_end(exchange);
}

static inline void fuzz_on_drained(void *context)
{
	const struct fuzz_exchange *exchange = context;
	if (exchange->left > 0)
		fuzz_stream(context);
}

static inline void fuzz_on_step(struct task *task)
{
	struct fuzz_exchange *exchange = container_of(task, struct fuzz_exchange, step);
	http_respond_head(exchange->request, 200, NULL, 0, -1);
	fuzz_stream(exchange);
}

static inline void fuzz_begin(struct fuzz_server *fuzz, struct http_request *request, bool answers)
{
	static const struct http_request_ops ops = {fuzz_on_gone, fuzz_on_drained};
	struct fuzz_exchange *exchange = calloc(1, sizeof(*exchange));
	assert(exchange != NULL);
	*exchange = (struct fuzz_exchange){fuzz, request, FUZZ_STREAM_EVENTS, {.run = fuzz_on_step}};
	fuzz->open++;
	http_request_attach(request, &ops, exchange);
	if (answers)
		task_queue(loop_reactor(fuzz->loop), &exchange->step);
}

/* "/s…" is streamed, "/h…" is never answered, "/a…" breaks off; all others get their body back. */
static inline void fuzz_on_request(void *context, struct http_request *request)
{
	struct fuzz_server *fuzz = context;
	struct span method = http_request_method(request), target = http_request_path(request);
	struct span body = http_request_body(request);
	enum error_code error = http_request_error(request);
	char kind = target.len > 1 ? target.at[1] : '\0';
	if (fuzz->count < FUZZ_REQUESTS_MOST)
		fuzz->requests[fuzz->count++] = (struct fuzz_request){
		    error, method.len, target.len, body.len, fuzz_hash(fuzz_hash(fuzz_hash(0, method), target), body)};
	if (error != ERROR_NONE)
		fuzz_answer(request, error_row(error)->status, SPAN("refused"));
	else if (kind == 's' || kind == 'h')
		fuzz_begin(fuzz, request, kind == 's');
	else if (kind == 'a')
		http_respond_abort(request);
	else
		fuzz_answer(request, 200, body);
}

static const char fuzz_refused[] = "/refused";

static inline bool fuzz_refuses(void *context, const struct http_request *request)
{
	(void)context;
	return span_is(http_request_path(request), fuzz_refused);
}

/* Made once, for all inputs. */
static inline struct fuzz_server *fuzz_server(void)
{
	static struct fuzz_server fuzz;
	if (fuzz.server != NULL)
		return &fuzz;
	fuzz.listener = (struct config_listener){.host = "127.0.0.1", .port = "0"};
	fuzz.config = (struct config){.file = "fuzz",
				      .listeners = &fuzz.listener,
				      .listener_count = 1,
				      .limits = {.body = FUZZ_BODY_MOST,
						 .bodies = 8 << 20,
						 .connections = 100,
						 .streams = 100,
						 .header_list = 16384,
						 .head_time_us = 10000000,
						 .body_stall_us = 30000000,
						 .stalled_us = 60000000}};
	const struct http_server_callbacks callbacks = {
	    .on_request = fuzz_on_request, .refuses = fuzz_refuses, .context = &fuzz};
	struct buf error;
	buf_init(&error, 4096);
	ledger_set_ceiling(FUZZ_MEMORY);
	fuzz.loop = loop_create();
	fuzz.server = http_server_create(fuzz.loop, &fuzz.config, &callbacks, &error);
	assert(fuzz.server != NULL);
	return &fuzz;
}

static inline void fuzz_open(struct fuzz_server *fuzz)
{
	int ends[2];
	int opened = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
	assert(opened == 0);
	fuzz->count = 0;
	fuzz->fd = ends[0];
	http_server_take(fuzz->server, 0, ends[1]);
}

static inline void fuzz_turn(struct fuzz_server *fuzz)
{
	loop_turn(fuzz->loop, 0);
}

/* Sends what can be sent; false when the server takes no more. */
static inline bool fuzz_send(const struct fuzz_server *fuzz, const void *bytes, size_t len)
{
	return send(fuzz->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Leaves, and sees that nothing of the connection is left. */
static inline void fuzz_close(struct fuzz_server *fuzz)
{
	enum { TURNS_MOST = 10000 };
	close(fuzz->fd);
	for (int i = 0; http_server_connections(fuzz->server) > 0 || fuzz->server->lingering != NULL; i++) {
		assert(i < TURNS_MOST);
		fuzz_turn(fuzz);
	}
	fuzz_turn(fuzz);
	assert(fuzz->open == 0);
	assert(ledger_taken() == 0);
}

#endif
