/* SPDX-License-Identifier: MIT */
/* The table of errors that a client can receive; errors.def is its source. */
#ifndef SLUICE_LIB_ERRORS_H
#define SLUICE_LIB_ERRORS_H

#include <stdbool.h>

#include "lib/buf.h"

enum error_code {
	ERROR_NONE,
#define ERROR(symbol, status, type, code, retryable, blame, text) ERROR_##symbol,
#include "lib/errors.def"
#undef ERROR
	ERROR_COUNT
};

enum error_blame { BLAME_NOBODY, BLAME_CLIENT, BLAME_BACKEND, BLAME_GATEWAY };

struct error_row {
	int status;
	const char *type;
	const char *code;
	bool retryable;
	enum error_blame blame;
	const char *text;
};

/* The row of a code; ERROR_NONE has status 0 and empty strings. */
const struct error_row *error_row(enum error_code code);

/* "nobody", "client", "backend", "gateway". */
const char *error_blame_name(enum error_blame blame);

/*
 * Appends {"error":{"message","type","param","code"}} with all four keys. message: {NULL,0} means the row's text;
 * param: {NULL,0} means null.
 */
void error_write_openai(struct buf *out, enum error_code code, struct span message, struct span param);

/* Appends the reference of all errors as Markdown (sluice --describe errors). */
void error_describe(struct buf *out);

#endif
