/* SPDX-License-Identifier: MIT */
/* What the HTTP/1.1 client has sent, read back as a request for the record. */
#ifndef SLUICE_TESTS_HARNESS_H1_REQUEST_H
#define SLUICE_TESTS_HARNESS_H1_REQUEST_H

#include <stdbool.h>

#include "tests/scenario/harness/bytes.h"

struct h1_request {
	struct bytes method;
	struct bytes path;
	struct bytes head; /* lines "name: value\n", names in lower case */
	struct bytes body; /* all that was sent when it is malformed */
	bool whole;
	bool malformed;
};

/*
 * Takes the first request out of sent, complete or not. What a strict reader
 * can't read takes everything and is malformed. h1_request_free frees it.
 */
void h1_request_take(struct bytes *sent, struct h1_request *request);
void h1_request_free(struct h1_request *request);

#endif
