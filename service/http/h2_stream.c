/* SPDX-License-Identifier: MIT */
/*
 * Requests of HTTP/2 on their way into h2o's pipeline, and responses out of it:
 * do_send is the last output stream of h2o, provide() is where nghttp2 takes
 * the bytes when the peer's windows allow.
 */
#include "service/http/h2_stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/http_text.h"
#include "lib/ledger.h"
#include "service/http/body_limit.h"
#include "service/http/connection_limit.h"
#include "service/http/h2_upload.h"
#include "service/http/request.h"

enum {
	RESPONSE_FIELDS_MAX = 64,
	VERSION_2 = 0x200 /* as h2o writes it */
};

static void do_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state);

struct h2_stream *h2_stream_create(struct h2_session *session, int32_t id)
{
	uint32_t party = session->connection->party;
	struct h2_stream *stream = ledger_grow(party, H2_STREAM_COST) ? calloc(1, sizeof(*stream)) : NULL;
	if (stream == NULL)
		return NULL;
	stream->session = session;
	stream->id = id;
	stream->opened_us = h2_now(session);
	stream->final.do_send = do_send;
	buf_init(&stream->body, h2_limits(session)->body + 1);
	h2o_init_request(&stream->req, &session->super, NULL);
	stream->req.version = VERSION_2;
	stream->req.input.scheme = session->sock->ssl != NULL ? &H2O_URL_SCHEME_HTTPS : &H2O_URL_SCHEME_HTTP;
	stream->req._ostr_top = &stream->final;
	stream->next = session->streams;
	stream->back = &session->streams;
	if (stream->next != NULL)
		stream->next->back = &stream->next;
	session->streams = stream;
	connection_limit_busy(session->connection);
	return stream;
}

static void leave_ready(struct h2_stream *stream)
{
	if (stream->back_ready == NULL)
		return;
	*stream->back_ready = stream->next_ready;
	if (stream->next_ready != NULL)
		stream->next_ready->back_ready = stream->back_ready;
	else
		stream->session->ready_tail = stream->back_ready;
	stream->back_ready = NULL;
}

void h2_stream_destroy(struct h2_stream *stream)
{
	leave_ready(stream);
	h2_upload_forget(stream);
	ledger_give(stream->session->connection->party, H2_STREAM_COST);
	*stream->back = stream->next;
	if (stream->next != NULL)
		stream->next->back = stream->back;
	h2o_dispose_request(&stream->req);
	buf_fini(&stream->body);
	if (stream->session->streams == NULL && stream->session->connection->session != NULL)
		connection_limit_idle(stream->session->connection);
	free(stream);
}

void h2_stream_on_complete(struct h2_stream *stream)
{
	struct h2_session *session = stream->session;
	if (stream->back_ready != NULL || stream->dispatched)
		return;
	stream->next_ready = NULL;
	stream->back_ready = session->ready_tail;
	*session->ready_tail = stream;
	session->ready_tail = &stream->next_ready;
}

static void set_pseudo(struct h2_stream *stream, struct span name, struct span value)
{
	h2o_req_t *req = &stream->req;
	h2o_iovec_t copy = h2o_strdup(&req->pool, value.at, value.len);
	if (span_is(name, ":method"))
		req->input.method = copy;
	else if (span_is(name, ":path"))
		req->input.path = copy;
	else if (span_is(name, ":authority"))
		req->input.authority = copy;
}

/* nghttp2 has checked that the value is a number. */
static void set_length(struct h2_stream *stream, struct span value)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%.*s", SPAN_ARG(value));
	stream->content_length = strtoull(digits, NULL, 10);
	if (body_limit_check(h2_limits(stream->session)->body, 0, stream->content_length) != ERROR_NONE)
		stream->error = ERROR_BODY_TOO_LARGE;
}

void h2_stream_on_field(struct h2_stream *stream, struct span name, struct span value)
{
	h2o_req_t *req = &stream->req;
	stream->header_bytes += name.len + value.len + H2_FIELD_OVERHEAD;
	if (stream->header_bytes > h2_limits(stream->session)->header_list) {
		stream->error = ERROR_HEADERS_TOO_LARGE; /* and nothing of the rest is kept */
		return;
	}
	if (name.len > 0 && name.at[0] == ':') {
		set_pseudo(stream, name, value);
		return;
	}
	if (span_is(name, "host")) {
		if (req->input.authority.base == NULL)
			req->input.authority = h2o_strdup(&req->pool, value.at, value.len);
		return;
	}
	if (span_is(name, "content-length"))
		set_length(stream, value);
	if (span_is(name, "expect")) {
		stream->expects_continue = http_is_word(value, "100-continue");
		if (!stream->expects_continue)
			stream->error = ERROR_EXPECTATION_FAILED;
	}
	h2o_iovec_t name_copy = h2o_strdup(&req->pool, name.at, name.len);
	h2o_iovec_t value_copy = h2o_strdup(&req->pool, value.at, value.len);
	h2o_add_header_by_str(&req->pool, &req->headers, name_copy.base, name_copy.len, 1, NULL, value_copy.base,
			      value_copy.len);
}

void h2_stream_on_head(struct h2_stream *stream)
{
	struct http_connection *connection = stream->session->connection;
	stream->request = http_request_create(connection->server, &stream->req, connection, stream);
	stream->request->announced = stream->content_length;
}

void h2_stream_drop(struct h2_stream *stream)
{
	leave_ready(stream);
	stream->dispatched = true;
}

