/* SPDX-License-Identifier: MIT */
/*
 * Errors as clients receive them: in the form of a dialect, or as problem+json (RFC 9457). The codes, their statuses
 * and texts are those of lib/errors.def.
 */
#ifndef SLUICE_SCHEMAS_ERROR_BODY_H
#define SLUICE_SCHEMAS_ERROR_BODY_H

#include "lib/buf.h"
#include "lib/errors.h"

struct dialect;

/* How an error is written before the head of an answer was sent. */
enum error_form {
	ERROR_FORM_DIALECT, /* as the client's dialect writes errors */
	ERROR_FORM_PROBLEM  /* type, title, status, detail; request_id, code, param and details as extensions */
};

/* The content of one error. */
struct error_told {
	enum error_code code;
	int status;             /* of the answer; 0 = the row's */
	struct span message;    /* {NULL,0} = the row's text */
	struct span param;      /* {NULL,0} = null */
	struct span details;    /* more findings, a JSON array; {NULL,0} = none, the member is then left out */
	struct span request_id; /* problem form only; {NULL,0} = left out */
};

/* Returns the media type of a form. */
const char *error_media_type(enum error_form form);

/* Appends the body of an error. dialect: the client's; NULL = none is known yet, and the default one is used. */
void error_write(struct buf *out, enum error_form form, const struct dialect *dialect, const struct error_told *told);

/* Returns the message, or the text of the code's row. */
struct span error_message(const struct error_told *told);

/* Appends ,"param":…,"code":… and, if there are any, ,"details":…: members that all forms have. */
void error_write_members(struct buf *out, const struct error_told *told);

/* Appends the reference of all errors as Markdown (sluice --describe errors). */
void error_describe(struct buf *out);

#endif
