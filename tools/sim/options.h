/* SPDX-License-Identifier: MIT */
/* The command line. Strings point into argv and live as long as the process. */
#ifndef SLUICE_TOOLS_SIM_OPTIONS_H
#define SLUICE_TOOLS_SIM_OPTIONS_H

#include <netinet/in.h>

#include "tools/sim/knobs.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} socket;
	socklen_t len; /* 0 = none */
};

struct options {
	struct address listen;
	struct address control; /* a second listener that is never closed; may be none */
	const char *name;       /* in ids and system_fingerprint */
	const char *models;     /* comma-separated */
	const char *api_key;    /* NULL = none needed */
	uint64_t seed;
	struct knobs defaults;
};

enum options_result { OPTIONS_RUN, OPTIONS_EXIT, OPTIONS_BAD };

/* Parses argv; prints help and version on stdout, errors on stderr. */
enum options_result options_parse(struct options *options, int argc, char **argv);

/* "127.0.0.1:9001" or "[::1]:9001". False when it is neither. */
bool address_parse(struct address *address, const char *text);

/* Prints an address into text; returns text. */
const char *address_text(const struct address *address, char *text, size_t size);

#endif
