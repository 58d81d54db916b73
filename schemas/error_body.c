/* SPDX-License-Identifier: MIT */
/* The bodies of errors; error_body.h holds the contract. */
#include "schemas/error_body.h"

#include "lib/json_write.h"
#include "schemas/dialect.h"

const char *error_media_type(enum error_form form)
{
	return form == ERROR_FORM_PROBLEM ? "application/problem+json" : "application/json";
}

struct span error_message(const struct error_told *told)
{
	return told->message.at == NULL ? span_of(error_row(told->code)->text) : told->message;
}

void error_write_members(struct buf *out, const struct error_told *told)
{
	buf_append(out, SPAN(",\"param\":"));
	json_write_string_or_null(out, told->param);
	buf_append(out, SPAN(",\"code\":"));
	json_write_string(out, span_of(error_row(told->code)->code));
	if (told->details.at != NULL) {
		buf_append(out, SPAN(",\"details\":"));
		buf_append(out, told->details);
	}
}

static void write_problem(struct buf *out, const struct error_told *told)
{
	const struct error_row *row = error_row(told->code);
	buf_printf(out, "{\"type\":\"urn:sluice:error:%s\",\"title\":", row->code);
	json_write_string(out, span_of(row->text));
	buf_printf(out, ",\"status\":%d,\"detail\":", told->status == 0 ? row->status : told->status);
	json_write_string(out, error_message(told));
	if (told->request_id.at != NULL) {
		buf_append(out, SPAN(",\"request_id\":"));
		json_write_string(out, told->request_id);
	}
	error_write_members(out, told);
	buf_append(out, SPAN("}"));
}

void error_write(struct buf *out, enum error_form form, const struct dialect *dialect, const struct error_told *told)
{
	if (form == ERROR_FORM_PROBLEM)
		write_problem(out, told);
	else
		(dialect == NULL ? dialect_default() : dialect)->error_write(out, told);
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
		const struct error_row *row = error_row((enum error_code)i);
		buf_printf(out, "| `%s` | %d | `%s` | %s | %s | %s |\n", row->code, row->status, row->type,
			   error_blame_name(row->blame), row->retryable ? "yes" : "no", row->text);
	}
}
