/* SPDX-License-Identifier: MIT */
/*
 * Room and credit for bodies; h2_upload.h holds the contract. The connection
 * gets its credit back at once, or streams without room would hold up those that
 * have it; a stream gets credit for bytes that have room. So one connection can
 * have its room in memory, and the first window of each stream.
 */
#include "service/http/h2_upload.h"

#include "lib/ledger.h"
#include "service/http/body_limit.h"
#include "service/http/body_memory.h"
#include "service/http/request.h"

/* Gives credit for what is buffered and had none. */
static void give_credit(struct h2_stream *stream)
{
	nghttp2_session_consume_stream(stream->session->nghttp2, stream->id, stream->uncredited);
	stream->uncredited = 0;
}

static void widen(struct h2_stream *stream)
{
	size_t window = stream->room < H2_STREAM_WINDOW ? stream->room : H2_STREAM_WINDOW;
	if (window > H2_FIRST_WINDOW)
		nghttp2_session_set_local_window_size(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
						      (int32_t)window);
}

/* Takes what room the stream needs. False: it waits. */
static bool take_room(struct h2_stream *stream)
{
	struct h2_session *session = stream->session;
	const struct http_connection *connection = session->connection;
	size_t most = body_memory_of_connection(h2_limits(session));
	size_t step = stream->content_length > 0 ? stream->content_length : BODY_MEMORY_STEP;
	stream->lacks = ERROR_BODIES_FULL;
	if (session->room + step <= most)
		stream->lacks = body_memory_take(h2_limits(session), connection->address, connection->party, step);
	if (stream->lacks != ERROR_NONE)
		return false;
	session->room += step;
	stream->room += step;
	stream->waits = false;
	stream->progress_us = h2_now(session);
	widen(stream);
	give_credit(stream);
	h2_session_want_flush(session);
	return true;
}

static void want_room(struct h2_stream *stream)
{
	/* who waits is not overtaken by the next one */
	bool behind = stream->room == 0 && stream->session->waiting > 0;
	if (stream->waits || (!behind && take_room(stream)))
		return;
	stream->waits = true;
	if (stream->lacks == ERROR_NONE)
		stream->lacks = ERROR_BODIES_FULL;
	stream->session->waiting++;
	stream->progress_us = h2_now(stream->session); /* since when it waits */
}

/* Charges the window that the client has from the start. False: it holds all that it may have. */
static bool charge_window(struct h2_stream *stream)
{
	if (!http_request_has_memory(stream->request) ||
	    !ledger_begin(stream->session->connection->party, H2_FIRST_WINDOW))
		return false;
	stream->charged = H2_FIRST_WINDOW;
	return true;
}

void h2_upload_start(struct h2_stream *stream)
{
	if (!charge_window(stream)) {
		stream->error = ERROR_MEMORY_FULL;
		return;
	}
	stream->uploads = true;
	want_room(stream);
	if (stream->waits && stream->lacks == ERROR_MEMORY_FULL)
		stream->error = ERROR_MEMORY_FULL;
}

static void note_progress(struct h2_stream *stream)
{
	if (stream->waits || buf_len(&stream->body) - stream->progress_at < CONFIG_PROGRESS)
		return;
	stream->progress_at = buf_len(&stream->body);
	stream->progress_us = h2_now(stream->session);
}

void h2_upload_on_data(struct h2_stream *stream, struct span bytes)
{
	nghttp2_session_consume_connection(stream->session->nghttp2, bytes.len);
	if (!stream->uploads || stream->error != ERROR_NONE)
		return;
	stream->uncredited += bytes.len;
	stream->error = body_limit_check(h2_limits(stream->session)->body, buf_len(&stream->body), bytes.len);
	if (stream->error == ERROR_NONE && !buf_append(&stream->body, bytes))
		stream->error = ERROR_OVERLOADED;
	if (stream->error != ERROR_NONE) {
		buf_fini(&stream->body);
		h2_stream_on_complete(stream);
		return;
	}
	note_progress(stream);
	if (!stream->waits && buf_len(&stream->body) + H2_FIRST_WINDOW / 2 > stream->room &&
	    stream->content_length == 0)
		want_room(stream);
	if (!stream->waits)
		give_credit(stream);
}

/* Gives back the room beyond the bytes that are needed. */
static void give_back(struct h2_stream *stream, size_t need)
{
	const struct http_connection *connection = stream->session->connection;
	body_memory_fit(connection->address, connection->party, &stream->room, need);
	if (need == 0 || stream->room > 0) {
		ledger_give(connection->party, stream->charged);
		stream->charged = 0;
	}
}

void h2_upload_end(struct h2_stream *stream)
{
	struct h2_session *session = stream->session;
	if (!stream->uploads)
		return;
	if (stream->waits)
		session->waiting--;
	stream->uploads = stream->waits = false;
	session->room -= stream->room;
	session->room_freed = true;
	give_back(stream, buf_len(&stream->body));
}

void h2_upload_forget(struct h2_stream *stream)
{
	h2_upload_end(stream);
	give_back(stream, 0);
}

/* The oldest first: streams are listed newest first. */
static struct h2_stream *oldest_waiting(const struct h2_session *session)
{
	struct h2_stream *oldest = NULL;
	for (struct h2_stream *stream = session->streams; stream != NULL; stream = stream->next)
		if (stream->waits)
			oldest = stream;
	return oldest;
}

static void serve_waiting(struct h2_session *session)
{
	struct h2_stream *stream;
	session->room_freed = false;
	while (session->waiting > 0 && (stream = oldest_waiting(session)) != NULL && take_room(stream))
		session->waiting--;
}

static void refuse_late(struct h2_session *session, uint64_t now_us)
{
	for (struct h2_stream *stream = session->streams; stream != NULL; stream = stream->next) {
		if (!stream->uploads || stream->dispatched || stream->error != ERROR_NONE ||
		    now_us - stream->progress_us < h2_limits(session)->body_stall_us)
			continue;
		stream->error = stream->waits ? stream->lacks : ERROR_REQUEST_TIMEOUT;
		h2_stream_on_complete(stream);
	}
}

void h2_upload_check(struct h2_session *session, uint64_t now_us)
{
	refuse_late(session, now_us);
	if (session->waiting > 0)
		serve_waiting(session);
}
