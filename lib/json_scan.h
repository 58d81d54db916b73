/* SPDX-License-Identifier: MIT */
/*
 * Watches a JSON document that passes in pieces. Finds out whether it is whole:
 * its brackets pair, its strings end, and nothing follows it. Reports brackets,
 * names and values to a callback. Needs no memory and sees each byte
 * once; does not validate names and values (lib/json.h does).
 */
#ifndef SLUICE_LIB_JSON_SCAN_H
#define SLUICE_LIB_JSON_SCAN_H

#include <stdint.h>

#include "lib/span.h"

enum { JSON_SCAN_DEPTH = 256, JSON_SCAN_STRING = 96 };

enum json_scan_token {
	JSON_SCAN_OPEN_OBJECT, /* depth: the one outside */
	JSON_SCAN_OPEN_ARRAY,
	JSON_SCAN_CLOSE, /* depth: the one outside */
	JSON_SCAN_NAME,  /* of a member; its value comes next */
	JSON_SCAN_TEXT,  /* a string that is a value */
	JSON_SCAN_OTHER, /* the first byte of a number, true, false or null that is a member's value: first */
};

/* Zero-initialise. */
struct json_scan {
	uint64_t objects[JSON_SCAN_DEPTH / 64]; /* bit per level: an object, else an array */
	unsigned depth;
	bool string;  /* inside a string */
	bool escaped; /* after a backslash in it */
	bool begun;
	bool ended;
	bool broken;                 /* it is no JSON, whatever follows */
	bool value;                  /* after a colon: a member's value comes */
	char text[JSON_SCAN_STRING]; /* how the last string begins, as it is written */
	size_t text_len;             /* bytes of the whole string; above JSON_SCAN_STRING: text has its beginning */
	char first;                  /* with JSON_SCAN_OTHER */
	void (*on_token)(struct json_scan *scan, enum json_scan_token token); /* NULL = nobody asks */
};

/* Takes the next piece. False once the document is broken. */
bool json_scan_add(struct json_scan *scan, struct span piece);

/* True when one object or array has ended, and only white space followed. */
bool json_scan_is_whole(const struct json_scan *scan);

#endif
