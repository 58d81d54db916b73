/* SPDX-License-Identifier: MIT */
/*
 * nghttp2's callbacks: frames become requests, and what a peer does for nothing
 * is charged (h2_flood.c).
 */
#include "service/http/h2_frames.h"
#include "service/http/body_limit.h"

#include "service/http/h2_flood.h"
#include "service/http/h2_stream.h"
#include "service/http/h2_upload.h"
#include "service/http/request.h"

static bool is_request(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_frame(nghttp2_session *nghttp2, const nghttp2_frame_hd *frame, void *context)
{
	const struct h2_session *session = context;
	if (frame->type == NGHTTP2_HEADERS && h2_skipped_has(&session->skipped, frame->stream_id))
		nghttp2_session_terminate_session(nghttp2, NGHTTP2_PROTOCOL_ERROR);
	return 0;
}

static int on_begin_headers(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct h2_session *session = context;
	session->head_bytes = 0;
	if (!is_request(frame))
		return 0;
	h2_skipped_open(&session->skipped, frame->hd.stream_id);
	struct h2_stream *stream = h2_stream_create(context, frame->hd.stream_id);
	if (stream == NULL) /* the client may send it again (RFC 9113 section 8.7) */
		return nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
						 NGHTTP2_REFUSED_STREAM);
	nghttp2_session_set_stream_user_data(nghttp2, frame->hd.stream_id, stream);
	h2_timeouts_watch_streams(session);
	return 0;
}

static int on_header(nghttp2_session *nghttp2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	(void)flags;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	if (h2_flood_header(context, name_len + value_len + H2_FIELD_OVERHEAD) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (stream == NULL || !is_request(frame)) /* trailers are read and dropped */
		return 0;
	h2_stream_on_field(stream, (struct span){(const char *)name, name_len},
			   (struct span){(const char *)value, value_len});
	return 0;
}

static int on_data_chunk(nghttp2_session *nghttp2, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
			 void *context)
{
	(void)flags;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, id);
	if (stream == NULL)
		nghttp2_session_consume_connection(((struct h2_session *)context)->nghttp2, len);
	else
		h2_upload_on_data(stream, (struct span){(const char *)data, len});
	return 0;
}

static void send_continue(struct h2_session *session, int32_t id)
{
	static const nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
	nghttp2_submit_headers(session->nghttp2, NGHTTP2_FLAG_NONE, id, NULL, &status, 1, NULL);
}

/* The head of a request is complete. */
static int on_head(struct h2_session *session, struct h2_stream *stream)
{
	h2_stream_on_head(stream);
	if (stream->error == ERROR_HEADERS_TOO_LARGE && h2_flood_reset(session) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (stream->complete || stream->error != ERROR_NONE)
		return 0;
	h2_upload_start(stream);
	if (stream->error != ERROR_NONE)
		return 0;
	bool early = stream->expects_continue || body_is_long(stream->content_length);
	if (early && request_is_refused(stream->request))
		h2_stream_on_complete(stream);
	else if (stream->expects_continue)
		send_continue(session, stream->id);
	return 0;
}

static int on_request_frame(struct h2_session *session, const nghttp2_frame *frame)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session->nghttp2, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	session->active_us = h2_now(session);
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		stream->complete = true;
	if (is_request(frame) && on_head(session, stream) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (stream->complete || stream->error != ERROR_NONE)
		h2_stream_on_complete(stream);
	return 0;
}

static int on_frame(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	(void)nghttp2;
	struct h2_session *session = context;
	switch (frame->hd.type) {
	case NGHTTP2_DATA:
		if (on_request_frame(session, frame) != 0)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		return frame->hd.length == 0 ? h2_flood_control(session) : 0;
	case NGHTTP2_HEADERS:
		return on_request_frame(session, frame);
	case NGHTTP2_PING:
	case NGHTTP2_SETTINGS:
	case NGHTTP2_PRIORITY:
		return h2_flood_control(session);
	case NGHTTP2_RST_STREAM:
		return h2_flood_reset(session);
	default:
		return 0;
	}
}

/* nghttp2 is about to reset the stream for this frame: its request must not reach anybody. */
static int on_invalid_frame(nghttp2_session *nghttp2, const nghttp2_frame *frame, int code, void *context)
{
	(void)code, (void)context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	if (stream != NULL)
		h2_stream_drop(stream);
	return 0;
}

/* Resets that the peer provoked; those of our own making are no fault of its. */
static bool is_provoked(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
	       frame->rst_stream.error_code != NGHTTP2_INTERNAL_ERROR && frame->rst_stream.error_code != NGHTTP2_CANCEL;
}

/* The response is out; what the client still uploads is not wanted (RFC 9113 section 8.1). */
static void on_end_sent(nghttp2_session *nghttp2, int32_t id)
{
	const struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, id);
	if (stream != NULL && !stream->complete)
		nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static int on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct h2_session *session = context;
	if (is_provoked(frame))
		session->provoked = session->provoked || h2_flood_reset(session) != 0;
	else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		 (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		on_end_sent(nghttp2, frame->hd.stream_id);
	return 0;
}

static int on_stream_close(nghttp2_session *nghttp2, int32_t id, uint32_t code, void *context)
{
	(void)code, (void)context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, id);
	if (stream == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(nghttp2, id, NULL);
	h2_stream_destroy(stream);
	return 0;
}

bool h2_setup(struct http_server *server)
{
	if (nghttp2_session_callbacks_new(&server->h2_callbacks) != 0 || nghttp2_option_new(&server->h2_options) != 0)
		return false;
	nghttp2_session_callbacks *callbacks = server->h2_callbacks;
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_max_outbound_ack(server->h2_options, H2_ACKS_WAITING);
	nghttp2_option_set_no_auto_window_update(server->h2_options, 1); /* h2_upload.c gives credit */
	/* nghttp2's own count must not come first: it says INTERNAL_ERROR */
	nghttp2_option_set_stream_reset_rate_limit(server->h2_options, H2_RESETS_BURST * 2, H2_RESETS_PER_SECOND * 2);
	return true;
}

void h2_teardown(struct http_server *server)
{
	nghttp2_session_callbacks_del(server->h2_callbacks);
	nghttp2_option_del(server->h2_options);
}
