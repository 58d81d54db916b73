/* SPDX-License-Identifier: MIT */
/* One error answer; refuse.h holds the contract. */
#include "service/refuse.h"

#include <stdio.h>

#include "schemas/error_body.h"
#include "service/client_dialect.h"
#include "service/exchange/exchange.h"
#include "service/exchange/report.h"

enum {
	REFUSAL_BYTES_MAX = 128 * 1024,
	REFUSAL_FIELDS_CONSTANT = 5,
	REFUSAL_FIELDS_MAX = REFUSAL_FIELDS_CONSTANT + 6,
	DECIMAL_SIZE = 16
};

/* RFC 6750, section 3: whoever showed no key is not told of an error. */
static struct span challenge_of(enum error_code code)
{
	return code == ERROR_KEY_MISSING ? SPAN("Bearer realm=\"sluice\"")
					 : SPAN("Bearer realm=\"sluice\", error=\"invalid_token\"");
}

static void send(struct http_request *request, const struct refusal *refusal, enum error_form form,
		 const struct dialect *dialect, struct span request_id, struct span body)
{
	const struct error_row *row = error_row(refusal->code);
	struct http_field fields[REFUSAL_FIELDS_MAX] = {
	    {SPAN("content-type"), span_of(error_media_type(form))},
	    {SPAN("cache-control"), SPAN("no-store")},
	    {SPAN("vary"), SPAN("accept")},
	    {SPAN("x-request-id"), request_id},
	    {SPAN("x-should-retry"), row->retryable ? SPAN("true") : SPAN("false")},
	};
	size_t count = REFUSAL_FIELDS_CONSTANT;
	char seconds[DECIMAL_SIZE];
	if (dialect->tells)
		fields[count++] = (struct http_field){SPAN("request-id"), request_id};
	if (row->status == 401)
		fields[count++] = (struct http_field){SPAN("www-authenticate"), challenge_of(refusal->code)};
	if (refusal->retry_after_s != 0)
		fields[count++] = (struct http_field){
		    SPAN("retry-after"),
		    {seconds, (size_t)snprintf(seconds, sizeof(seconds), "%u", refusal->retry_after_s)}};
	else if (row->status == 503)
		fields[count++] = (struct http_field){SPAN("retry-after"), SPAN("1")};
	if (refusal->allow != NULL)
		fields[count++] = (struct http_field){SPAN("allow"), span_of(refusal->allow)};
	if (refusal->accept_encoding != NULL)
		fields[count++] = (struct http_field){SPAN("accept-encoding"), span_of(refusal->accept_encoding)};
	if (refusal->upgrade != NULL)
		fields[count++] = (struct http_field){SPAN("upgrade"), span_of(refusal->upgrade)};
	http_respond_head(request, row->status, fields, count, (int64_t)body.len);
	http_respond_write(request, body);
	http_respond_finish(request);
}

void refuse(struct http_request *request, struct metrics_cells *metrics, const struct refusal *refusal)
{
	struct buf body;
	struct arena arena;
	arena_init(&arena, 0);
	buf_init(&body, REFUSAL_BYTES_MAX);
	enum error_form form = http_request_error_form(request);
	struct span request_id = exchange_request_id(http_request_field(request, "x-request-id"), &arena);
	const struct dialect *dialect = client_dialect(request);
	error_write(&body, form, dialect,
		    &(struct error_told){.code = refusal->code,
					 .message = refusal->message,
					 .param = refusal->param,
					 .details = refusal->details,
					 .request_id = request_id});
	report_refusal(metrics, &(struct report_refused){.request_id = request_id,
							 .method = http_request_method(request),
							 .path = http_request_path(request),
							 .requested = refusal->requested,
							 .key = refusal->key,
							 .key_number = refusal->key_number,
							 .http_version = http_request_version(request),
							 .error = refusal->code});
	send(request, refusal, form, dialect, request_id, buf_span(&body));
	buf_fini(&body);
	arena_fini(&arena);
}
