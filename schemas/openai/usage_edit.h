/* SPDX-License-Identifier: MIT */
/* The usage of a chunk, changed or taken out while the bytes around it stay. */
#ifndef SLUICE_SCHEMAS_OPENAI_USAGE_EDIT_H
#define SLUICE_SCHEMAS_OPENAI_USAGE_EDIT_H

#include "lib/buf.h"
#include "lib/json.h"
#include "schemas/openai/openai.h"

/*
 * Appends a chunk's data with the three counts of usage in place of its own; other members of its usage stay. False,
 * when the data has no usage object, or is no JSON object.
 */
bool openai_usage_replace(struct span data, const struct usage *usage, struct arena *scratch, struct buf *out);

/*
 * Appends what an engine put beside the usage of a chunk without choices (timings, …), for a client that did not ask
 * for usage: usage is null, and a choice without content stands in the empty list, since such clients read the first
 * one. json: the chunk's, an object. False when there is nothing beside it.
 */
bool openai_usage_hide(const struct json *json, enum endpoint endpoint, struct buf *out);

#endif
