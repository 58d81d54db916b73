/* SPDX-License-Identifier: MIT */
/* Errors as clients of the OpenAI dialect receive them. */
#ifndef SLUICE_SCHEMAS_OPENAI_ERROR_WRITE_H
#define SLUICE_SCHEMAS_OPENAI_ERROR_WRITE_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "schemas/error_body.h"

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
