/* SPDX-License-Identifier: MIT */
/*
 * One request that is waited for, for commands that do one thing and end. It blocks: never on a worker's thread.
 */
#ifndef SLUICE_CLIENTS_HTTP_ASK_H
#define SLUICE_CLIENTS_HTTP_ASK_H

#include <stdint.h>

#include "lib/buf.h"

/* A parameter of the query. */
struct http_ask_parameter {
	const char *name;  /* needs no encoding */
	const char *value; /* any text; NULL = the parameter is left out */
};

struct http_ask {
	const char *method;
	const char
	    *base; /* http or https URL, without a query; slashes at its end do not matter. Or "unix:" and a path */
	const char *path; /* behind it, begins with a slash */
	const struct http_ask_parameter *parameters;
	size_t parameter_count;
	uint64_t timeout_ms; /* for all of it */
};

/*
 * Sends the request without a body and appends the answer's to body. Redirects are not followed. The HTTP status; 0
 * when no complete answer came, with why as text in *error (static, or valid until the thread's next call).
 */
int http_ask(const struct http_ask *ask, struct buf *body, const char **error);

#endif
