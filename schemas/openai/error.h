/* SPDX-License-Identifier: MIT */
/* The errors that backends report, in the several forms they use, and errors as clients receive them. */
#ifndef SLUICE_SCHEMAS_OPENAI_ERROR_H
#define SLUICE_SCHEMAS_OPENAI_ERROR_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "schemas/dialect.h"
#include "schemas/error_answer.h"

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

/*
 * Appends a backend's JSON error body with the member error.details = details (a JSON array) added; other bytes stay.
 * False, with nothing appended, when the body has no error object or one with details of its own.
 */
bool openai_error_add_details(struct span body, struct span details, struct arena *scratch, struct buf *out);

/* Appends {"message","type","param","code"}: the value of the member "error"; all four are always there. */
void openai_error_write_object(struct buf *out, const struct error_told *told);

/* Appends {"error":…}: the body of an error, or the data of an event that reports one. */
void openai_error_write(struct buf *out, const struct error_told *told);

#endif
