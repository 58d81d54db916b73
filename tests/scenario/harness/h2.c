/* SPDX-License-Identifier: MIT */
/* The frame-level HTTP/2 client. */
#include "tests/scenario/harness/h2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/record.h"

enum { WIDE_STREAM_WINDOW = 1 << 20, WIDE_CONNECTION_WINDOW = 1 << 24 };

/* Writes the exchange to the record, unless it is there. method is set when it is for the record. */
static void h2_record(struct h2_stream *stream, bool client_left)
{
	if (stream->method == NULL || stream->recorded)
		return;
	stream->recorded = true;
	record_write(&(struct record){.http_version = "2",
				      .method = stream->method,
				      .path = stream->path,
				      .head = &stream->request_head,
				      .body = &stream->request_body,
				      .request_whole = stream->request_sent == stream->request_body.len,
				      .client_left = client_left,
				      .answer = &stream->answer});
}

static void h2_free_stream(struct h2_stream *stream)
{
	h2_record(stream, true);
	free(stream->method);
	free(stream->path);
	bytes_free(&stream->request_head);
	bytes_free(&stream->request_body);
	answer_free(&stream->answer);
	free(stream);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	(void)flags;
	(void)user;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
		int status = atoi((const char *)value);
		if (status >= 200)
			stream->answer.status = status;
		stream->continued |= status == 100;
	} else if (stream->answer.status != 0) {
		answer_add_header(&stream->answer, (const char *)name, name_len, (const char *)value, value_len);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
	(void)flags;
	(void)user;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	if (stream != NULL)
		bytes_append(&stream->answer.body, data, len);
	return 0;
}

/* nghttp2 calls this when a frame is complete: that is what "a piece arrived" means. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h2 = user;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		h2->goaway = true;
		h2->goaway_code = frame->goaway.error_code;
	}
	if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
		h2->peer_max_streams =
		    nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	size_t len = frame->hd.type == NGHTTP2_DATA ? frame->hd.length - frame->data.padlen : 0;
	if (len != 0)
		answer_add_piece(&stream->answer, stream->answer.body.len - len, len);
	if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
		stream->answer.ended = true;
		h2_record(stream, false);
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	(void)user;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	if (stream == NULL || stream->answer.ended)
		return 0;
	stream->answer.broken = true;
	stream->answer.reset_code = code;
	h2_record(stream, stream->left);
	return 0;
}

static ssize_t on_request_body(nghttp2_session *session, int32_t id, uint8_t *into, size_t size, uint32_t *flags,
			       nghttp2_data_source *source, void *user)
{
	(void)session;
	(void)id;
	(void)user;
	struct h2_stream *stream = source->ptr;
	size_t left = stream->request_limit - stream->request_sent;
	if (left == 0 && stream->request_limit < stream->request_body.len)
		return NGHTTP2_ERR_DEFERRED;
	size_t take = left < size ? left : size;
	memcpy(into, bytes_text(&stream->request_body) + stream->request_sent, take);
	stream->request_sent += take;
	if (stream->request_sent == stream->request_body.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)take;
}

static void h2_create_session(struct h2 *h2, unsigned options)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, (options & H2_OWN_WINDOWS) != 0);
	nghttp2_session_client_new2(&h2->session, callbacks, h2, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_settings_entry wide = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WIDE_STREAM_WINDOW};
	nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, &wide, (options & H2_WIDE) != 0 ? 1 : 0);
	if ((options & H2_WIDE) != 0)
		nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, WIDE_CONNECTION_WINDOW);
}

void h2_open(struct h2 *h2, int port, unsigned options)
{
	*h2 = (struct h2){.peer_max_streams = UINT32_MAX};
	wire_open(&h2->wire, port, (options & H2_TLS) != 0 ? "h2" : NULL);
	h2_create_session(h2, options);
	struct patience patience = patience_for("the peer's SETTINGS");
	while (h2->peer_max_streams == UINT32_MAX && !h2->broken)
		if (!h2_pump(h2))
			patience_wait(&patience);
}

void h2_close(struct h2 *h2)
{
	wire_close(&h2->wire);
	nghttp2_session_del(h2->session);
	while (h2->streams != NULL) {
		struct h2_stream *stream = h2->streams;
		h2->streams = stream->next;
		h2_free_stream(stream);
	}
	bytes_free(&h2->out);
	*h2 = (struct h2){.wire = {.fd = -1}};
}

void h2_forget(struct h2 *h2, struct h2_stream *stream)
{
	struct h2_stream **link = &h2->streams;
	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
	h2_free_stream(stream);
}

static nghttp2_nv h2_field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
			    NGHTTP2_NV_FLAG_NONE};
}

/* Keeps what the record will want. */
static void h2_note_request(struct h2_stream *stream, const char *method, const char *path, const nghttp2_nv *fields,
			    size_t count)
{
	stream->method = strdup(method);
	stream->path = strdup(path);
	for (size_t i = 0; i < count; i++)
		if (fields[i].name[0] != ':')
			bytes_printf(&stream->request_head, "%s: %s\n", (const char *)fields[i].name,
				     (const char *)fields[i].value);
}

