/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: stream ids that a client skipped. Opening a stream
 * closes all lower ids that were never opened (RFC 9113, section 5.1.1);
 * nghttp2 ignores a late use of one, because it cannot tell it from a stream
 * that was closed. This remembers which is which.
 */
#ifndef SLUICE_SERVICE_HTTP_H2_SKIPPED_H
#define SLUICE_SERVICE_HTTP_H2_SKIPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clients that count by two skip nothing; of those that do, the latest gaps are kept. */
enum { H2_SKIPPED_RANGES = 8 };

struct h2_skipped {
	int32_t last; /* highest id opened; 0 = none */
	struct {
		int32_t first, last;
	} ranges[H2_SKIPPED_RANGES];
	size_t next; /* the range to overwrite */
};

/* The client opened stream id. */
void h2_skipped_open(struct h2_skipped *skipped, int32_t id);

/* True when id was passed over and must not be used any more. */
bool h2_skipped_has(const struct h2_skipped *skipped, int32_t id);

#endif
