/* SPDX-License-Identifier: MIT */
/* What the head of an answer says of limits: x-ratelimit-* as OpenAI's clients read them, and RateLimit-Policy and
 * RateLimit (draft-ietf-httpapi-ratelimit-headers). */
#ifndef SLUICE_SERVICE_EXCHANGE_LIMIT_FIELDS_H
#define SLUICE_SERVICE_EXCHANGE_LIMIT_FIELDS_H

#include "lib/http_field.h"
#include "service/quotas/bill.h"

enum { LIMIT_FIELDS = 8, LIMIT_TEXT_SIZE = 1024 };

/* Fields of a head, with their text. */
struct limit_fields {
	size_t count;
	struct http_field list[LIMIT_FIELDS];
	char text[LIMIT_TEXT_SIZE];
};

/* Writes how the limits of the bill stand; what has no room is left out. */
void limit_fields_write(struct limit_fields *fields, struct bill *bill);

#endif
