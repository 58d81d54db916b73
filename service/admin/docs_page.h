/* SPDX-License-Identifier: MIT */
/* The files of the docs page, which web/docs/build.sh compressed and the build put into the program. */
#ifndef SLUICE_SERVICE_ADMIN_DOCS_PAGE_H
#define SLUICE_SERVICE_ADMIN_DOCS_PAGE_H

#include "lib/buf.h"

struct docs_file {
	const char *name; /* below /docs/; "" = the page itself */
	const char *media_type;
	struct span gzip; /* empty = the program was built without the page */
};

/* NULL = there is no such file. */
const struct docs_file *docs_page_find(struct span name);

/* Appends the file as it was before it was compressed. False when out of memory. */
bool docs_page_inflate(const struct docs_file *file, struct buf *out);

#endif
