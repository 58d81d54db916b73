/* SPDX-License-Identifier: MIT */
/* A request of one dialect on its way to a backend of another one. */
#ifndef SLUICE_SCHEMAS_TRANSLATION_H
#define SLUICE_SCHEMAS_TRANSLATION_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "schemas/dropped.h"
#include "schemas/request.h"

struct translation {
	const struct request *request;
	const struct request_splice *splice;
	int64_t
	    output_standard; /* tokens of an answer at most, where the dialect must be told and the client did not */
	struct arena *arena; /* of the paths, and scratch */
	struct buf *out;     /* the body is appended here */
	struct dropped *dropped; /* is added to */
};

#endif
