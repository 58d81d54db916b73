/* SPDX-License-Identifier: MIT */
/* The OpenAPI 3.1 document of the service, made from the field tables and the error table. */
#ifndef SLUICE_SCHEMAS_OPENAPI_H
#define SLUICE_SCHEMAS_OPENAPI_H

#include "lib/buf.h"

/* Appends the document as indented JSON with a final newline. */
void openapi_write(struct buf *out);

#endif
