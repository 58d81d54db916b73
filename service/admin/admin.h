/* SPDX-License-Identifier: MIT */
/* What the service tells about itself: models, health, metrics, its contract. Each answer is made at once, in memory.
 */
#ifndef SLUICE_SERVICE_ADMIN_ADMIN_H
#define SLUICE_SERVICE_ADMIN_ADMIN_H

#include "config/config.h"
#include "lib/arena.h"
#include "lib/errors.h"
#include "lib/http_field.h"

enum { ADMIN_FIELDS_MAX = 4 };

struct admin_request {
	const struct config *config;
	struct span argument;        /* the last segment of the path, still percent-encoded */
	struct span query;           /* without '?' */
	struct span accept_encoding; /* the header field; {NULL,0} = absent */
	struct arena *arena;         /* lives until the answer was sent */
	bool draining;
};

struct admin_answer {
	enum error_code error; /* not ERROR_NONE: refused, the body is the message */
	struct span param;     /* of a refusal; {NULL,0} = none */
	struct span details;   /* of a refusal: its findings as a JSON array; {NULL,0} = none */
	int status;
	const char *content_type;
	struct http_field fields[ADMIN_FIELDS_MAX]; /* more header fields; borrowed until the answer was sent */
	size_t field_count;
	struct span constant; /* a body that lives as long as the process; {NULL,0} = body is it */
	struct buf body;
};

void admin_models(const struct admin_request *request, struct admin_answer *answer);
void admin_model(const struct admin_request *request, struct admin_answer *answer);
void admin_livez(const struct admin_request *request, struct admin_answer *answer);
void admin_readyz(const struct admin_request *request, struct admin_answer *answer);
void admin_docs(const struct admin_request *request, struct admin_answer *answer);
void admin_metrics(const struct admin_request *request, struct admin_answer *answer);
void admin_openapi(const struct admin_request *request, struct admin_answer *answer);

#endif
