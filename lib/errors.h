/* SPDX-License-Identifier: MIT */
/* The table of errors that a client can receive; errors.def is its source. */
#ifndef SLUICE_LIB_ERRORS_H
#define SLUICE_LIB_ERRORS_H

#include <stdbool.h>

enum error_code {
	ERROR_NONE,
#define ERROR(symbol, scope, status, type, code, retryable, blame, text) ERROR_##symbol,
#include "lib/errors.def"
#undef ERROR
	ERROR_COUNT
};

enum error_blame { BLAME_NOBODY, BLAME_CLIENT, BLAME_BACKEND, BLAME_GATEWAY };

/* Where an error can be told; operation_error_scope() says where an operation belongs. */
enum {
	ERROR_ON_NOWHERE = 0,        /* by no operation */
	ERROR_ON_EVERYWHERE = 1,     /* by all */
	ERROR_ON_BODY = 2,           /* by those with a request body */
	ERROR_ON_QUERY = 4,          /* by those that read the query */
	ERROR_ON_ARGUMENT = 8,       /* by those that look up what the path or the body names */
	ERROR_ON_INFERENCE = 16,     /* by those that ask backends */
	ERROR_ON_STREAM = 32,        /* by those of them that stream */
	ERROR_ON_VECTORS = 64,       /* by those of them whose answers can't be gathered */
	ERROR_ON_FILES = 256,        /* by those that hand out what was built in */
	ERROR_ON_PLAN = 128,         /* by those of them that bring their own plan */
	ERROR_ON_CHANGES = 512,      /* by those that spend or change something */
	ERROR_ON_SURFACE = 2048,     /* by those that not every listener serves */
	ERROR_ON_KEYS = 4096,        /* by those that may need a key */
	ERROR_ON_STORE = 8192,       /* by those that manage the store of keys */
	ERROR_ON_NAMED = 16384,      /* by those of them that name a key */
	ERROR_ON_USAGE = 32768,      /* by those that read the record of use */
	ERROR_ON_STORED = 65536,     /* by those that name a stored response */
	ERROR_ON_RESPONSES = 131072, /* by those that may go on from one */
	ERROR_ANY_STATUS = 1024,     /* a backend's own status of the same class may take the place of the row's */
};

struct error_row {
	unsigned scope; /* ERROR_ON_* | ERROR_ANY_STATUS */
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

#endif
