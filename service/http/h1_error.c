/* SPDX-License-Identifier: MIT */
/*
 * h2o answers some broken requests before any handler sees them: a broken
 * chunk, a body beyond the hard limit, an unknown expectation. This filter
 * swaps its text for the JSON error of the same status.
 */
#include "service/http/h1_error.h"

#include "lib/errors.h"
#include "service/http/linger.h"
#include "service/http/request.h"

enum { ERROR_TEXT_MAX = 1024 };

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

static void on_setup_ostream(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
	(void)filter;
	if (req->_generator->proceed == response_on_proceed)
		return;
	struct buf text;
	buf_init(&text, ERROR_TEXT_MAX);
	error_write(&text, ERROR_FORM_OPENAI, &(struct error_told){.code = code_of(req->res.status)});
	struct span json = buf_span(&text);
	struct replacement *replacement = (void *)h2o_add_ostream(req, sizeof(*replacement), slot);
	replacement->super.do_send = send_replacement;
	replacement->body = h2o_strdup(&req->pool, json.at, json.len);
	buf_fini(&text);
	struct http_connection **connection =
	    h2o_mem_alloc_shared(&req->pool, sizeof(struct http_connection *), on_dispose);
	*connection = connection_of(req->conn->callbacks->get_socket(req->conn));
	req->res.content_length = replacement->body.len;
	h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, H2O_STRLIT("application/json"), 1);
}

void h1_error_register(h2o_pathconf_t *path)
{
	/* the only filter: h2o's own, chunked coding, is replaced by the one in response.c */
	for (size_t i = 0; i < path->filters.size; i++)
		free(path->filters.entries[i]);
	path->filters.size = 0;
	h2o_create_filter(path, sizeof(h2o_filter_t))->on_setup_ostream = on_setup_ostream;
}
