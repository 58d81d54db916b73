/* SPDX-License-Identifier: MIT */
/* The errors that backends report, in the several forms they use. */
#ifndef SLUICE_SCHEMAS_OPENAI_ERROR_READ_H
#define SLUICE_SCHEMAS_OPENAI_ERROR_READ_H

#include "lib/arena.h"
#include "lib/json.h"
#include "schemas/dialect.h"

/*
 * Reads the body of an error: {"error":{…}}, {"error":"…"}, the members of an error at the top (vLLM, SGLang),
 * FastAPI's "detail" (a string, an object or a list, whose places are named), problem+json, a list of errors, a JSON
 * string, the same as the data of a server-sent event, or plain text. False when it says nothing.
 */
bool openai_error_read(struct span body, struct arena *arena, struct backend_error *error);

/* Reads the value of a member "error" of the object at 0. */
void openai_error_read_member(const struct json *json, uint32_t value, struct arena *arena,
			      struct backend_error *error);

/*
 * Reads the object at 0 of an answer without choices, under a 200, when it is an error without a member "error":
 * {"object":"error","message":…}, {"detail":…}, {"code":1102,"msg":…}. False when it is none.
 */
bool openai_error_read_bare(const struct json *json, struct arena *arena, struct backend_error *error);

#endif
