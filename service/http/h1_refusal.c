/* SPDX-License-Identifier: MIT */
/* A head around the body that error_write makes, its length counted; h1_refusal.h holds the contract. */
#include "service/http/h1_refusal.h"

#include "schemas/error_body.h"
#include "service/exchange/report.h"
#include "service/http/reason.h"

enum { BODY_BYTES_MAX = 4096 };

bool h1_refusal_write(struct buf *out, enum error_code code)
{
	struct buf body;
	struct arena arena;
	const struct error_row *row = error_row(code);
	buf_init(&body, BODY_BYTES_MAX);
	arena_init(&arena, BODY_BYTES_MAX);
	error_write(&body, ERROR_FORM_DIALECT, NULL, &(struct error_told){.code = code});
	struct span text = buf_span(&body);
	struct span id = exchange_request_id((struct span){NULL, 0}, &arena);
	buf_printf(out,
		   "HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\nconnection: close\r\n"
		   "cache-control: no-store\r\nretry-after: 1\r\nx-request-id: %.*s\r\nx-should-retry: %s\r\n\r\n",
		   row->status, http_reason(row->status), error_media_type(ERROR_FORM_DIALECT), text.len, SPAN_ARG(id),
		   row->retryable ? "true" : "false");
	buf_append(out, text);
	bool done = !buf_failed(&body) && !buf_failed(out);
	buf_fini(&body);
	arena_fini(&arena);
	return done;
}
