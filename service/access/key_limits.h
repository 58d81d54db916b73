/* SPDX-License-Identifier: MIT */
/* The limits of a stored key, as JSON in the words of keys.*.limits: {"requests":"60/minute","concurrent":8}. */
#ifndef SLUICE_SERVICE_ACCESS_KEY_LIMITS_H
#define SLUICE_SERVICE_ACCESS_KEY_LIMITS_H

#include "config/quota.h"
#include "lib/json.h"

/* A value that is none. */
struct key_limits_wrong {
	const char *member;   /* of the object */
	int index;            /* of the list; -1 = the member itself */
	uint32_t node;        /* the value */
	const char *expected; /* what it must be */
};

/* Reads the object; numbers and lists are in the arena. False with *wrong; node JSON_NONE: out of memory. Members that
 * are not known are refused. */
bool key_limits_read(const struct json *json, uint32_t object, struct arena *arena, struct config_quota *limits,
		     struct key_limits_wrong *wrong);

#endif
