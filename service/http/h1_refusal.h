/* SPDX-License-Identifier: MIT */
/* Inside of service/http: whole refusals as text, for clients whose request is not read. */
#ifndef SLUICE_SERVICE_HTTP_H1_REFUSAL_H
#define SLUICE_SERVICE_HTTP_H1_REFUSAL_H

#include "lib/buf.h"
#include "lib/errors.h"

/* Appends an HTTP/1.1 response that refuses with that error, in OpenAI's form, and closes. False: out of memory. */
bool h1_refusal_write(struct buf *out, enum error_code code);

#endif
