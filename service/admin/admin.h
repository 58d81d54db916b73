/* SPDX-License-Identifier: MIT */
/* What the service tells about itself: models, health, metrics. Each answer is made at once, in memory. */
#ifndef SLUICE_SERVICE_ADMIN_ADMIN_H
#define SLUICE_SERVICE_ADMIN_ADMIN_H

#include "config/config.h"
#include "lib/errors.h"

struct admin_request {
	const struct config *config;
	struct span argument; /* the last segment of the path, still percent-encoded */
	bool draining;
};

struct admin_answer {
	enum error_code error; /* not ERROR_NONE: refused, the body is the message */
	int status;
	const char *content_type;
	struct buf body;
};

void admin_models(const struct admin_request *request, struct admin_answer *answer);
void admin_model(const struct admin_request *request, struct admin_answer *answer);
void admin_livez(const struct admin_request *request, struct admin_answer *answer);
void admin_readyz(const struct admin_request *request, struct admin_answer *answer);
void admin_metrics(const struct admin_request *request, struct admin_answer *answer);

#endif
