/* SPDX-License-Identifier: MIT */
/* The error table as an array. */
#include "lib/errors.h"

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
