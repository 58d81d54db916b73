/* SPDX-License-Identifier: MIT */
/* Errors of the Anthropic dialect: {"type":"error","error":{"type","message"},"request_id"}. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_ERROR_WRITE_H
#define SLUICE_SCHEMAS_ANTHROPIC_ERROR_WRITE_H

#include "schemas/error_body.h"

/* Appends the body of an error, or the data of an event that reports one. */
void anthropic_error_write(struct buf *out, const struct error_told *told);
/* Returns the status that an error's type stands for; 0: the type is not known. */
int anthropic_error_status(struct span type);
/* Appends the error object alone. */
void anthropic_error_write_object(struct buf *out, const struct error_told *told);

#endif
