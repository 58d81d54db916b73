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
	snprintf(call.body, sizeof(call.body), "%.*s", SPAN_ARG(ask->body));
	return &call;
}

void http_call_cancel(struct http_call *which)
{
	which->cancelled = true;
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

#endif
