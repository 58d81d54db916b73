/* SPDX-License-Identifier: MIT */
/* The client of an exchange: what answers go out by. service/http provides it for HTTP. */
#ifndef SLUICE_SERVICE_EXCHANGE_CLIENT_H
#define SLUICE_SERVICE_EXCHANGE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http_field.h"

struct bytes;

/* How an exchange answers. The client stays valid until finish or abort returned, or exchange_on_gone was called. */
struct exchange_client_ops {
	/* The response head; names are literals in lower case, values are copied. content_length: bytes, -1 = unknown.
	 */
	void (*head)(void *client, int status, const struct http_field *fields, size_t count, int64_t content_length);
	/* Body bytes, copied. False when out of memory. */
	bool (*write)(void *client, struct span bytes);
	/* Bytes the client has not taken yet. */
	size_t (*backlog)(const void *client);
	/* Whether that many wait, or fewer that are too many at present. True: exchange_on_drained is called later. */
	bool (*is_full)(void *client, size_t most);
	/* The response is complete. */
	void (*finish)(void *client);
	/* The response ends in a way that the client can see is not complete. */
	void (*abort)(void *client);
	/* Returns the request's body with one holder more; NULL: out of memory. Its bytes stay where they are. */
	struct bytes *(*hold_body)(void *client);
};

#endif
