/* SPDX-License-Identifier: MIT */
/* The OpenAPI 3.1 document of the service, made from the tables of operations, fields and errors. */
#ifndef SLUICE_SCHEMAS_OPENAPI_H
#define SLUICE_SCHEMAS_OPENAPI_H

#include "lib/buf.h"

/* Appends the document as indented JSON with a final newline. Out of memory: marks the buffer failed, appends nothing.
 */
void openapi_write(struct buf *out);

/*
 * The same document, made on first use and kept; any thread may call. It lives until openapi_release(). {NULL,0}
 * when out of memory: the next call tries again.
 */
struct span openapi_document(void);

/* Frees what openapi_document() keeps. Nobody may hold it any more. */
void openapi_release(void);

#endif
