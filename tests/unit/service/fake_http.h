/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client, replaced: a call is whatever the test feeds into it. Being
 * defined here, these functions are linked instead of the client's own.
 */
#ifndef SLUICE_TESTS_UNIT_SERVICE_FAKE_HTTP_H
#define SLUICE_TESTS_UNIT_SERVICE_FAKE_HTTP_H

#include <stdio.h>
#include <string.h>

#include "clients/http/http_client.h"

enum { FAKE_BODY_MAX = 4096 };

struct http_call {
	const struct http_call_ops *ops;
	void *context;
	bool cancelled;
	bool paused;
	char body[FAKE_BODY_MAX]; /* of the request */
	char fields[1024];        /* "name: value;" each */
};

static struct http_call call; /* the last one started */
static unsigned calls_started;
static bool calls_fail; /* http_call_start finds no memory */

struct http_call *http_call_start(struct http_origin *origin, const struct http_call_request *ask,
				  const struct http_call_ops *ops, void *context)
{
	(void)origin;
	if (calls_fail)
		return NULL;
	calls_started++;
	call = (struct http_call){.ops = ops, .context = context};
	snprintf(call.body, sizeof(call.body), "%.*s%.*s", SPAN_ARG(ask->body), SPAN_ARG(ask->tail));
	for (size_t i = 0, used = 0; i < ask->extra_count && used < sizeof(call.fields); i++)
		used += (size_t)snprintf(call.fields + used, sizeof(call.fields) - used, "%.*s: %.*s;",
					 SPAN_ARG(ask->extra[i].name), SPAN_ARG(ask->extra[i].value));
	return &call;
}

void http_call_cancel(struct http_call *which)
{
	which->cancelled = true;
}

bool http_call_is_sent(const struct http_call *which)
{
	(void)which;
	return true;
}

void http_call_pause(struct http_call *which)
{
	which->paused = true;
}

void http_call_resume(struct http_call *which)
{
	which->paused = false;
}

static void call_head(int status, const char *content_type)
{
	struct http_head h = {.status = status, .content_type = span_of(content_type), .content_length = -1};
	call.ops->on_head(call.context, &h);
}

static void call_bytes(const char *text)
{
	call.ops->on_body(call.context, span_of(text));
}

static void call_done(enum error_code error)
{
	struct http_call_result result = {.error = error};
	call.ops->on_done(call.context, &result);
}

/* The connection from the pool was dead. */
static inline void call_stale(void)
{
	struct http_call_result result = {.error = ERROR_UPSTREAM_RESET, .reused = true, .stale = true};
	call.ops->on_done(call.context, &result);
}

/* An error status with fields that say when to come back; NULL = absent. */
static inline void call_refusal(int status, const char *retry_after, const char *milliseconds, const char *should_retry)
{
	struct http_head h = {.status = status,
			      .retry_after = span_of(retry_after),
			      .retry_after_ms = span_of(milliseconds),
			      .x_should_retry = span_of(should_retry),
			      .content_length = -1};
	call.ops->on_head(call.context, &h);
	call.ops->on_body(call.context, SPAN("{}"));
	call_done(ERROR_NONE);
}

#endif