static bool h2_names(const struct h2_header *headers, const char *name)
{
	for (; headers != NULL && headers->name != NULL; headers++)
		if (strcmp(headers->name, name) == 0)
			return true;
	return false;
}

struct h2_stream *h2_request_bytes(struct h2 *h2, const char *method, const char *path, const struct h2_header *headers,
				   const char *body, size_t len)
{
	enum { MOST_FIELDS = 32 };
	nghttp2_nv fields[MOST_FIELDS];
	size_t count = 0;
	char length[24];
	fields[count++] = h2_field(":method", method);
	fields[count++] = h2_field(":scheme", h2->wire.ssl == NULL ? "http" : "https");
	fields[count++] = h2_field(":authority", "sluice.test");
	fields[count++] = h2_field(":path", path);
	if (body != NULL) {
		snprintf(length, sizeof length, "%zu", len);
		if (!h2_names(headers, "content-type"))
			fields[count++] = h2_field("content-type", "application/json");
		fields[count++] = h2_field("content-length", length);
	}
	for (; headers != NULL && headers->name != NULL && count < MOST_FIELDS; headers++)
		fields[count++] = h2_field(headers->name, headers->value);
	struct h2_stream *stream = calloc(1, sizeof *stream);
	assert_non_null(stream);
	stream->next = h2->streams;
	h2->streams = stream;
	bytes_append(&stream->request_body, body, len);
	stream->request_limit = h2->withhold ? stream->request_body.len / 2 : stream->request_body.len;
	if (!h2->silent && record_wanted(h2->wire.port))
		h2_note_request(stream, method, path, fields, count);
	nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = on_request_body};
	stream->id = nghttp2_submit_request(h2->session, NULL, fields, count, body == NULL ? NULL : &provider, stream);
	if (stream->id < 0)
		fail_msg("submit: %s", nghttp2_strerror(stream->id));
	h2_pump(h2);
	if (h2->broken) /* before there was a stream */
		stream->answer.broken = true;
	return stream;
}

struct h2_stream *h2_request(struct h2 *h2, const char *method, const char *path, const struct h2_header *headers,
			     const char *body)
{
	return h2_request_bytes(h2, method, path, headers, body, body == NULL ? 0 : strlen(body));
}

struct h2_stream *h2_post(struct h2 *h2, const char *path, const char *body)
{
	return h2_request(h2, "POST", path, NULL, body);
}

static void h2_break(struct h2 *h2)
{
	h2->broken = true;
	for (struct h2_stream *s = h2->streams; s != NULL; s = s->next)
		if (!s->answer.ended) {
			s->answer.broken = true;
			h2_record(s, s->left || h2->wire.fd < 0);
		}
}

