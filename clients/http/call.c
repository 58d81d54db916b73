/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a call, and how its caller is told. call_deliver is the
 * only place where a caller's callback runs. What the callback may do to its own
 * call is to end it: the call is then GONE, but stays in place until the
 * callback has returned.
 */
#include "clients/http/call.h"

#include <assert.h>
#include <stdlib.h>

#include "clients/http/client.h"
#include "clients/http/easy.h"
#include "clients/http/failure.h"
#include "clients/http/origin.h"
#include "clients/http/rest.h"
#include "lib/metrics.h"

enum { CALL_INBOX_CEILING = 64 * 1024, CALL_INBOX_KEEP = 2048, CALL_LINES_CEILING = 64 * 1024 };

#define ST(state) (1u << CALL_ST_##state)

/* The states that may follow each state. */
static const unsigned followers[CALL_ST_COUNT] = {
    [CALL_ST_IDLE] = ST(RESOLVING) | ST(QUEUED) | ST(ENDED),
    [CALL_ST_RESOLVING] = ST(QUEUED) | ST(ENDED) | ST(GONE),
    [CALL_ST_QUEUED] = ST(CONNECTING) | ST(ENDED) | ST(GONE),
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
		return &call->origin->idle;
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

static bool call_is_in_multi(const struct http_call *call)
{
	return call->state == CALL_ST_CONNECTING || call->state == CALL_ST_SENT || call->state == CALL_ST_BODY;
}

struct http_call *call_create(struct http_origin *origin)
{
	struct http_call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->origin = origin;
	head_init(&call->head);
	buf_init(&call->inbox, CALL_INBOX_CEILING);
	buf_init(&call->extra_lines, CALL_LINES_CEILING);
	if (easy_init(call)) {
		TAILQ_INSERT_TAIL(&origin->idle, call, link);
		return call;
	}
	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	free(call);
	return NULL;
}

void call_destroy(struct http_call *call)
{
	assert(call->state == CALL_ST_IDLE);
	TAILQ_REMOVE(&call->origin->idle, call, link);
	curl_easy_cleanup(call->easy);
	head_fini(&call->head);
	buf_fini(&call->inbox);
	buf_fini(&call->extra_lines);
	free(call);
}

void call_make_ready(struct http_call *call)
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

static void call_take_back(struct http_call *call)
{
	timer_stop(&call->origin->client->reactor->timers, &call->timer);
	if (call_is_in_multi(call))
		client_remove_easy(call->origin->client, call->easy);
}

static enum failure_phase call_phase(const struct http_call *call)
{
	if (call->state == CALL_ST_BODY)
		return FAILURE_BODY;
	return call->state == CALL_ST_SENT ? FAILURE_SENT : FAILURE_CONNECTING;
}

static const char *call_detail_of(const struct http_call *call, CURLcode code)
{
	if (code == CURLE_OK)
		return "the connection was closed inside the response head";
	return call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(code);
}

void call_end(struct http_call *call, CURLcode code)
{
	enum failure_phase phase = call_phase(call);
	call_take_back(call);
	if (code == CURLE_OK && phase == FAILURE_BODY) {
		call->error = ERROR_NONE; /* what was noted, say a socket for one of several addresses, did no harm */
		call->error_detail = "";
	} else if (call->error == ERROR_NONE) {
		call->error = failure_of(code, phase, call->error_text);
		call->error_detail = call_detail_of(call, code);
	}
	call_set_state(call, CALL_ST_ENDED);
	call_make_ready(call);
}

void call_end_early(struct http_call *call, enum error_code error, const char *detail)
{
	call_take_back(call);
	call->error = error;
	call->error_detail = detail;
	call_set_state(call, CALL_ST_ENDED);
	call_make_ready(call);
	client_wake(call->origin->client);
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
	if (call->inbox.capacity > CALL_INBOX_KEEP)
		buf_fini(&call->inbox);
	buf_reset(&call->inbox);
	call->head_due = call->paused = call->stalled = call->opened = call->reused = false;
	call->error = ERROR_NONE;
	call->error_detail = NULL;
	call->error_text[0] = '\0';
	call_set_state(call, CALL_ST_IDLE);
	origin_give(call->origin, call);
}

static void call_tell_head(struct http_call *call)
{
	if (!call->head_due)
		return;
	struct http_head view;
	call->head_due = false;
	head_view(&call->head, &view);
	call->ops->on_head(call->context, &view);
}

/* Lets curl go on once the inbox is empty. It may fill it again at once, which makes the call ready again. */
static void call_unstall(struct http_call *call)
{
	if (!call->stalled || call->paused || !call_is_in_multi(call))
		return;
	call->stalled = false;
	CURLcode code = curl_easy_pause(call->easy, CURLPAUSE_CONT);
	if (code != CURLE_OK)
		call_fail(call, ERROR_OVERLOADED, "curl could not go on after a pause");
}

static void call_tell_body(struct http_call *call)
{
	if (call->state == CALL_ST_GONE || call->paused)
		return;
	/* Nothing is added to the inbox meanwhile: curl is not called before the callback has returned. */
	if (buf_len(&call->inbox) > 0)
		call->ops->on_body(call->context, buf_span(&call->inbox));
	if (call->inbox.capacity > CALL_INBOX_KEEP)
		buf_fini(&call->inbox); /* a stream at rest keeps little memory */
	else
		buf_reset(&call->inbox);
	call_unstall(call);
}

/* curl does not say whether it read the beginning of a first line; that a backend dies inside one is not told apart. */
static bool call_is_stale(const struct http_call *call)
{
	return call->reused && call->error == ERROR_UPSTREAM_RESET && call->head.bytes == 0;
}

static void call_tell_end(struct http_call *call)
{
	if (call->state != CALL_ST_ENDED || buf_len(&call->inbox) > 0)
		return; /* ended but paused: the rest is told after the resume */
	bool stale = call_is_stale(call);
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

void call_deliver(struct http_call *call)
{
	struct http_client *client = call->origin->client;
	call_drop_ready(call);
	if (call->error != ERROR_NONE && call_is_in_multi(call)) {
		call_take_back(call);
		call_set_state(call, CALL_ST_ENDED);
	}
	client->delivering = call;
	call_tell_head(call);
	call_tell_body(call);
	call_tell_end(call);
	client->delivering = NULL;
	if (call->state == CALL_ST_GONE)
		call_recycle(call);
}

struct http_call *http_call_start(struct http_origin *origin, const struct http_call_request *request,
				  const struct http_call_ops *ops, void *context)
{
	if (origin->client == NULL)
		return NULL;
	struct http_call *call = origin_borrow(origin);
	if (call == NULL)
		return NULL;
	if (!easy_configure(call, request)) {
		origin_give(origin, call);
		return NULL;
	}
	call->ops = ops;
	call->context = context;
	origin->client->active++;
	rest_note_call(origin->client);
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
