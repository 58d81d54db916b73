/* SPDX-License-Identifier: MIT */
/* The error table as an array, and its form on the wire. */
#include "lib/errors.h"

#include "lib/json_write.h"

static const struct error_row rows[ERROR_COUNT] = {
    [ERROR_NONE] = {0, 0, "", "", false, BLAME_NOBODY, ""},
#define ERROR(symbol, scope, status, type, code, retryable, blame, text) \
	[ERROR_##symbol] = {scope, status, type, code, retryable, BLAME_##blame, text},
#include "lib/errors.def"
#undef ERROR
};

const struct error_row *error_row(enum error_code code)
{
	return &rows[code];
}

const char *error_blame_name(enum error_blame blame)
{
	static const char *const names[] = {"nobody", "client", "backend", "gateway"};
	return names[blame];
}

const char *error_media_type(enum error_form form)
{
	return form == ERROR_FORM_PROBLEM ? "application/problem+json" : "application/json";
}

static struct span message_of(const struct error_told *told)
{
	return told->message.at == NULL ? span_of(rows[told->code].text) : told->message;
}

/* The members that both forms have. */
static void write_shared(struct buf *out, const struct error_told *told)
{
	buf_append(out, SPAN(",\"param\":"));
	json_write_string_or_null(out, told->param);
	buf_append(out, SPAN(",\"code\":"));
	json_write_string(out, span_of(rows[told->code].code));
	if (told->details.at != NULL) {
		buf_append(out, SPAN(",\"details\":"));
		buf_append(out, told->details);
	}
}

void error_write_object(struct buf *out, const struct error_told *told)
{
	buf_append(out, SPAN("{\"message\":"));
	json_write_string(out, message_of(told));
	buf_append(out, SPAN(",\"type\":"));
	json_write_string(out, span_of(rows[told->code].type));
	write_shared(out, told);
	buf_append(out, SPAN("}"));
}

static void write_openai(struct buf *out, const struct error_told *told)
{
	buf_append(out, SPAN("{\"error\":"));
	error_write_object(out, told);
	buf_append(out, SPAN("}"));
}

static void write_problem(struct buf *out, const struct error_told *told)
{
	const struct error_row *row = &rows[told->code];
	buf_printf(out, "{\"type\":\"urn:sluice:error:%s\",\"title\":", row->code);
	json_write_string(out, span_of(row->text));
	buf_printf(out, ",\"status\":%d,\"detail\":", told->status == 0 ? row->status : told->status);
	json_write_string(out, message_of(told));
	if (told->request_id.at != NULL) {
		buf_append(out, SPAN(",\"request_id\":"));
		json_write_string(out, told->request_id);
	}
	write_shared(out, told);
	buf_append(out, SPAN("}"));
}

void error_write(struct buf *out, enum error_form form, const struct error_told *told)
{
	if (form == ERROR_FORM_PROBLEM)
		write_problem(out, told);
	else
		write_openai(out, told);
}

void error_describe(struct buf *out)
{
	buf_append(
	    out,
	    SPAN("# Errors\n\nEvery error that a client can receive, as `error.code`. Before the head was sent the "
		 "status tells it too; within a stream it comes as an event with an `error` member, and no "
		 "`[DONE]` follows.\n\n| code | status | type | blame | retryable | meaning |\n"
		 "|---|---|---|---|---|---|\n"));
	for (size_t i = ERROR_NONE + 1; i < ERROR_COUNT; i++) {
		const struct error_row *row = &rows[i];
		buf_printf(out, "| `%s` | %d | `%s` | %s | %s | %s |\n", row->code, row->status, row->type,
			   error_blame_name(row->blame), row->retryable ? "yes" : "no", row->text);
	}
}
