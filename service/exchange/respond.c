/* SPDX-License-Identifier: MIT */
/* Response heads and error bodies; wire forms are those the OpenAI SDKs read. */
#include "service/exchange/respond.h"

#include <stdio.h>

#include "schemas/sse_write.h"

enum { RESPOND_FIELDS_MAX = 8, RESPOND_NUMBER_SIZE = 24 };

static struct span number(char out[RESPOND_NUMBER_SIZE], uint64_t value)
{
	int len = snprintf(out, RESPOND_NUMBER_SIZE, "%llu", (unsigned long long)value);
	return (struct span){out, (size_t)len};
}

void respond_head(const struct exchange_client_ops *ops, void *client, const struct respond_head *head,
		  int64_t content_length)
{
	struct exchange_field fields[RESPOND_FIELDS_MAX];
	char attempts[RESPOND_NUMBER_SIZE];
	char processing[RESPOND_NUMBER_SIZE];
	size_t count = 0;
	fields[count++] = (struct exchange_field){
	    "content-type", head->stream ? SPAN("text/event-stream; charset=utf-8") : SPAN("application/json")};
	if (head->stream) {
		fields[count++] = (struct exchange_field){"cache-control", SPAN("no-cache")};
		fields[count++] = (struct exchange_field){"x-accel-buffering", SPAN("no")};
	}
	fields[count++] = (struct exchange_field){"x-request-id", head->request_id};
	fields[count++] =
	    (struct exchange_field){"openai-processing-ms", number(processing, head->processing_us / 1000)};
	if (head->target != NULL)
		fields[count++] = (struct exchange_field){"x-sluice-target", span_of(head->target)};
	fields[count++] = (struct exchange_field){"x-sluice-attempts", number(attempts, head->attempts)};
	ops->head(client, 200, fields, count, content_length);
}

static void write_error(struct buf *out, const struct failure *failure, struct span param)
{
	buf_reset(out);
	if (failure->body.at != NULL)
		buf_append(out, failure->body);
	else
		error_write_openai(out, failure->code, failure->message, param);
}

int respond_error(const struct exchange_client_ops *ops, void *client, struct span request_id, unsigned attempts,
		  const struct failure *failure, struct span param, struct buf *scratch)
{
	const struct error_row *row = error_row(failure->code);
	struct exchange_field fields[RESPOND_FIELDS_MAX];
	char attempt_text[RESPOND_NUMBER_SIZE];
	size_t count = 0;
	int status = failure->status == 0 ? row->status : failure->status;
	write_error(scratch, failure, param);
	fields[count++] = (struct exchange_field){"content-type", SPAN("application/json")};
	fields[count++] = (struct exchange_field){"x-request-id", request_id};
	/* the SDKs retry by status unless told otherwise */
	fields[count++] =
	    (struct exchange_field){"x-should-retry", failure->should_retry ? SPAN("true") : SPAN("false")};
	if (failure->target != NULL)
		fields[count++] = (struct exchange_field){"x-sluice-target", span_of(failure->target->target)};
	if (attempts > 0)
		fields[count++] = (struct exchange_field){"x-sluice-attempts", number(attempt_text, attempts)};
	if (failure->retry_after.len != 0)
		fields[count++] = (struct exchange_field){"retry-after", failure->retry_after};
	ops->head(client, status, fields, count, (int64_t)buf_len(scratch));
	ops->write(client, buf_span(scratch));
	return status;
}

bool respond_stream_error(const struct exchange_client_ops *ops, void *client, const struct failure *failure,
			  struct buf *scratch)
{
	struct buf framed;
	buf_init(&framed, scratch->ceiling);
	buf_reset(scratch);
	error_write_openai(scratch, failure->code, failure->message, (struct span){NULL, 0});
	sse_write_event(&framed, buf_span(scratch));
	bool told = !buf_failed(scratch) && !buf_failed(&framed) && ops->write(client, buf_span(&framed));
	buf_fini(&framed);
	return told;
}

void respond_overloaded(const struct exchange_client_ops *ops, void *client)
{
	struct span body = SPAN("{\"error\":{\"message\":\"The gateway is out of memory or descriptors.\",\"type\":"
				"\"overloaded_error\",\"param\":null,\"code\":\"overloaded\"}}");
	struct exchange_field fields[] = {
	    {"content-type", SPAN("application/json")}, {"retry-after", SPAN("1")}, {"x-should-retry", SPAN("true")}};
	ops->head(client, 503, fields, sizeof(fields) / sizeof(fields[0]), (int64_t)body.len);
	ops->write(client, body);
	ops->finish(client);
}
