/* SPDX-License-Identifier: MIT */
/*
 * The response side of a request, an h2o generator for both versions. h2o takes
 * one h2o_send at a time until it calls proceed, so there are two buffers: one
 * in flight, one that the application fills meanwhile. Nothing is sent from
 * the application's calls: a task at the end of the turn sends what came
 * together in one piece.
 *
 * Chunked coding is ours, not h2o's, which knows it for status 200 only and
 * cannot send a head before there is content.
 */
#include "service/http/request.h"

#include <assert.h>
#include <stdalign.h>

#include "lib/http_text.h"
#include "lib/ledger.h"
#include "lib/media_type.h"
#include "service/http/h1_session.h"
#include "service/http/h1_stall.h"
#include "service/http/h2_stream.h"
#include "service/http/reason.h"

enum { BUFFER_KEEP = 16384 /* bytes of capacity that an emptied buffer may keep */ };

static void want_pump(struct http_request *request)
{
	task_queue(request->server->reactor, &request->pump);
}

static size_t backlog(const struct http_request *request)
{
	size_t flying = request->stream != NULL ? h2_stream_unsent(request->stream) : buf_len(&request->flying);
	return buf_len(&request->filling) + flying;
}

static void buffer_empty(struct buf *buf)
{
	if (buf->capacity > BUFFER_KEEP)
		buf_fini(buf);
	else
		buf_reset(buf);
}

static bool is_framing_field(struct span name)
{
	switch (name.len) {
	case sizeof("connection") - 1: /* as long as "keep-alive" */
		return span_is(name, "connection") || span_is(name, "keep-alive");
	case sizeof("content-length") - 1:
		return span_is(name, "content-length");
	case sizeof("transfer-encoding") - 1:
		return span_is(name, "transfer-encoding");
	default:
		return false;
	}
}

/* Returns whether h2o may have a token of the name. It has none that begins with x but for what proxies send, and none
 * that begins with ra but for what clients send. */
static bool may_be_token(struct span name)
{
	return name.len > 1 && name.at[0] != 'x' && (name.at[0] != 'r' || name.at[1] != 'a');
}

/* Bytes for the name and the value of a field. */
static size_t field_room(const struct http_field *field)
{
	return (sizeof(h2o_iovec_t) + field->value.len + alignof(h2o_iovec_t) - 1) / alignof(h2o_iovec_t) *
	       alignof(h2o_iovec_t);
}

/* Adds a field, whose value is copied to room; the list has a place for it. */
static void add_field(struct http_request *request, const struct http_field *field, void *room)
{
	h2o_req_t *h2o = request->h2o;
	h2o_headers_t *headers = &h2o->res.headers;
	/* a line break in a value would let whoever chose it write further fields */
	if (is_framing_field(field->name) || !http_is_field_value(field->value))
		return;
	if (span_is(field->name, "content-type"))
		request->event_stream = media_type_is(field->value, "text/event-stream");
	h2o_iovec_t *name = room;
	char *value = (char *)(name + 1);
	*name = h2o_iovec_init(field->name.at, field->name.len);
	if (field->value.len > 0)
		memcpy(value, field->value.at, field->value.len);
	const h2o_token_t *token = may_be_token(field->name) ? h2o_lookup_token(field->name.at, field->name.len) : NULL;
	headers->entries[headers->size++] = (h2o_header_t){.name = token == NULL ? name : (h2o_iovec_t *)&token->buf,
							   .value = h2o_iovec_init(value, field->value.len)};
}

/* Adds fields with one allocation for all. */
static void add_fields(struct http_request *request, const struct http_field *fields, size_t count)
{
	h2o_req_t *h2o = request->h2o;
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += field_room(&fields[i]);
	char *room = h2o_mem_alloc_pool(&h2o->pool, size);
	h2o_vector_reserve(&h2o->pool, &h2o->res.headers, h2o->res.headers.size + count);
	for (size_t i = 0; i < count; i++) {
		add_field(request, &fields[i], room);
		room += field_room(&fields[i]);
	}
}

