/* SPDX-License-Identifier: MIT */
/* GET /docs and its files: the contract as a page that needs no other server. */
#include "service/admin/admin.h"
#include "service/admin/docs_page.h"

#include "lib/media_type.h"

/* The page loads from and asks nobody but this service. */
#define CONTENT_SECURITY_POLICY                                                                               \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static void docs_add(struct admin_answer *answer, struct span name, struct span value)
{
	answer->fields[answer->field_count++] = (struct http_field){name, value};
}

static void docs_refuse(struct admin_answer *answer, const char *message)
{
	answer->error = ERROR_NOT_FOUND;
	buf_append(&answer->body, span_of(message));
}

void admin_docs(const struct admin_request *request, struct admin_answer *answer)
{
	const struct docs_file *file = docs_page_find(request->argument);
	if (file == NULL) {
		docs_refuse(answer, "The docs page has no such file.");
		return;
	}
	if (file->gzip.len == 0) {
		docs_refuse(answer,
			    "This program was built without the docs page, which needs npm; /openapi.json is there.");
		return;
	}
	answer->content_type = file->media_type;
	docs_add(answer, SPAN("content-security-policy"), SPAN(CONTENT_SECURITY_POLICY));
	docs_add(answer, SPAN("x-content-type-options"), SPAN("nosniff"));
	docs_add(answer, SPAN("vary"), SPAN("accept-encoding"));
	if (media_type_accepted(request->accept_encoding, "gzip")) {
		docs_add(answer, SPAN("content-encoding"), SPAN("gzip"));
		answer->constant = file->gzip;
	} else if (!docs_page_inflate(file, &answer->body)) {
		answer->error = ERROR_OVERLOADED;
	}
}
