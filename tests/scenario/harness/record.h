/* SPDX-License-Identifier: MIT */
/*
 * The log of every exchange a client of the harness had with a gateway: one JSON
 * line each, appended to the file that SLUICE_RECORD names, in a single write, so
 * that many programs may share one file. tests/conformance judges it against the
 * OpenAPI document. Without SLUICE_RECORD nothing is kept and nothing is written.
 *
 * Left out on purpose: what is said to simulators and scripted backends, the
 * thousands of alike exchanges of the mass client, and bare HTTP/2 frames.
 */
#ifndef SLUICE_TESTS_HARNESS_RECORD_H
#define SLUICE_TESTS_HARNESS_RECORD_H

#include "tests/scenario/harness/answer.h"

/* Longer bodies are recorded as their length and hash. Bytes. */
enum { RECORD_BODY_MOST = 256 << 10 };

struct record {
	const char *http_version; /* "1.1" or "2" */
	const char *method;       /* "" when the request can't be read: malformed */
	const char *path;         /* with its query */
	const struct bytes *head; /* lines "name: value\n", names in lower case */
	const struct bytes *body;
	bool request_whole; /* all of its body was sent */
	bool malformed;     /* not HTTP: body holds the bytes as they were sent */
	bool client_left;   /* the client ended the exchange before the answer was complete */
	const struct answer *answer;
};

/* From now on, clients of that port are recorded. */
void record_service(int port);

/* Whether clients of that port are recorded. */
bool record_wanted(int port);

void record_write(const struct record *record);

#endif
