/* SPDX-License-Identifier: MIT */
/*
 * The OpenAPI 3.1 document: its frame. Operations, answers, schemas and samples have files of their own, which are
 * the only ones that know cJSON: the document is made once, off every hot path.
 */
#include "schemas/openapi.h"

#include <pthread.h>

#include "schemas/openapi_internal.h"

enum { DOCUMENT_CEILING = 16 * 1024 * 1024 /* bytes */ };

static const char about[] =
    "An AI-inference gateway that speaks OpenAI's dialect: clients ask for models, and Sluice asks the backends that "
    "the plan of a model names.\n\n"
    "Errors come in OpenAI's form, `{\"error\": {…}}`; clients that name `application/problem+json` in "
    "Accept get them as RFC 9457 has it. `code` tells them apart, and `x-should-retry` whether "
    "another attempt makes sense. A member that is null counts as absent where it is not required. HEAD works "
    "wherever GET does, and OPTIONS everywhere.\n\n"
    "Public listeners serve the API; what operators need, this document among it, is served by an admin listener with "
    "an address of its own.";

static const char about_keys[] = "A key of the gateway, where its configuration asks for keys; it is not forwarded to "
				 "backends. Where it does not, any key or none will do.";

static void add_info(struct openapi *document)
{
	cJSON *info = openapi_add_object(document, document->root, "info");
	openapi_add_text(document, info, "title", "Sluice");
	openapi_add_text(document, info, "version", SLUICE_VERSION);
	openapi_add_text(document, info, "summary", "An AI-inference gateway.");
	openapi_add_text(document, info, "description", about);
	openapi_add_text(document, openapi_add_object(document, info, "contact"), "name", "Whoever runs this service");
	cJSON *license = openapi_add_object(document, info, "license");
	openapi_add_text(document, license, "name", "MIT License");
	openapi_add_text(document, license, "identifier", "MIT");
}

void openapi_add_server(struct openapi *document, cJSON *parent, const char *url, const char *description)
{
	cJSON *servers = openapi_add_array(document, parent, "servers");
	cJSON *server = openapi_add_object(document, servers, NULL);
	openapi_add_text(document, server, "url", url);
	openapi_add_text(document, server, "description", description);
}

static void add_tags(struct openapi *document)
{
	cJSON *tags = openapi_add_array(document, document->root, "tags");
	for (const struct operation_tag *tag = operation_tags; tag->name != NULL; tag++) {
		cJSON *added = openapi_add_object(document, tags, NULL);
		openapi_add_text(document, added, "name", tag->name);
		openapi_add_text(document, added, "description", tag->doc);
	}
}

static void add_header_scheme(struct openapi *document, const char *name, const char *field)
{
	cJSON *scheme = openapi_add_component(document, "securitySchemes", name);
	openapi_add_text(document, scheme, "type", "apiKey");
	openapi_add_text(document, scheme, "in", "header");
	openapi_add_text(document, scheme, "name", field);
	openapi_add_text(document, scheme, "description", about_keys);
}

static void add_security_schemes(struct openapi *document)
{
	cJSON *bearer = openapi_add_component(document, "securitySchemes", "bearer");
	openapi_add_text(document, bearer, "type", "http");
	openapi_add_text(document, bearer, "scheme", "bearer");
	openapi_add_text(document, bearer, "description", about_keys);
	add_header_scheme(document, "x_api_key", "x-api-key");
	add_header_scheme(document, "api_key", "api-key");
}

static void build(struct openapi *document)
{
	document->root = cJSON_CreateObject();
	openapi_add_text(document, document->root, "openapi", "3.1.0");
	add_info(document);
	openapi_add_server(document, document->root, OPENAPI_SERVER,
			   "The public listener of the local demonstration, as `make run` starts it.");
	add_tags(document);
	cJSON *paths = openapi_add_object(document, document->root, "paths");
	document->components = openapi_add_object(document, document->root, "components");
	add_security_schemes(document);
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		openapi_add_operation(document, paths, operation_row(operation));
}

/* cJSON indents with tabs, which it writes nowhere else; parsers of YAML want none. */
static void write_untabbed(struct buf *out, const char *text)
{
	bool indents = false;
	while (*text != '\0') {
		size_t len = strcspn(text, "\t");
		buf_append(out, (struct span){text, len});
		indents = len > 0 ? text[len - 1] == '\n' : indents;
		text += len;
		if (*text == '\0')
			break;
		buf_append(out, indents ? SPAN("  ") : SPAN(" "));
		text++;
	}
	buf_append(out, SPAN("\n"));
}

void openapi_write(struct buf *out)
{
	struct openapi document = {.failed = false};
	struct buf untabbed;
	buf_init(&untabbed, DOCUMENT_CEILING);
	build(&document);
	char *text = document.failed ? NULL : cJSON_Print(document.root);
	if (text != NULL)
		write_untabbed(&untabbed, text);
	if (text == NULL || buf_failed(&untabbed))
		out->failed = true;
	else
		buf_append(out, buf_span(&untabbed));
	cJSON_free(text);
	cJSON_Delete(document.root);
	buf_fini(&untabbed);
}

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf kept = {.ceiling = DOCUMENT_CEILING};

struct span openapi_document(void)
{
	struct span document = {NULL, 0};
	pthread_mutex_lock(&kept_lock);
	if (buf_len(&kept) == 0) {
		buf_reset(&kept); /* a failure before is forgotten */
		openapi_write(&kept);
	}
	if (!buf_failed(&kept))
		document = buf_span(&kept);
	pthread_mutex_unlock(&kept_lock);
	return document;
}

void openapi_release(void)
{
	pthread_mutex_lock(&kept_lock);
	buf_fini(&kept);
	pthread_mutex_unlock(&kept_lock);
}
