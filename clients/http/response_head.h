/* SPDX-License-Identifier: MIT */
/*
 * The head of a response, fed as it comes: keeps the few fields that callers
 * read and refuses whatever would let two parties disagree about where the
 * body ends (RFC 9112, section 6.3). Bounded in bytes and in 1xx answers.
 */
#ifndef SLUICE_CLIENTS_HTTP_RESPONSE_HEAD_H
#define SLUICE_CLIENTS_HTTP_RESPONSE_HEAD_H

#include "clients/http/http_client.h"
#include "lib/buf.h"

enum {
	HEAD_MAX_BYTES = 64 * 1024, /* all lines of one response, 1xx heads included */
	HEAD_MAX_LINE = 32 * 1024,
	HEAD_MAX_INFORMATIONAL = 16
};

enum head_state {
	HEAD_ST_STATUS,        /* the status line comes next */
	HEAD_ST_INFORMATIONAL, /* fields of a 1xx */
	HEAD_ST_FIELDS,        /* fields of the final response */
	HEAD_ST_COMPLETE,
	HEAD_ST_REFUSED
};

enum head_field {
	HEAD_CONTENT_TYPE,
	HEAD_CONTENT_ENCODING,
	HEAD_RETRY_AFTER,
	HEAD_RETRY_AFTER_MS,
	HEAD_X_SHOULD_RETRY,
	HEAD_REQUEST_ID,
	HEAD_CACHE_CONTROL,
	HEAD_FIELD_COUNT
};

struct head {
	enum head_state state;
	int status;
	unsigned informational; /* 1xx heads seen */
	size_t bytes;           /* of all lines */
	int64_t content_length; /* -1 = not told */
	bool chunked;
	bool http_1_0;
	bool closes;       /* Connection: close */
	bool keeps_alive;  /* Connection: keep-alive */
	bool persistent;   /* the connection may serve another request (RFC 9112, section 9.3) */
	const char *why;   /* static: the reason of HEAD_ST_REFUSED */
	struct buf line;   /* the beginning of a line whose end has not come yet */
	struct buf values; /* the bytes of the kept fields */
	struct {
		size_t at, len; /* in values; len 0 = absent */
	} fields[HEAD_FIELD_COUNT];
};

void head_init(struct head *head);
void head_fini(struct head *head);
/* Ready for the next response. */
void head_reset(struct head *head);

/* Takes bytes until the head is complete or refused. Returns how many it took. */
size_t head_take(struct head *head, struct span bytes);

/* Spans into the values of head. */
void head_view(const struct head *head, struct http_head *view);

/* Takes the values out, which the caller frees; the head has no fields any more. */
struct buf head_take_values(struct head *head);

#endif
