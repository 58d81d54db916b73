/* SPDX-License-Identifier: MIT */
/*
 * h2o answers some broken requests before any handler sees them: a broken
 * chunk, a body beyond the hard limit, an unknown expectation. This filter
 * swaps its text for our error of the same status.
 */
#include "service/http/h1_error.h"

#include "lib/errors.h"
#include "service/exchange/exchange.h"
#include "service/http/linger.h"
#include "service/http/request.h"

enum { ERROR_TEXT_MAX = 4096 };

struct replacement {
	h2o_ostream_t super;
	h2o_iovec_t body;
};

static enum error_code code_of(int status)
{
	switch (status) {
	case 413:
		return ERROR_BODY_TOO_LARGE;
	case 417:
		return ERROR_EXPECTATION_FAILED;
	case 400:
		return ERROR_MALFORMED_HTTP;
	default:
		return ERROR_INTERNAL;
	}
}

static void send_replacement(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
			     h2o_send_state_t state)
{
	(void)bufs;
	struct replacement *replacement = (struct replacement *)self;
	/* count 0: HEAD */
	h2o_ostream_send_next(self, req, &replacement->body, count == 0 ? 0 : 1, state);
}

/* h2o closes the connection as soon as its answer is written, with the client still uploading. */
static void on_dispose(void *memory)
{
	struct http_connection **connection = memory;
	linger_start(*connection);
}

static struct span offered_id(const h2o_req_t *req)
{
	for (size_t i = 0; i < req->headers.size; i++) {
		const h2o_header_t *header = &req->headers.entries[i];
		if (h2o_memis(header->name->base, header->name->len, H2O_STRLIT("x-request-id")))
			return (struct span){header->value.base, header->value.len};
	}
	return (struct span){NULL, 0};
}

static void set_field(h2o_req_t *req, const char *name, struct span value)
{
	h2o_iovec_t copy = h2o_strdup(&req->pool, value.at, value.len);
	h2o_set_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, copy.base, copy.len, 1);
}

/* The head and the body of our own error. */
static h2o_iovec_t tell(h2o_req_t *req, enum error_code code)
{
	struct buf text;
	struct arena arena;
	arena_init(&arena, ERROR_TEXT_MAX);
	buf_init(&text, ERROR_TEXT_MAX);
	enum error_form form = request_error_form(req);
	struct span request_id = exchange_request_id(offered_id(req), &arena);
	error_write(&text, form, &(struct error_told){.code = code, .request_id = request_id});
	struct span written = buf_span(&text);
	h2o_iovec_t body = h2o_strdup(&req->pool, written.at, written.len);
	req->res.content_length = body.len;
	set_field(req, "content-type", span_of(error_media_type(form)));
	set_field(req, "x-request-id", request_id);
	set_field(req, "vary", SPAN("accept"));
	buf_fini(&text);
	arena_fini(&arena);
	return body;
}

static void on_setup_ostream(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
	(void)filter;
	if (req->_generator->proceed == response_on_proceed)
		return;
	struct replacement *replacement = (void *)h2o_add_ostream(req, sizeof(*replacement), slot);
	replacement->super.do_send = send_replacement;
	replacement->body = tell(req, code_of(req->res.status));
	struct http_connection **connection =
	    h2o_mem_alloc_shared(&req->pool, sizeof(struct http_connection *), on_dispose);
	*connection = connection_of(req->conn->callbacks->get_socket(req->conn));
}

void h1_error_register(h2o_pathconf_t *path)
{
	/* the only filter: h2o's own, chunked coding, is replaced by the one in response.c */
	for (size_t i = 0; i < path->filters.size; i++)
		free(path->filters.entries[i]);
	path->filters.size = 0;
	h2o_create_filter(path, sizeof(h2o_filter_t))->on_setup_ostream = on_setup_ostream;
}
