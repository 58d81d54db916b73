/* SPDX-License-Identifier: MIT */
/*
 * Whether a JSON document that passes in pieces is whole: its brackets pair, its
 * strings end, and nothing follows it. Costs no memory and sees each byte once;
 * what stands between the brackets is not judged (lib/json.h does that).
 */
#ifndef SLUICE_LIB_JSON_SCAN_H
#define SLUICE_LIB_JSON_SCAN_H

#include <stdint.h>

#include "lib/span.h"

enum { JSON_SCAN_DEPTH = 256 };

/* Zero-initialise. */
struct json_scan {
	uint64_t objects[JSON_SCAN_DEPTH / 64]; /* bit per level: an object, else an array */
	unsigned depth;
	bool string;  /* inside a string */
	bool escaped; /* behind a backslash in it */
	bool begun;
	bool ended;
	bool broken; /* it is no JSON, whatever follows */
};

/* Takes the next piece. False once the document is broken. */
bool json_scan_add(struct json_scan *scan, struct span piece);

/* True when one object or array has ended, and only white space followed. */
bool json_scan_is_whole(const struct json_scan *scan);

#endif
