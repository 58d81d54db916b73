/* SPDX-License-Identifier: MIT */
/* Refusals of requests that never become an exchange, in the error form that the client asked for. */
#ifndef SLUICE_SERVICE_REFUSE_H
#define SLUICE_SERVICE_REFUSE_H

#include "service/http/http_server.h"

struct refusal {
	enum error_code code;
	struct span message;         /* {NULL,0} = the error's own text */
	struct span param;           /* {NULL,0} = none */
	struct span details;         /* findings as a JSON array; {NULL,0} = none */
	struct span requested;       /* the model that it names, for the log; {NULL,0} = not known */
	const char *key;             /* id of the key that was shown in full, for the log; NULL = none */
	uint32_t key_number;         /* the same for metrics (key_metrics.h); 0 = none */
	unsigned retry_after_s;      /* value of the field Retry-After; 0 = none, or of a 503 its own */
	const char *allow;           /* value of the field Allow; NULL = none */
	const char *accept_encoding; /* value of the field Accept-Encoding; NULL = none */
	const char *upgrade;         /* value of the field Upgrade, HTTP/1.1 only; NULL = none */
};

/* Answers the request, counts and logs it. */
void refuse(struct http_request *request, struct metrics_cells *metrics, const struct refusal *refusal);

#endif
