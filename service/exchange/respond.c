/* SPDX-License-Identifier: MIT */
/* Response heads and error bodies. */
#include "service/exchange/respond.h"

#include "lib/decimal.h"
#include "schemas/sse_write.h"

#define FIELD(name, value) ((struct http_field){SPAN(name), (value)})

enum { RESPOND_FIELDS_MAX = 20, RESPOND_OVERLOADED_SIZE = 512 };

void respond_head(const struct respond_to *to, const struct respond_head *head, int64_t content_length)
{
	struct http_field fields[RESPOND_FIELDS_MAX];
	char attempts[DECIMAL_SIZE];
	char processing[DECIMAL_SIZE];
	size_t count = 0;
	fields[count++] =
	    FIELD("content-type", head->stream ? SPAN("text/event-stream; charset=utf-8") : SPAN("application/json"));
	if (head->stream) {
		fields[count++] = FIELD("cache-control", SPAN("no-cache"));
		fields[count++] = FIELD("x-accel-buffering", SPAN("no"));
	}
	fields[count++] = FIELD("x-request-id", to->request_id);
	fields[count++] = FIELD("openai-processing-ms", decimal_write(processing, head->processing_us / 1000));
	if (to->dialect->tells)
		fields[count++] = FIELD("request-id", to->request_id);
	if (to->dropped.at != NULL)
		fields[count++] = FIELD("x-sluice-dropped", to->dropped);
	if (head->target != NULL)
		fields[count++] = FIELD("x-sluice-target", span_of(head->target));
	if (head->attempts > 0)
		fields[count++] = FIELD("x-sluice-attempts", decimal_write(attempts, head->attempts));
	for (size_t i = 0; i < head->more_count; i++)
		fields[count++] = head->more[i];
	for (size_t i = 0; i < to->more_count; i++)
		fields[count++] = to->more[i];
	to->ops->head(to->client, 200, fields, count, content_length);
}

/* The backend's own error answer; with what else failed, when it is one of several. */
static void write_relayed(struct buf *out, const struct respond_to *to, const struct failure *failure)
{
	struct arena scratch;
	arena_init(&scratch, 0);
	if (failure->details.at == NULL ||
	    !to->dialect->error_add_details(failure->body, failure->details, &scratch, out))
		buf_append(out, failure->body);
	arena_fini(&scratch);
}

/* Returns whether errors of backends are told in another form than they came in. */
static bool tells_errors(const struct respond_to *to)
{
	return to->dialect->tells && !to->dialect->keeps_errors;
}

/* Returns what the backend's own error answer says; {NULL,0}: nothing, or there is none. */
static struct span relayed_message(const struct failure *failure, struct arena *arena)
{
	struct backend_error error = {.message = {NULL, 0}};
	bool read = failure->body.at != NULL && dialect_default()->error_read(failure->body, arena, &error);
	return read ? error.message : (struct span){NULL, 0};
}

/* Returns the media type of what it wrote. */
static const char *write_error(struct buf *out, const struct respond_to *to, const struct failure *failure, int status)
{
	buf_reset(out);
	if (failure->body.at != NULL && to->form == ERROR_FORM_DIALECT && !tells_errors(to)) {
		write_relayed(out, to, failure);
		return error_media_type(ERROR_FORM_DIALECT);
	}
	struct arena arena;
	arena_init(&arena, 0);
	struct span message = tells_errors(to) ? relayed_message(failure, &arena) : (struct span){NULL, 0};
	struct error_told told = {.code = failure->code,
				  .status = status,
				  .message = message.at != NULL ? message : failure->message,
				  .param = failure->param,
				  .details = failure->details,
				  .request_id = to->request_id};
	error_write(out, to->form, to->dialect, &told);
	arena_fini(&arena);
	return error_media_type(to->form);
}

/* Returns the status. A backend's own goes with its own words; with ours it must be of the code's class. */
static int status_of(const struct respond_to *to, const struct failure *failure, const struct error_row *row)
{
	bool ours = failure->status == 0 || (tells_errors(to) && failure->status / 100 != row->status / 100);
	return ours ? row->status : failure->status;
}

int respond_error(const struct respond_to *to, unsigned attempts, const struct failure *failure, struct buf *scratch)
{
	const struct error_row *row = error_row(failure->code);
	struct http_field fields[RESPOND_FIELDS_MAX];
	char attempt_text[DECIMAL_SIZE];
	size_t count = 0;
	int status = status_of(to, failure, row);
	const char *type = write_error(scratch, to, failure, status);
	fields[count++] = FIELD("content-type", span_of(type));
	fields[count++] = FIELD("vary", SPAN("accept")); /* which chose the form */
	fields[count++] = FIELD("x-request-id", to->request_id);
	if (to->dialect->tells)
		fields[count++] = FIELD("request-id", to->request_id);
	/* the SDKs retry by status unless told otherwise */
	fields[count++] = FIELD("x-should-retry", failure->should_retry ? SPAN("true") : SPAN("false"));
	if (failure->target != NULL)
		fields[count++] = FIELD("x-sluice-target", span_of(failure->target->target));
	if (attempts > 0)
		fields[count++] = FIELD("x-sluice-attempts", decimal_write(attempt_text, attempts));
	if (failure->retry_after.len != 0)
		fields[count++] = FIELD("retry-after", failure->retry_after);
	for (size_t i = 0; i < to->more_count; i++)
		fields[count++] = to->more[i];
	to->ops->head(to->client, status, fields, count, (int64_t)buf_len(scratch));
	to->ops->write(to->client, buf_span(scratch));
	return status;
}

bool respond_stream_error(const struct respond_to *to, const struct error_told *told, struct buf *scratch)
{
	struct buf framed;
	buf_init(&framed, scratch->ceiling);
	buf_reset(scratch);
	error_write(scratch, ERROR_FORM_DIALECT, to->dialect, told);
	if (to->named)
		sse_write_named(&framed, "error", buf_span(scratch));
	else
		sse_write_event(&framed, buf_span(scratch));
	bool sent = !buf_failed(scratch) && !buf_failed(&framed) && to->ops->write(to->client, buf_span(&framed));
	buf_fini(&framed);
	return sent;
}

void respond_overloaded(const struct exchange_client_ops *ops, void *client)
{
	char room[RESPOND_OVERLOADED_SIZE];
	struct buf text;
	buf_init_over(&text, room, sizeof(room));
	error_write(&text, ERROR_FORM_DIALECT, NULL, &(struct error_told){.code = ERROR_OVERLOADED});
	struct span body = buf_span(&text);
	struct http_field fields[] = {FIELD("content-type", span_of(error_media_type(ERROR_FORM_DIALECT))),
				      FIELD("retry-after", SPAN("1")), FIELD("x-should-retry", SPAN("true"))};
	ops->head(client, 503, fields, sizeof(fields) / sizeof(fields[0]), (int64_t)body.len);
	ops->write(client, body);
	ops->finish(client);
}
