/* SPDX-License-Identifier: MIT */
/* The table of failures as arrays, and as a page. */
#include "lib/failures.h"

static const struct failure_row rows[FAILURE_KINDS] = {
    [FAILURE_NONE] = {.name = ""},
#define KIND(symbol, name_, blame_, elsewhere_, again_, breaker_, error_, words_, text_) \
	[FAILURE_##symbol] = {.name = #name_,                                            \
			      .blame = BLAME_##blame_,                                   \
			      .elsewhere = (elsewhere_),                                 \
			      .again = (again_),                                         \
			      .breaker = FAILURE_IS_##breaker_,                          \
			      .error = ERROR_##error_,                                   \
			      .words = FAILURE_WORDS_##words_,                           \
			      .text = (text_)},
#include "lib/failures.def"
#undef KIND
};

static const enum failure_kind endings[ERROR_COUNT] = {
#define ENDING(error, kind) [ERROR_##error] = FAILURE_##kind,
#include "lib/failures.def"
#undef ENDING
};

const struct failure_row *failure_row(enum failure_kind kind)
{
	return &rows[kind];
}

enum failure_kind failure_kind_of(enum error_code code)
{
	if (code == ERROR_NONE || endings[code] != FAILURE_NONE)
		return endings[code];
	return error_row(code)->blame == BLAME_CLIENT ? FAILURE_CLIENT : FAILURE_GATEWAY;
}

enum failure_kind failure_kind_named(struct span name)
{
	for (unsigned kind = FAILURE_NONE + 1; kind < FAILURE_KINDS; kind++)
		if (span_is(name, rows[kind].name))
			return (enum failure_kind)kind;
	return FAILURE_NONE;
}

static const char *yes_or_no(bool yes)
{
	return yes ? "yes" : "no";
}

void failure_describe(struct buf *out)
{
	static const char *const verdicts[] = {"a success", "nothing", "no failure", "a failure",
					       "a failure to connect"};
	static const char *const words[] = {"none", "the message", "the error object"};
	buf_append(out, SPAN("| kind | meaning | fault of | another target | the same target | for the breaker | "
			     "client receives | backend's words |\n|---|---|---|---|---|---|---|---|\n"));
	for (unsigned kind = FAILURE_NONE + 1; kind < FAILURE_KINDS; kind++) {
		const struct failure_row *row = &rows[kind];
		buf_printf(out, "| `%s` | %s | %s | %s | %s | %s | `%s` | %s |\n", row->name, row->text,
			   error_blame_name(row->blame), yes_or_no(row->elsewhere), yes_or_no(row->again),
			   verdicts[row->breaker], error_row(row->error)->code, words[row->words]);
	}
}
