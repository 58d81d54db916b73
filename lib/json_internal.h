/* SPDX-License-Identifier: MIT */
/* What the files of the JSON reader share; nobody else includes this. */
#ifndef SLUICE_LIB_JSON_INTERNAL_H
#define SLUICE_LIB_JSON_INTERNAL_H

#include "lib/json.h"

/* Why and where a scan stopped. what is static. */
struct json_fault {
	const char *what;
	const unsigned char *at;
};

/*
 * Scans a string; at points behind its opening quote. Returns the byte behind
 * the closing quote, or NULL with *fault filled. relaxed: see json_parse_relaxed().
 */
const unsigned char *json_scan_string(const unsigned char *at, const unsigned char *end, bool relaxed, bool *escaped,
				      struct json_fault *fault);

/* Scans a number that starts at at. Returns the byte behind it, or NULL with *fault filled. */
const unsigned char *json_scan_number(const unsigned char *at, const unsigned char *end, bool *integer,
				      struct json_fault *fault);

/* True when a scanned number with fraction or exponent is one that a double can hold. */
bool json_number_is_finite(struct span raw);

/* The decoded bytes of a scanned string, one by one. */
struct json_bytes {
	const unsigned char *at;
	const unsigned char *end;
	unsigned char pending[4]; /* the decoded form of one escape */
	unsigned char have;
	unsigned char used;
};

/* Starts over the string at node. */
struct json_bytes json_bytes_of(const struct json *json, uint32_t node);

/* The next decoded byte, or -1 at the end. */
int json_bytes_next(struct json_bytes *bytes);

enum json_unique { JSON_UNIQUE, JSON_DUPLICATE, JSON_UNKNOWN };

/*
 * Looks for two members of one name in the object whose keys start behind node
 * object. JSON_DUPLICATE: *key is the later one. JSON_UNKNOWN: out of memory.
 */
enum json_unique json_find_duplicate(const struct json *json, uint32_t object, uint32_t *key);

#endif
