/* SPDX-License-Identifier: MIT */
/* An nghttp2 client in the same thread as the server under test, in cleartext or over TLS. */
#ifndef SLUICE_TESTS_HTTP2_CLIENT_H
#define SLUICE_TESTS_HTTP2_CLIENT_H

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include "tests/unit/service/http_client.h"

enum { H2_REPLIES = 256 };

struct h2_reply {
	int32_t id;
	int status;
	char *body; /* NUL-terminated */
	size_t len;
	bool closed;
	uint32_t code;
	bool continued; /* 100 came */
	/* the request's body */
	const char *upload;
	size_t upload_left;
};

struct h2_client {
	struct app *app;
	int fd;
	SSL *ssl; /* NULL = cleartext */
	nghttp2_session *session;
	struct h2_reply replies[H2_REPLIES];
	size_t count;
	bool closed;
	bool goaway;
	uint32_t goaway_code;
	bool wait_for_continue; /* uploads start when 100 has come */
};

static inline struct h2_reply *h2_reply_of(struct h2_client *client, int32_t id)
{
	for (size_t i = 0; i < client->count; i++)
		if (client->replies[i].id == id)
			return &client->replies[i];
	return NULL;
}

static inline int h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
			       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	(void)session, (void)flags, (void)value_len;
	struct h2_reply *reply = h2_reply_of(context, frame->hd.stream_id);
	if (reply == NULL || name_len != 7 || memcmp(name, ":status", 7) != 0)
		return 0;
	if (memcmp(value, "100", 3) == 0)
		reply->continued = true;
	else
		reply->status = atoi((const char *)value);
	return 0;
}

static inline int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
			     void *context)
{
	(void)session, (void)flags;
	struct h2_reply *reply = h2_reply_of(context, id);
	reply->body = realloc(reply->body, reply->len + len + 1);
	memcpy(reply->body + reply->len, data, len);
	reply->len += len;
	reply->body[reply->len] = '\0';
	return 0;
}

static inline int h2_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	(void)session;
	struct h2_reply *reply = h2_reply_of(context, id);
	if (reply != NULL) {
		reply->closed = true;
		reply->code = code;
	}
	return 0;
}

static inline int h2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct h2_client *client = context;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		client->goaway = true;
		client->goaway_code = frame->goaway.error_code;
	} else if (frame->hd.type == NGHTTP2_HEADERS) {
		const struct h2_reply *reply = h2_reply_of(client, frame->hd.stream_id);
		if (reply != NULL && reply->continued)
			nghttp2_session_resume_data(session, frame->hd.stream_id);
	}
	return 0;
}

static inline ssize_t h2_upload(nghttp2_session *session, int32_t id, uint8_t *out, size_t length, uint32_t *flags,
				nghttp2_data_source *source, void *context)
{
	(void)session, (void)source;
	struct h2_client *client = context;
	struct h2_reply *reply = h2_reply_of(client, id);
	if (client->wait_for_continue && !reply->continued)
		return NGHTTP2_ERR_DEFERRED;
	size_t part = reply->upload_left < length ? reply->upload_left : length;
	memcpy(out, reply->upload, part);
	reply->upload += part;
	reply->upload_left -= part;
	if (reply->upload_left == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)part;
}

static inline ssize_t h2_transport_send(struct h2_client *client, const void *bytes, size_t len)
{
	if (client->ssl == NULL)
		return send(client->fd, bytes, len, MSG_NOSIGNAL);
	int sent = SSL_write(client->ssl, bytes, (int)len);
	errno = SSL_get_error(client->ssl, sent) == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
	return sent > 0 ? sent : -1;
}

