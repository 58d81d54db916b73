/* SPDX-License-Identifier: MIT */
/*
 * An HTTP answer as it arrived, the same shape for both HTTP versions: head,
 * body, and the pieces the body came in (HTTP/1.1 chunks or DATA frames).
 */
#ifndef SLUICE_TESTS_HARNESS_ANSWER_H
#define SLUICE_TESTS_HARNESS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/scenario/harness/bytes.h"

struct piece {
	size_t offset; /* in the body */
	size_t len;
	uint64_t at_us; /* when it was complete */
};

struct answer {
	int status;        /* 0 until the head arrived */
	struct bytes head; /* lines "name: value\n", names in lower case */
	struct bytes body;
	struct piece *pieces;
	size_t piece_count;
	bool ended;          /* complete by its own framing */
	bool broken;         /* the connection or stream ended before that */
	uint32_t reset_code; /* of RST_STREAM, when that broke it */
};

void answer_free(struct answer *answer);

/* Adds a header line; lower-cases the name. */
void answer_add_header(struct answer *answer, const char *name, size_t name_len, const char *value, size_t value_len);
void answer_add_piece(struct answer *answer, size_t offset, size_t len);

/* The value of the only header of that name, NULL when absent; fails the test when there are two. The caller frees. */
char *answer_header(const struct answer *answer, const char *name);

/* Fails unless the header is there with that value; value NULL: unless it is absent. */
void check_header(const struct answer *answer, const char *name, const char *value);

/* Fails unless status and code match an error in OpenAI's shape with all four members. */
void check_error(const struct answer *answer, int status, const char *code);

/* Fails unless status and code match problem details (RFC 9457) that tell the answer's own x-request-id. */
void check_problem(const struct answer *answer, int status, const char *code);

#endif
