/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a call, and how its caller is told. What a callback may
 * do to its own call is to end it: the call is then GONE, but stays in place
 * until the callback has returned.
 */
#include "clients/http/call.h"

#include <assert.h>
#include <stdlib.h>

#include "clients/http/channel.h"
#include "clients/http/client.h"
#include "clients/http/connect_attempt.h"
#include "clients/http/connect_error.h"
#include "clients/http/origin.h"
#include "clients/http/pool_trim.h"
#include "clients/http/request_head.h"
#include "clients/http/transfer.h"
#include "schemas/metrics.h"

enum { CALL_INBOX_CEILING = 64 * 1024, CALL_OUT_CEILING = 128 * 1024 };

#define ST(state) (1u << CALL_ST_##state)

/* The states that may follow each state. */
static const unsigned followers[CALL_ST_COUNT] = {
    [CALL_ST_IDLE] = ST(RESOLVING) | ST(QUEUED) | ST(ENDED),
    [CALL_ST_RESOLVING] = ST(QUEUED) | ST(ENDED) | ST(GONE),
    [CALL_ST_QUEUED] = ST(CONNECTING) | ST(SENT) | ST(ENDED) | ST(GONE),
    [CALL_ST_CONNECTING] = ST(SENT) | ST(ENDED) | ST(GONE),
    [CALL_ST_SENT] = ST(BODY) | ST(ENDED) | ST(GONE),
    [CALL_ST_BODY] = ST(ENDED) | ST(GONE),
    [CALL_ST_ENDED] = ST(GONE),
    [CALL_ST_GONE] = ST(IDLE),
};

static struct call_list *call_list_of(const struct http_call *call, enum call_state state)
{
	switch (state) {
	case CALL_ST_IDLE:
		return &call->origin->idle_calls;
	case CALL_ST_RESOLVING:
		return &call->origin->name.waiting;
	case CALL_ST_QUEUED:
		return &call->origin->client->queued;
	case CALL_ST_GONE:
		return NULL;
	default:
		return &call->origin->client->running;
	}
}

void call_set_state(struct http_call *call, enum call_state state)
{
	assert((followers[call->state] & 1u << state) != 0);
	struct call_list *from = call_list_of(call, call->state);
	struct call_list *to = call_list_of(call, state);
	call->state = state;
	if (from == to)
		return;
	if (from != NULL)
		TAILQ_REMOVE(from, call, link);
	if (to != NULL)
		TAILQ_INSERT_TAIL(to, call, link);
}

struct http_call *call_create(struct http_origin *origin)
{
	struct http_call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->origin = origin;
	head_init(&call->head);
	buf_init(&call->out, CALL_OUT_CEILING);
	buf_init(&call->inbox, CALL_INBOX_CEILING);
	TAILQ_INSERT_TAIL(&origin->idle_calls, call, link);
	return call;
}

void call_destroy(struct http_call *call)
{
	assert(call->state == CALL_ST_IDLE);
	TAILQ_REMOVE(&call->origin->idle_calls, call, link);
	head_fini(&call->head);
	free(call);
}

static void call_make_ready(struct http_call *call)
{
	if (call->is_ready)
		return;
	call->is_ready = true;
	TAILQ_INSERT_TAIL(&call->origin->client->ready, call, ready_link);
}

static void call_drop_ready(struct http_call *call)
{
	if (!call->is_ready)
		return;
	call->is_ready = false;
	TAILQ_REMOVE(&call->origin->client->ready, call, ready_link);
}

void call_fail(struct http_call *call, enum error_code error, const char *detail)
{
	if (call == NULL || call->error != ERROR_NONE)
		return;
	call->error = error;
	call->error_detail = detail;
	call_make_ready(call);
}

/* Lets go of what it waits for and of what it uses. */
static void call_take_back(struct http_call *call)
{
	timer_stop(&call->origin->client->reactor->timers, &call->timer);
	if (call->attempt != NULL)
		attempt_abandon(call->attempt);
	if (call->channel != NULL)
		channel_close(call->channel);
	call->channel = NULL;
}

void call_end(struct http_call *call, enum error_code error, const char *detail)
{
	call_take_back(call);
	call->error = error;
	call->error_detail = detail;
	call_set_state(call, CALL_ST_ENDED);
	call_make_ready(call);
	client_wake(call->origin->client);
}

void call_begin(struct http_call *call)
{
	struct http_origin *origin = call->origin;
	struct http_channel *channel = call->fresh ? NULL : channel_borrow(origin, call);
	if (channel != NULL) {
		call->channel = channel;
		call->reused = true;
		transfer_begin(call);
	} else if (attempt_start(origin, call)) {
		call_set_state(call, CALL_ST_CONNECTING);
	} else {
		call_end(call, ERROR_OVERLOADED, "no memory for a connection");
	}
}

