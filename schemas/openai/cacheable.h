/* SPDX-License-Identifier: MIT */
/*
 * Which requests may be answered from a cache, and the form in which they are
 * compared. Nothing is guessed: a request counts as deterministic when it says so
 * itself, and every member counts but those whose rows are idle.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_CACHEABLE_H
#define SLUICE_SCHEMAS_OPENAI_CACHEABLE_H

#include "lib/buf.h"
#include "schemas/openai/request.h"

/* Whether an answer may be kept and given again, if the request is contained. Never OUTSIDE. request: validated. */
enum request_caching openai_request_caching(const struct request *request);

/* Returns true when the request refers to nothing outside of it (schemas/field_contained.h): else it is OUTSIDE. */
bool openai_request_is_contained(const struct request *request);

/* Returns whether answers may be told in another form than they came in; sound and the prompt's log probabilities would
 * be lost. */
bool openai_request_is_convertible(const struct request *request);

/* True when the client means the same request to have the same answer: temperature is 0, or there is a seed. */
bool openai_request_is_repeatable(const struct request *request);

/*
 * True when a whole answer of chat or completions may be kept: it tells no error, and every choice has a finish_reason,
 * which is stop, or with any another one than content_filter.
 */
bool openai_answer_is_keepable(const struct json *json, bool any);

/*
 * Appends the body in canonical form (lib/json_canonical.h) without idle members. Failures are the buffer's and the
 * arena's sticky ones.
 */
void openai_request_write_canonical(const struct request *request, struct arena *scratch, struct buf *out);

#endif
