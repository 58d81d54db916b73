/* SPDX-License-Identifier: MIT */
/*
 * What the files that make the OpenAPI document share; nobody else includes this.
 * Everything is attached to the document as soon as it is made, and a failure is
 * sticky: from the first one on nothing is added, and the document is worth nothing.
 */
#ifndef SLUICE_SCHEMAS_OPENAPI_INTERNAL_H
#define SLUICE_SCHEMAS_OPENAPI_INTERNAL_H

#include <cjson/cJSON.h>

#include "lib/buf.h"
#include "schemas/operations.h"

/* Where the demonstration listens, for clients and for operators: what examples call. */
#define OPENAPI_SERVER "http://127.0.0.1:8080"
#define OPENAPI_ADMIN_SERVER "http://127.0.0.1:9090"

struct openapi {
	cJSON *root;
	cJSON *components;
	bool failed; /* out of memory, or a table holds JSON text that is none */
};

/*
 * Each adds one value to parent: the member key of an object, or with key NULL the next element of an array. The
 * document owns it. Containers are returned, NULL after a failure; parent NULL is a failure, too.
 */
cJSON *openapi_add_object(struct openapi *document, cJSON *parent, const char *key);
cJSON *openapi_add_array(struct openapi *document, cJSON *parent, const char *key);
void openapi_add_text(struct openapi *document, cJSON *parent, const char *key, const char *text);
void openapi_add_printf(struct openapi *document, cJSON *parent, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void openapi_add_buf(struct openapi *document, cJSON *parent, const char *key, const struct buf *text);
void openapi_add_number(struct openapi *document, cJSON *parent, const char *key, double number);
void openapi_add_bool(struct openapi *document, cJSON *parent, const char *key, bool value);
void openapi_add_null(struct openapi *document, cJSON *parent, const char *key);

/* text: JSON, as tables have it. */
void openapi_add_json(struct openapi *document, cJSON *parent, const char *key, const char *text);

/* {"$ref": "#/components/KIND/NAME"} */
void openapi_add_reference(struct openapi *document, cJSON *parent, const char *key, const char *kind,
			   const char *name);

/* The object components.KIND.NAME, new and empty; NULL when it is there already, or after a failure. */
cJSON *openapi_add_component(struct openapi *document, const char *kind, const char *name);

/* A reference to the schema of a table, which is added when it is not there. */
void openapi_add_table(struct openapi *document, cJSON *parent, const char *key, const struct field_table *table);

/* The schema of a value; nullable: null is fine, too. */
void openapi_add_field(struct openapi *document, cJSON *parent, const char *key, const struct field *field,
		       bool nullable);

/* "servers" of the document or of an operation: one. */
void openapi_add_server(struct openapi *document, cJSON *parent, const char *url, const char *description);

/* paths.PATH.METHOD of an operation. */
void openapi_add_operation(struct openapi *document, cJSON *paths, const struct operation_row *row);

/* "responses" of an operation. */
void openapi_add_responses(struct openapi *document, cJSON *operation, const struct operation_row *row);

/* "x-codeSamples" of an operation: curl, Python and JavaScript. */
void openapi_add_samples(struct openapi *document, cJSON *operation, const struct operation_row *row);

#endif