void h2_stream_dispatch(struct h2_stream *stream)
{
	h2o_req_t *req = &stream->req;
	leave_ready(stream);
	h2_upload_end(stream);
	stream->dispatched = true;
	stream->request->error = stream->error;
	buf_fit(&stream->body); /* it stays until the answer is over */
	struct span body = buf_span(&stream->body);
	req->entity = h2o_iovec_init(body.at, body.len);
	h2o_process_request(req);
}

struct bytes *h2_stream_take_body(struct h2_stream *stream)
{
	return bytes_take(&stream->body);
}

size_t h2_stream_unsent(const struct h2_stream *stream)
{
	return stream->unsent;
}

static void note_moved(struct h2_stream *stream)
{
	stream->moved = 0;
	stream->moved_us = h2_now(stream->session);
}

/* nghttp2 asks for up to length bytes of the response. */
static ssize_t provide(nghttp2_session *nghttp2, int32_t id, uint8_t *out, size_t length, uint32_t *flags,
		       nghttp2_data_source *source, void *context)
{
	(void)nghttp2, (void)id, (void)context;
	struct h2_stream *stream = source->ptr;
	size_t taken = 0;
	while (taken < length && stream->piece_at < stream->piece_count) {
		h2o_iovec_t *piece = &stream->pieces[stream->piece_at];
		size_t part = piece->len < length - taken ? piece->len : length - taken;
		memcpy(out + taken, piece->base, part);
		taken += part;
		piece->base += part;
		piece->len -= part;
		if (piece->len == 0)
			stream->piece_at++;
	}
	stream->unsent -= taken;
	stream->moved += taken;
	if (stream->moved >= CONFIG_PROGRESS)
		note_moved(stream);
	if (stream->unsent > 0) {
		if (stream->request != NULL)
			response_progress(stream->request);
		return (ssize_t)taken;
	}
	if (stream->end == H2O_SEND_STATE_FINAL)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (taken == 0)
		return stream->end == H2O_SEND_STATE_ERROR ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
							   : NGHTTP2_ERR_DEFERRED;
	else if (stream->end == H2O_SEND_STATE_IN_PROGRESS)
		h2o_proceed_response(&stream->req);
	return (ssize_t)taken;
}

static nghttp2_nv field(h2o_iovec_t name, h2o_iovec_t value)
{
	return (nghttp2_nv){
	    .name = (uint8_t *)name.base,
	    .value = (uint8_t *)value.base,
	    .namelen = name.len,
	    .valuelen = value.len,
	    .flags = NGHTTP2_NV_FLAG_NONE,
	};
}

#define FIELD(literal, value) field(h2o_iovec_init(H2O_STRLIT(literal)), (value))

static size_t response_fields(struct h2_stream *stream, nghttp2_nv fields[RESPONSE_FIELDS_MAX])
{
	h2o_req_t *req = &stream->req;
	h2o_timestamp_t now;
	size_t count = 0;
	char *number = h2o_mem_alloc_pool(&req->pool, 32);
	h2o_get_timestamp(req->conn->ctx, &req->pool, &now);
	fields[count++] =
	    FIELD(":status", h2o_iovec_init(number, (size_t)snprintf(number, 8, "%03d", req->res.status)));
	fields[count++] = FIELD("date", h2o_iovec_init(now.str->rfc1123, H2O_TIMESTR_RFC1123_LEN));
	fields[count++] = FIELD("server", req->conn->ctx->globalconf->server_name);
	if (req->res.content_length != SIZE_MAX) {
		int len = snprintf(number + 8, 24, "%zu", req->res.content_length);
		fields[count++] = FIELD("content-length", h2o_iovec_init(number + 8, (size_t)len));
	}
	for (size_t i = 0; i < req->res.headers.size && count < RESPONSE_FIELDS_MAX; i++)
		fields[count++] = field(*req->res.headers.entries[i].name, req->res.headers.entries[i].value);
	return count;
}

static void submit_response(struct h2_stream *stream)
{
	nghttp2_session *nghttp2 = stream->session->nghttp2;
	nghttp2_nv fields[RESPONSE_FIELDS_MAX];
	stream->responded = true;
	if (stream->req.res.status == 0) { /* aborted before there was a head */
		nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	size_t count = response_fields(stream, fields);
	nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = provide};
	bool bodiless = stream->unsent == 0 && stream->end == H2O_SEND_STATE_FINAL;
	if (nghttp2_submit_response(nghttp2, stream->id, fields, count, bodiless ? NULL : &provider) != 0)
		nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
}

static void do_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state)
{
	struct h2_stream *stream = H2O_STRUCT_FROM_MEMBER(struct h2_stream, final, self);
	assert(count <= H2_STREAM_PIECES && stream->unsent == 0);
	stream->piece_at = 0;
	stream->piece_count = count;
	for (size_t i = 0; i < count; i++) {
		stream->pieces[i] = pieces[i];
		stream->unsent += pieces[i].len;
	}
	stream->end = state;
	note_moved(stream);
	if (!stream->responded)
		submit_response(stream);
	else if (stream->unsent == 0 && state == H2O_SEND_STATE_ERROR)
		nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
					  NGHTTP2_INTERNAL_ERROR);
	else
		nghttp2_session_resume_data(stream->session->nghttp2, stream->id);
	h2_session_want_flush(stream->session);
	if (stream->unsent == 0 && state == H2O_SEND_STATE_IN_PROGRESS) /* the head alone */
		h2o_proceed_response(req);
}