static enum response_framing choose_framing(const struct http_request *request, int status, int64_t content_length)
{
	if (span_is(http_request_method(request), "HEAD") || status == 204 || status == 304)
		return FRAMING_NONE;
	if (content_length >= 0)
		return FRAMING_LENGTH;
	if (request->stream != NULL)
		return FRAMING_FRAMES;
	return request->h2o->version == 0x101 ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

static void apply_framing(struct http_request *request, int status, int64_t content_length)
{
	h2o_req_t *h2o = request->h2o;
	request->framing = choose_framing(request, status, content_length);
	if (content_length >= 0 && status != 204) {
		request->remaining = (uint64_t)content_length;
		h2o->res.content_length = (size_t)content_length;
	}
	if (request->framing == FRAMING_CHUNKED)
		h2o_add_header(&h2o->pool, &h2o->res.headers, H2O_TOKEN_TRANSFER_ENCODING, NULL, H2O_STRLIT("chunked"));
	if (request->framing == FRAMING_CLOSE || request->server->state != HTTP_SERVER_ST_RUNNING)
		h2o->http1_is_persistent = 0;
}

void http_request_add_field(struct http_request *request, struct span name, struct span value)
{
	assert(request->state == REQUEST_ST_WAITING);
	add_fields(request, &(struct http_field){name, value}, 1);
}

void http_respond_head(struct http_request *request, int status, const struct http_field *fields, size_t count,
		       int64_t content_length)
{
	h2o_req_t *h2o = request->h2o;
	request_set_state(request, REQUEST_ST_ANSWERING);
	h2o->res.status = status;
	h2o->res.reason = http_reason(status);
	add_fields(request, fields, count);
	apply_framing(request, status, content_length);
	h2o_start_response(h2o, &request->generator);
	want_pump(request);
}

bool http_respond_write(struct http_request *request, struct span bytes)
{
	assert(request->state == REQUEST_ST_ANSWERING);
	if (request->framing == FRAMING_NONE)
		return true;
	if (request->framing == FRAMING_LENGTH) {
		if (bytes.len > request->remaining)
			bytes.len = (size_t)request->remaining;
		request->remaining -= bytes.len;
	}
	if (bytes.len == 0)
		return true;
	if (!buf_append(&request->filling, bytes))
		return false;
	request->at_line_start = bytes.at[bytes.len - 1] == '\n';
	if (!request->above_high && backlog(request) >= HTTP_BACKLOG_HIGH)
		request->above_high = true;
	want_pump(request);
	return true;
}

void http_respond_constant(struct http_request *request, struct span bytes)
{
	assert(request->state == REQUEST_ST_ANSWERING && !request->head_sent && buf_len(&request->filling) == 0);
	if (request->framing == FRAMING_NONE)
		return;
	assert(request->framing == FRAMING_LENGTH && request->remaining == bytes.len);
	request->remaining = 0;
	request->constant = bytes;
}

size_t http_respond_backlog(const struct http_request *request)
{
	return backlog(request);
}

bool http_respond_is_full(struct http_request *request, size_t most)
{
	size_t waits = backlog(request);
	if (waits < HTTP_BACKLOG_TIGHT)
		return false;
	bool tight = ledger_is_tight(request->connection->party);
	if (waits < most && !tight)
		return false;
	request->above_high = true;
	request->low = tight ? HTTP_BACKLOG_TIGHT_LOW : HTTP_BACKLOG_LOW;
	return true;
}

void http_respond_finish(struct http_request *request)
{
	bool is_short = request->framing == FRAMING_LENGTH && request->remaining > 0;
	request_set_state(request, is_short ? REQUEST_ST_ABORTED : REQUEST_ST_FINISHED);
	want_pump(request);
}

void http_respond_abort(struct http_request *request)
{
	request_set_state(request, REQUEST_ST_ABORTED);
	want_pump(request);
}

static h2o_send_state_t send_state(const struct http_request *request)
{
	switch (request->state) {
	case REQUEST_ST_FINISHED:
		return H2O_SEND_STATE_FINAL;
	case REQUEST_ST_ABORTED:
	case REQUEST_ST_GONE:
		return H2O_SEND_STATE_ERROR;
	default:
		return H2O_SEND_STATE_IN_PROGRESS;
	}
}

/* The size line of a chunk (RFC 9112, section 7.1), without leading zeros. */
static h2o_iovec_t write_chunk_head(char head[HTTP_CHUNK_HEAD], size_t size)
{
	size_t at = HTTP_CHUNK_HEAD;
	head[--at] = '\n';
	head[--at] = '\r';
	do
		head[--at] = "0123456789abcdef"[size & 15];
	while ((size >>= 4) != 0);
	return h2o_iovec_init(&head[at], HTTP_CHUNK_HEAD - at);
}

/* Moves what was written into flight, framed. Returns the number of pieces. */
static size_t take_pieces(struct http_request *request, h2o_iovec_t pieces[3], h2o_send_state_t state)
{
	if (request->constant.len > 0) {
		pieces[0] = h2o_iovec_init(request->constant.at, request->constant.len);
		request->constant = (struct span){NULL, 0};
		return 1;
	}
	struct buf swap = request->flying;
	request->flying = request->filling;
	request->filling = swap;
	struct span body = buf_span(&request->flying);
	size_t count = 0;
	bool chunked = request->framing == FRAMING_CHUNKED;
	if (chunked && body.len > 0)
		pieces[count++] = write_chunk_head(request->chunk_head, body.len);
	if (body.len > 0)
		pieces[count++] = h2o_iovec_init(body.at, body.len);
	const char *tail = "";
	if (chunked && body.len > 0)
		tail = state == H2O_SEND_STATE_FINAL ? "\r\n0\r\n\r\n" : "\r\n";
	else if (chunked && state == H2O_SEND_STATE_FINAL)
		tail = "0\r\n\r\n";
	if (tail[0] != '\0')
		pieces[count++] = h2o_iovec_init(tail, strlen(tail));
	return count;
}

static void set_transport(struct http_request *request, enum transport_state to)
{
	assert(request->transport != TRANSPORT_ST_ENDED);
	request->transport = to;
}

static void send_filling(struct http_request *request)
{
	h2o_iovec_t pieces[3];
	h2o_send_state_t state = send_state(request);
	if (state == H2O_SEND_STATE_IN_PROGRESS && buf_len(&request->filling) == 0 && request->head_sent)
		return;
	if (request->h2o->_generator == NULL) { /* aborted before the application gave a head */
		request->framing = FRAMING_NONE;
		h2o_start_response(request->h2o, &request->generator);
	}
	size_t count = take_pieces(request, pieces, state);
	request->head_sent = true;
	set_transport(request, h2o_send_state_is_in_progress(state) ? TRANSPORT_ST_SENDING : TRANSPORT_ST_ENDED);
	if (request->transport == TRANSPORT_ST_ENDED && request->stream == NULL)
		h1_stall_watch(request->connection);
	h2o_send(request->h2o, pieces, count, state); /* the request may be freed now */
}

static void tell_drained(struct http_request *request)
{
	if (!request->above_high || request->state != REQUEST_ST_ANSWERING || backlog(request) > request->low)
		return;
	request->above_high = false;
	if (request->ops != NULL && request->ops->on_drained != NULL)
		request->ops->on_drained(request->context);
}

void response_pump(struct http_request *request)
{
	task_drop(request->server->reactor, &request->pump);
	tell_drained(request);
	if (request->transport == TRANSPORT_ST_IDLE && request->state != REQUEST_ST_WAITING)
		send_filling(request);
}

void response_on_pump(struct task *task)
{
	response_pump(H2O_STRUCT_FROM_MEMBER(struct http_request, pump, task));
}

void response_on_proceed(h2o_generator_t *generator, h2o_req_t *h2o)
{
	(void)h2o;
	struct http_request *request = (struct http_request *)generator;
	set_transport(request, TRANSPORT_ST_IDLE);
	buffer_empty(&request->flying);
	if (request->state != REQUEST_ST_ANSWERING || request->above_high || buf_len(&request->filling) > 0)
		want_pump(request);
}

void response_on_stop(h2o_generator_t *generator, h2o_req_t *h2o)
{
	(void)h2o;
	request_tell_gone((struct http_request *)generator);
}

void response_progress(struct http_request *request)
{
	if (request->above_high && backlog(request) <= request->low)
		want_pump(request);
}

void response_client_gone(struct http_request *request)
{
	h1_session_close(request->connection->h1);
}
