/* SPDX-License-Identifier: MIT */
/* The docs page's files, compressed as they were built in. */
#include "service/admin/docs_page.h"

#include "lib/gunzip.h"

enum { FILE_BYTES_MOST = 64 << 20 };

/* Each .inc holds the bytes of one compressed file, of none where the page was left out. */
static const unsigned char index_html[] = {
#include "web/docs/index.html.inc"
};
static const unsigned char docs_css[] = {
#include "web/docs/docs.css.inc"
};
static const unsigned char docs_js[] = {
#include "web/docs/docs.js.inc"
};
static const unsigned char swagger_ui_css[] = {
#include "web/docs/swagger-ui.css.inc"
};
static const unsigned char swagger_ui_bundle_js[] = {
#include "web/docs/swagger-ui-bundle.js.inc"
};

#define GZIP(bytes)                                      \
	{                                                \
		(const char *)(bytes), sizeof(bytes) - 1 \
	}

static const struct docs_file files[] = {
    {"", "text/html; charset=utf-8", GZIP(index_html)},
    {"docs.css", "text/css; charset=utf-8", GZIP(docs_css)},
    {"docs.js", "text/javascript; charset=utf-8", GZIP(docs_js)},
    {"swagger-ui.css", "text/css; charset=utf-8", GZIP(swagger_ui_css)},
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8", GZIP(swagger_ui_bundle_js)},
};

const struct docs_file *docs_page_find(struct span name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (span_is(name, files[i].name))
			return &files[i];
	return NULL;
}

bool docs_page_inflate(const struct docs_file *file, struct buf *out)
{
	return gunzip(file->gzip, FILE_BYTES_MOST, out) == GUNZIP_DONE;
}
