/* SPDX-License-Identifier: MIT */
/*
 * What a session's peer owes: a request now and then, heads and bodies that keep
 * coming, and answers that it reads. One timer that comes round, so that a
 * request costs none.
 */
#include "service/http/h2_stream.h"
#include "service/http/h2_upload.h"
#include "service/http/request.h"

enum {
	STALLED_ANSWERING = 3, /* times limits.stalled, while the application still answers */
	PARTS = 4,             /* of the shortest limit: how often streams are looked at */
	LEAST_US = 10000,      /* between two looks */
	MOST_US = 5 * 1000000  /* as well */
};

static uint64_t period_us(const struct h2_session *session)
{
	const struct config_limits *limits = h2_limits(session);
	uint64_t us = limits->stalled_us < limits->body_stall_us ? limits->stalled_us : limits->body_stall_us;
	us = (us < limits->head_time_us ? us : limits->head_time_us) / PARTS;
	if (us < LEAST_US)
		return LEAST_US;
	return us < MOST_US ? us : MOST_US;
}

static void on_tick(struct timer *timer);

static void next_tick(struct h2_session *session)
{
	session->brisk = session->streams != NULL;
	timer_start(h2_timers(session), &session->tick, session->brisk ? period_us(session) : H2_IDLE_US / 2, on_tick);
}

static bool is_without_window(const struct h2_stream *stream)
{
	nghttp2_session *nghttp2 = stream->session->nghttp2;
	return nghttp2_session_get_stream_remote_window_size(nghttp2, stream->id) <= 0 ||
	       nghttp2_session_get_remote_window_size(nghttp2) <= 0;
}

/*
 * An exchange that still answers looks for this itself, within twice the time, and counts it as client_too_slow; only
 * what it does not see, because its backend has nothing more to send, is left for here.
 */
static bool is_stalled(const struct h2_stream *stream, uint64_t now_us)
{
	uint64_t most_us = h2_limits(stream->session)->stalled_us;
	if (stream->request != NULL && stream->request->state == REQUEST_ST_ANSWERING)
		most_us *= STALLED_ANSWERING;
	return stream->unsent > 0 && now_us - stream->moved_us >= most_us && is_without_window(stream);
}

static void check_streams(struct h2_session *session, uint64_t now_us)
{
	for (const struct h2_stream *stream = session->streams; stream != NULL; stream = stream->next) {
		if (stream->request == NULL && now_us - stream->opened_us >= h2_limits(session)->head_time_us) {
			h2_session_end(session, NGHTTP2_ENHANCE_YOUR_CALM);
			return;
		}
		if (is_stalled(stream, now_us)) {
			nghttp2_submit_rst_stream(session->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
			h2_session_want_flush(session);
		}
	}
	h2_upload_check(session, now_us);
	h2_session_dispatch(session);
}

static void on_tick(struct timer *timer)
{
	struct h2_session *session = H2O_STRUCT_FROM_MEMBER(struct h2_session, tick, timer);
	uint64_t now_us = h2_now(session);
	if (h2o_socket_is_writing(session->sock) && now_us - session->written_us >= h2_limits(session)->stalled_us) {
		h2_session_close(session);
		return;
	}
	if (session->streams == NULL && now_us - session->active_us >= H2_IDLE_US / 2) {
		nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_NO_ERROR);
		h2_session_want_flush(session);
	}
	next_tick(session);
	if (session->state < H2_SESSION_ST_ENDING)
		check_streams(session, now_us);
}

void h2_timeouts_start(struct h2_session *session)
{
	next_tick(session);
}

void h2_timeouts_watch_streams(struct h2_session *session)
{
	if (!session->brisk)
		next_tick(session);
}
