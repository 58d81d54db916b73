/* SPDX-License-Identifier: MIT */
/* The error table as an array, and its form on the wire. */
#include "lib/errors.h"

#include "lib/json_write.h"

static const struct error_row rows[ERROR_COUNT] = {
    [ERROR_NONE] = {0, "", "", false, BLAME_NOBODY, ""},
#define ERROR(symbol, status, type, code, retryable, blame, text) \
	[ERROR_##symbol] = {status, type, code, retryable, BLAME_##blame, text},
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

void error_write_openai(struct buf *out, enum error_code code, struct span message, struct span param)
{
	const struct error_row *row = &rows[code];
	buf_append(out, SPAN("{\"error\":{\"message\":"));
	json_write_string(out, message.at == NULL ? span_of(row->text) : message);
	buf_append(out, SPAN(",\"type\":"));
	json_write_string(out, span_of(row->type));
	buf_append(out, SPAN(",\"param\":"));
	json_write_string_or_null(out, param);
	buf_append(out, SPAN(",\"code\":"));
	json_write_string(out, span_of(row->code));
	buf_append(out, SPAN("}}"));
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