void call_attempted(struct http_call *call, CURLcode code)
{
	struct http_attempt *attempt = call->attempt;
	if (code != CURLE_OK) {
		enum error_code error = call->error != ERROR_NONE ? call->error : failure_of(code);
		const char *words = attempt->words[0] != '\0' ? attempt->words : curl_easy_strerror(code);
		call->words = call->error != ERROR_NONE ? NULL : strdup(words);
		call_end(call, error, call->words == NULL ? call->error_detail : call->words);
		return;
	}
	call->error = ERROR_NONE; /* what was noted, say a socket for one of several addresses, did no harm */
	call->channel = channel_create(attempt, call);
	if (call->channel == NULL)
		call_end(call, ERROR_OVERLOADED, "no memory for a connection");
	else
		transfer_begin(call);
}

/* The caller has no more to do with it. */
static void call_leave(struct http_call *call)
{
	call_take_back(call);
	call_drop_ready(call);
	call->origin->client->active--;
	call_set_state(call, CALL_ST_GONE);
}

/* Back to the pool; the origin may be gone afterwards. */
static void call_recycle(struct http_call *call)
{
	head_reset(&call->head);
	buf_fini(&call->out);
	buf_fini(&call->inbox);
	free(call->words);
	call->words = NULL;
	call->head_due = call->paused = call->stalled = call->reused = call->answered = call->deaf = call->reset =
	    false;
	call->error = ERROR_NONE;
	call->error_detail = NULL;
	call_set_state(call, CALL_ST_IDLE);
	origin_give(call->origin, call);
}

/* The call may be over behind the callback; at rest it needs no field. */
static void call_tell_head(struct http_call *call)
{
	if (!call->head_due)
		return;
	struct http_head view;
	call->head_due = false;
	head_view(&call->head, &view);
	struct buf values = head_take_values(&call->head);
	call->ops->on_head(call->context, &view);
	buf_fini(&values);
}

/* What the caller does not take now waits in the inbox; nothing is read meanwhile, so it is one read at most. */
static void call_keep(struct http_call *call, struct span body)
{
	if (body.len == 0 || buf_append(&call->inbox, body))
		return;
	call_fail(call, ERROR_OVERLOADED, "no memory for the body");
	client_wake(call->origin->client);
}

static void call_tell_body(struct http_call *call, struct span body)
{
	if (call->state == CALL_ST_GONE)
		return;
	if (call->paused || buf_len(&call->inbox) > 0)
		call_keep(call, body);
	if (call->paused)
		return;
	if (buf_len(&call->inbox) > 0)
		body = buf_span(&call->inbox);
	if (body.len > 0)
		call->ops->on_body(call->context, body);
	buf_fini(&call->inbox); /* a stream at rest keeps little memory */
	if (call->state == CALL_ST_SENT || call->state == CALL_ST_BODY)
		transfer_resume(call);
}

static void call_tell_end(struct http_call *call)
{
	if (call->state != CALL_ST_ENDED || buf_len(&call->inbox) > 0)
		return; /* ended but paused: the rest is told after the resume */
	/* To a connection that the peer closed while it was idle, or as the request came */
	bool stale = call->reused && call->error == ERROR_UPSTREAM_RESET && !call->answered;
	call_leave(call);
	if (stale)
		metrics_count(call->origin->metrics, METRIC_STALE_CONNECTIONS, call->origin->backend);
	struct http_call_result result = {
	    .error = call->error,
	    .detail = call->error_detail,
	    .reused = call->reused,
	    .stale = stale,
	};
	call->ops->on_done(call->context, &result);
}

bool call_deliver(struct http_call *call, struct span body)
{
	struct http_client *client = call->origin->client;
	call_drop_ready(call);
	if (call->error != ERROR_NONE && call->state != CALL_ST_ENDED)
		call_end(call, call->error, call->error_detail);
	client->delivering = call;
	call_tell_head(call);
	call_tell_body(call, body);
	call_tell_end(call);
	client->delivering = NULL;
	if (call->state != CALL_ST_GONE)
		return call->state != CALL_ST_ENDED;
	call_recycle(call);
	return false;
}

static struct span body_part(const struct http_call_request *request, struct span part)
{
	return request->get || part.len == 0 ? (struct span){"", 0} : part;
}

struct http_call *http_call_start(struct http_origin *origin, const struct http_call_request *request,
				  const struct http_call_ops *ops, void *context)
{
	if (origin->client == NULL)
		return NULL;
	struct http_call *call = origin_borrow(origin);
	if (call == NULL)
		return NULL;
	if (!request_write_head(origin, request, &call->out)) {
		buf_fini(&call->out);
		origin_give(origin, call);
		return NULL;
	}
	buf_overdraw(&call->inbox, request->party);
	call->body = body_part(request, request->body);
	call->tail = body_part(request, request->tail);
	call->fresh = request->fresh;
	call->ops = ops;
	call->context = context;
	origin->client->active++;
	pool_trim_note_call(origin->client);
	name_admit(origin, call);
	return call;
}

void http_call_cancel(struct http_call *call)
{
	if (call->state == CALL_ST_GONE)
		return; /* in its own callback, which ended it already */
	struct http_client *client = call->origin->client;
	call_leave(call);
	if (client->delivering != call)
		call_recycle(call);
}

void http_call_pause(struct http_call *call)
{
	call->paused = true;
}

void http_call_resume(struct http_call *call)
{
	if (!call->paused || call->state == CALL_ST_GONE)
		return;
	call->paused = false;
	call_make_ready(call);
	client_wake(call->origin->client);
}
