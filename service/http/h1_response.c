/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 responses: the last output stream of h2o's pipeline writes head and pieces to the socket. */
#include "lib/decimal.h"
#include "service/http/h1_session.h"

enum {
	PIECES_MAX = 4,         /* of one send, without the head */
	HEAD_FIXED_BYTES = 256, /* status line, Date, Connection, Content-Length */
	FIELD_EXTRA = 4,        /* ": " and CRLF */
	UPGRADE_REQUIRED = 426
};

static void on_sent(h2o_socket_t *sock, const char *err)
{
	struct h1_session *session = sock->data;
	if (err != NULL || session->end == H2O_SEND_STATE_ERROR)
		h1_session_close(session);
	else if (session->end == H2O_SEND_STATE_FINAL)
		h1_session_on_answered(session);
	else
		h2o_proceed_response(&session->req);
}

static char *append(char *at, const char *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static char *append_span(char *at, struct span text)
{
	return append(at, text.at, text.len);
}

static char *append_number(char *at, uint64_t number)
{
	char digits[DECIMAL_SIZE];
	return append_span(at, decimal_write(digits, number));
}

static size_t head_size(const h2o_req_t *req)
{
	size_t size = HEAD_FIXED_BYTES + strlen(req->res.reason) + req->conn->ctx->globalconf->server_name.len;
	for (size_t i = 0; i < req->res.headers.size; i++)
		size += req->res.headers.entries[i].name->len + req->res.headers.entries[i].value.len + FIELD_EXTRA;
	return size;
}

static h2o_iovec_t write_head(h2o_req_t *req)
{
	h2o_timestamp_t now;
	char *head = h2o_mem_alloc_pool(&req->pool, head_size(req));
	h2o_get_timestamp(req->conn->ctx, &req->pool, &now);
	h2o_iovec_t server = req->conn->ctx->globalconf->server_name;
	char *at = append_span(head, SPAN("HTTP/1.1 "));
	at = append_number(at, (uint64_t)req->res.status);
	at = append_span(at, SPAN(" "));
	at = append_span(at, span_of(req->res.reason));
	at = append_span(at, SPAN("\r\nDate: "));
	at = append(at, now.str->rfc1123, H2O_TIMESTR_RFC1123_LEN);
	at = append_span(at, SPAN("\r\nServer: "));
	at = append(at, server.base, server.len);
	at = append_span(at, SPAN("\r\nConnection: "));
	at = append_span(at, req->http1_is_persistent ? SPAN("keep-alive") : SPAN("close"));
	/* an answer that has Upgrade names it here (RFC 9110, section 7.8) */
	at = append_span(at, req->res.status == UPGRADE_REQUIRED ? SPAN(", upgrade\r\n") : SPAN("\r\n"));
	if (req->res.content_length != SIZE_MAX) {
		at = append_span(at, SPAN("Content-Length: "));
		at = append_number(at, req->res.content_length);
		at = append_span(at, SPAN("\r\n"));
	}
	for (size_t i = 0; i < req->res.headers.size; i++) {
		const h2o_header_t *field = &req->res.headers.entries[i];
		at = append(at, field->name->base, field->name->len);
		at = append(at, ": ", 2);
		at = append(at, field->value.base, field->value.len);
		at = append(at, "\r\n", 2);
	}
	at = append(at, "\r\n", 2);
	return h2o_iovec_init(head, (size_t)(at - head));
}

static void do_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state)
{
	struct h1_session *session = H2O_STRUCT_FROM_MEMBER(struct h1_session, final, self);
	h2o_iovec_t out[PIECES_MAX + 1];
	size_t used = 0;
	session->end = state;
	if (req->res.status == 0) { /* aborted before there was a head */
		h1_session_close(session);
		return;
	}
	if (!session->head_written) {
		session->head_written = true;
		out[used++] = write_head(req);
	}
	for (size_t i = 0; i < count && i < PIECES_MAX; i++)
		out[used++] = pieces[i];
	if (used > 0)
		h2o_socket_write(session->sock, out, used, on_sent);
	else
		on_sent(session->sock, NULL);
}

void h1_response_init(struct h1_session *session)
{
	session->head_written = false;
	session->final = (h2o_ostream_t){.do_send = do_send};
	session->req._ostr_top = &session->final;
}
