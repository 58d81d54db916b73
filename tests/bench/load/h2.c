/* SPDX-License-Identifier: MIT */
/* HTTP/2 as a client: nghttp2 over a connection, by prior knowledge or ALPN; a slot is one stream at a time. */
#include "tests/bench/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

enum { STREAM_WINDOW = 1 << 20, CONNECTION_WINDOW = 1 << 26, READ_SIZE = 65536 };

struct h2 {
	nghttp2_session *session;
	bool reading; /* within nghttp2_session_mem_recv: what is to be sent waits for its end */
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	(void)value_len, (void)flags, (void)user;
	struct slot *slot = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (slot != NULL && name_len == 7 && memcmp(name, ":status", 7) == 0)
		slot->status = atoi((const char *)value);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
	(void)flags, (void)user;
	struct slot *slot = nghttp2_session_get_stream_user_data(session, id);
	if (slot != NULL)
		slot_body(slot, (const char *)data, len);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	(void)user;
	struct slot *slot = nghttp2_session_get_stream_user_data(session, id);
	if (slot != NULL)
		slot_done(slot, code == NGHTTP2_NO_ERROR);
	return 0;
}

static ssize_t on_request_body(nghttp2_session *session, int32_t id, uint8_t *into, size_t size, uint32_t *flags,
			       nghttp2_data_source *source, void *user)
{
	(void)session, (void)id, (void)user;
	struct slot *slot = source->ptr;
	const struct options *options = &slot->conn->load->options;
	size_t left = options->body_len - slot->sent;
	size_t take = left < size ? left : size;
	memcpy(into, options->body + slot->sent, take);
	slot->sent += take;
	if (slot->sent == options->body_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)take;
}

void h2_reset(struct conn *conn)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session_del(conn->h2->session);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_client_new(&conn->h2->session, callbacks, conn);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_settings_entry wide = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW};
	nghttp2_submit_settings(conn->h2->session, NGHTTP2_FLAG_NONE, &wide, 1);
	nghttp2_session_set_local_window_size(conn->h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

void h2_create(struct conn *conn)
{
	conn->h2 = calloc(1, sizeof *conn->h2);
	if (conn->h2 == NULL)
		load_fail("out of memory");
	h2_reset(conn);
}

static bool h2_send(struct conn *conn)
{
	while (conn->out_left == 0) {
		const uint8_t *out;
		ssize_t len = nghttp2_session_mem_send(conn->h2->session, &out);
		if (len < 0)
			return false;
		if (len == 0)
			return true;
		if (!conn_send(conn, (const char *)out, (size_t)len))
			return false;
	}
	return true;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
			    NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

void h2_begin(struct slot *slot)
{
	struct conn *conn = slot->conn;
	const struct options *options = &conn->load->options;
	char length[24], name[128];
	snprintf(length, sizeof length, "%zu", options->body_len);
	nghttp2_nv fields[8] = {
	    field(":method", options->method),
	    field(":scheme", options->tls ? "https" : "http"),
	    field(":path", options->path),
	    field(":authority", "127.0.0.1"),
	    field("content-type", "application/json"),
	    field("content-length", length),
	};
	size_t count = 6;
	if (options->header != NULL) {
		const char *colon = strchr(options->header, ':');
		snprintf(name, sizeof name, "%.*s", (int)(colon - options->header), options->header);
		fields[count] = field(name, colon + 1 + strspn(colon + 1, " "));
		fields[count++].flags = NGHTTP2_NV_FLAG_NONE;
	}
	nghttp2_data_provider body = {.source.ptr = slot, .read_callback = on_request_body};
	int32_t id =
	    nghttp2_submit_request(conn->h2->session, NULL, fields, count, options->body_len > 0 ? &body : NULL, slot);
	if (id < 0)
		load_fail("HTTP/2 request: %s", nghttp2_strerror(id));
	if (!conn->h2->reading && !h2_send(conn))
		conn_reopen(conn);
}

void h2_writable(struct conn *conn)
{
	if (!conn_flush(conn) || !h2_send(conn))
		conn_reopen(conn);
}

void h2_readable(struct conn *conn)
{
	static char data[READ_SIZE];
	long got = conn_read(conn, data, sizeof data);
	if (got == 0)
		return;
	conn->h2->reading = true;
	bool good = got > 0 && nghttp2_session_mem_recv(conn->h2->session, (const uint8_t *)data, (size_t)got) == got;
	conn->h2->reading = false;
	if (!good || !h2_send(conn))
		conn_reopen(conn);
}