static inline ssize_t h2_transport_receive(struct h2_client *client, void *bytes, size_t len)
{
	if (client->ssl == NULL)
		return recv(client->fd, bytes, len, 0);
	int got = SSL_read(client->ssl, bytes, (int)len);
	if (got > 0)
		return got;
	return SSL_get_error(client->ssl, got) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static inline void h2_write(struct h2_client *client)
{
	const uint8_t *bytes;
	ssize_t len;
	while ((len = nghttp2_session_mem_send(client->session, &bytes)) > 0) {
		size_t done = 0;
		while (done < (size_t)len && !client->closed) {
			ssize_t sent = h2_transport_send(client, bytes + done, (size_t)len - done);
			if (sent > 0)
				done += (size_t)sent;
			else if (errno == EAGAIN)
				app_turn(client->app);
			else
				client->closed = true;
		}
	}
}

static inline void h2_read(struct h2_client *client)
{
	uint8_t bytes[16384];
	for (;;) {
		errno = 0;
		ssize_t len = h2_transport_receive(client, bytes, sizeof(bytes));
		if (len == 0 || (len < 0 && errno == ECONNRESET))
			client->closed = true;
		if (len <= 0)
			return;
		if (nghttp2_session_mem_recv(client->session, bytes, (size_t)len) < 0)
			client->closed = true;
	}
}

static inline void h2_turn(struct h2_client *client)
{
	h2_write(client);
	app_turn(client->app);
	h2_read(client);
}

#define H2_WAIT(client, condition)                                             \
	do {                                                                   \
		uint64_t until_ = app_now_us((client)->app) + CLIENT_GUARD_US; \
		while (!(condition)) {                                         \
			h2_turn(client);                                       \
			if (app_now_us((client)->app) > until_)                \
				fail_msg("never: %s", #condition);             \
		}                                                              \
	} while (0)

/* TLS with ALPN; the protocol that the server chose. */
static inline void tls_connect(struct app *app, int fd, SSL_CTX *context, SSL **ssl, const char *alpn)
{
	unsigned char wire[32];
	size_t len = strlen(alpn);
	wire[0] = (unsigned char)len;
	memcpy(wire + 1, alpn, len);
	*ssl = SSL_new(context);
	SSL_set_fd(*ssl, fd);
	SSL_set_alpn_protos(*ssl, wire, (unsigned)len + 1);
	uint64_t until = app_now_us(app) + CLIENT_GUARD_US;
	int done;
	while ((done = SSL_connect(*ssl)) != 1 && app_now_us(app) < until) {
		assert_int_equal(SSL_get_error(*ssl, done), SSL_ERROR_WANT_READ);
		app_turn(app);
	}
	assert_int_equal(done, 1);
	const unsigned char *chosen;
	unsigned chosen_len;
	SSL_get0_alpn_selected(*ssl, &chosen, &chosen_len);
	assert_int_equal(chosen_len, len);
	assert_memory_equal(chosen, alpn, len);
}

/* own_windows: WINDOW_UPDATE only when the test says so. tls: NULL = cleartext. */
static inline void h2_client_open(struct h2_client *client, struct app *app, bool own_windows, SSL_CTX *tls)
{
	struct client raw;
	client_open_port(&raw, app, tls != NULL ? app->tls_port : app->port, 0);
	free(raw.in);
	*client = (struct h2_client){.app = app, .fd = raw.fd};
	if (tls != NULL)
		tls_connect(app, client->fd, tls, &client->ssl, "h2");
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, h2_on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, h2_on_frame);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, own_windows);
	nghttp2_option_set_no_http_messaging(option, 1); /* bad requests are to be sent, too */
	nghttp2_session_client_new2(&client->session, callbacks, client, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static inline void h2_client_close(struct h2_client *client)
{
	nghttp2_session_del(client->session);
	SSL_free(client->ssl);
	close(client->fd);
	for (size_t i = 0; i < client->count; i++)
		free(client->replies[i].body);
}

#define H2_NV(name, value)                                                                               \
	{                                                                                                \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE \
	}

/* extra: one more field, or NULL. upload: the body, or NULL. */
static inline struct h2_reply *h2_send(struct h2_client *client, const char *method, const char *path,
				       const char *const extra[2], const char *upload, size_t upload_len)
{
	nghttp2_nv fields[5] = {H2_NV(":method", method), H2_NV(":path", path), H2_NV(":scheme", "http"),
				H2_NV(":authority", "a.example")};
	size_t count = 4;
	if (extra != NULL)
		fields[count++] = (nghttp2_nv)H2_NV(extra[0], extra[1]);
	nghttp2_data_provider provider = {.read_callback = h2_upload};
	assert_true(client->count < H2_REPLIES);
	struct h2_reply *reply = &client->replies[client->count++];
	*reply = (struct h2_reply){.upload = upload, .upload_left = upload_len};
	reply->id =
	    nghttp2_submit_request(client->session, NULL, fields, count, upload == NULL ? NULL : &provider, NULL);
	assert_true(reply->id > 0);
	return reply;
}

static inline struct h2_reply *h2_get(struct h2_client *client, const char *path)
{
	return h2_send(client, "GET", path, NULL, NULL, 0);
}

#endif
