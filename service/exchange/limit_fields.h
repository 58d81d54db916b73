/* SPDX-License-Identifier: MIT */
/* What the head of an answer says of limits: x-ratelimit-* as OpenAI's clients read them, and RateLimit-Policy and
 * RateLimit (draft-ietf-httpapi-ratelimit-headers). */
#ifndef SLUICE_SERVICE_EXCHANGE_LIMIT_FIELDS_H
#define SLUICE_SERVICE_EXCHANGE_LIMIT_FIELDS_H

#include "lib/http_field.h"
#include "service/quotas/bill.h"

enum { LIMIT_FIELDS = 8 };

/* Fields of a head. */
struct limit_fields {
	size_t count;
	struct http_field list[LIMIT_FIELDS]; /* values: text, or the bill's */
	char text[];
};

/* Returns how the limits of the bill stand, which is held as long as the fields are used. The caller frees them; NULL =
 * none is told, or memory ran out. */
struct limit_fields *limit_fields_create(struct bill *bill);

#endif
