/* SPDX-License-Identifier: MIT */
/* Requests that caches keep the answers of, and whether an answer is the simulator's own, in either form. */
#ifndef SLUICE_TESTS_HARNESS_CACHED_H
#define SLUICE_TESTS_HARNESS_CACHED_H

#include "tests/scenario/harness/sluice.h"

/* What the model "count;tokens=20" says. */
enum { CACHED_TOKENS = 20, CACHED_BODY_MOST = 1024 };

/* What makes a request deterministic, among its members. */
#define CACHED_ZERO ",\"temperature\":0"

/* A chat request; members: more of them, each with a comma in front. Static: four at once. */
const char *cached_body(const char *model, bool stream, const char *members);

/* One chat over HTTP/1.1 with more header lines. The caller frees the answer. */
void cached_ask(const struct sluice *sluice, const char *headers, const char *body, struct answer *answer);

/* Asks a model for its deterministic answer until Cache-Status has that in it; each answer is the simulator's own. */
void cached_ask_until(const struct sluice *sluice, const char *headers, const char *model, bool stream,
		      const char *wanted);

/* Fails unless it is the simulator's whole answer, complete. */
void cached_check(const struct answer *answer, bool stream);
void cached_check_whole(const struct answer *answer);
void cached_check_stream(const struct answer *answer);

/* Fails unless Cache-Status begins so. */
void cached_check_status(const struct answer *answer, const char *want);

#endif