static void h2_flush(struct h2 *h2)
{
	const uint8_t *frames;
	ssize_t len;
	while (h2->out.len < 1 << 20 && (len = nghttp2_session_mem_send(h2->session, &frames)) > 0)
		bytes_append(&h2->out, frames, (size_t)len);
	while (h2->out.len > 0) {
		ssize_t put = wire_write(&h2->wire, h2->out.at, h2->out.len);
		if (put == WIRE_BROKEN) /* what the peer said before it left is still to be read */
			bytes_free(&h2->out);
		if (put < 0)
			return;
		bytes_drop(&h2->out, (size_t)put);
	}
}

bool h2_pump(struct h2 *h2)
{
	char block[65536];
	if (h2->broken)
		return false;
	h2_flush(h2);
	ssize_t got = wire_read(&h2->wire, block, sizeof block);
	if (got == WIRE_AGAIN)
		return false;
	if (got <= 0) {
		h2_break(h2);
		return true;
	}
	ssize_t taken = nghttp2_session_mem_recv(h2->session, (uint8_t *)block, (size_t)got);
	if (taken < 0)
		fail_msg("the peer broke HTTP/2: %s", nghttp2_strerror((int)taken));
	h2_flush(h2);
	return true;
}

static void h2_wait(struct h2 *h2, const struct h2_stream *stream, const char *what)
{
	if (!h2_pump(h2) && !wire_wait(&h2->wire, HANG_GUARD_MS))
		fail_msg("gave up waiting for %s; status %d, body so far:\n%.2000s", what, stream->answer.status,
			 bytes_text(&stream->answer.body));
}

static bool h2_over(const struct h2 *h2, const struct h2_stream *stream)
{
	return stream->answer.ended || stream->answer.broken || h2->broken;
}

void h2_wait_head(struct h2 *h2, struct h2_stream *stream)
{
	while (stream->answer.status == 0 && !h2_over(h2, stream))
		h2_wait(h2, stream, "the head");
}

void h2_wait_body(struct h2 *h2, struct h2_stream *stream, size_t len)
{
	while (stream->answer.body.len < len && !h2_over(h2, stream))
		h2_wait(h2, stream, "the body");
}

void h2_wait_end(struct h2 *h2, struct h2_stream *stream)
{
	while (!h2_over(h2, stream))
		h2_wait(h2, stream, "the end of the stream");
}

void h2_cancel(struct h2 *h2, struct h2_stream *stream)
{
	stream->left = true;
	nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	h2_flush(h2);
}

void h2_consume_stream(struct h2 *h2, struct h2_stream *stream, size_t len)
{
	nghttp2_session_consume_stream(h2->session, stream->id, len);
	h2_flush(h2);
}

void h2_consume_connection(struct h2 *h2, size_t len)
{
	nghttp2_session_consume_connection(h2->session, len);
	h2_flush(h2);
}

void h2_widen(struct h2 *h2, struct h2_stream *stream, size_t len)
{
	nghttp2_submit_window_update(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)len);
	nghttp2_submit_window_update(h2->session, NGHTTP2_FLAG_NONE, stream->id, (int32_t)len);
	h2_flush(h2);
}

void h2_goaway(struct h2 *h2)
{
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	h2_flush(h2);
}

void h2_send_raw(struct h2 *h2, const void *frame, size_t len)
{
	h2_flush(h2);
	bytes_append(&h2->out, frame, len);
	h2_flush(h2);
}

void h2_wait_continue(struct h2 *h2, struct h2_stream *stream)
{
	struct patience patience = patience_for("100 Continue");
	while (!stream->continued)
		if (!h2_pump(h2))
			patience_wait(&patience);
}

void h2_send_rest(struct h2 *h2, struct h2_stream *stream)
{
	stream->request_limit = stream->request_body.len;
	nghttp2_session_resume_data(h2->session, stream->id);
	h2_pump(h2);
}
