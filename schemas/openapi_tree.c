/* SPDX-License-Identifier: MIT */
/* Growing the document, value by value; openapi_internal.h holds the contract. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "schemas/openapi_internal.h"

/* Takes item. */
static cJSON *attach(struct openapi *document, cJSON *parent, const char *key, cJSON *item)
{
	bool added = false;
	if (!document->failed && item != NULL && parent != NULL)
		added = key == NULL ? cJSON_AddItemToArray(parent, item) : cJSON_AddItemToObject(parent, key, item);
	if (added)
		return item;
	cJSON_Delete(item);
	document->failed = true;
	return NULL;
}

cJSON *openapi_add_object(struct openapi *document, cJSON *parent, const char *key)
{
	return attach(document, parent, key, cJSON_CreateObject());
}

cJSON *openapi_add_array(struct openapi *document, cJSON *parent, const char *key)
{
	return attach(document, parent, key, cJSON_CreateArray());
}

void openapi_add_text(struct openapi *document, cJSON *parent, const char *key, const char *text)
{
	attach(document, parent, key, cJSON_CreateString(text));
}

void openapi_add_printf(struct openapi *document, cJSON *parent, const char *key, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	va_start(arguments, format);
	bool printed = vasprintf(&text, format, arguments) >= 0;
	va_end(arguments);
	attach(document, parent, key, printed ? cJSON_CreateString(text) : NULL);
	if (printed)
		free(text);
}

void openapi_add_buf(struct openapi *document, cJSON *parent, const char *key, const struct buf *text)
{
	if (buf_failed(text))
		attach(document, parent, key, NULL);
	else
		openapi_add_printf(document, parent, key, "%.*s", SPAN_ARG(buf_span(text)));
}

void openapi_add_number(struct openapi *document, cJSON *parent, const char *key, double number)
{
	attach(document, parent, key, cJSON_CreateNumber(number));
}

void openapi_add_bool(struct openapi *document, cJSON *parent, const char *key, bool value)
{
	attach(document, parent, key, cJSON_CreateBool(value));
}

void openapi_add_null(struct openapi *document, cJSON *parent, const char *key)
{
	attach(document, parent, key, cJSON_CreateNull());
}

void openapi_add_json(struct openapi *document, cJSON *parent, const char *key, const char *text)
{
	attach(document, parent, key, cJSON_Parse(text));
}

void openapi_add_reference(struct openapi *document, cJSON *parent, const char *key, const char *kind, const char *name)
{
	cJSON *reference = openapi_add_object(document, parent, key);
	openapi_add_printf(document, reference, "$ref", "#/components/%s/%s", kind, name);
}

cJSON *openapi_add_component(struct openapi *document, const char *kind, const char *name)
{
	cJSON *all = cJSON_GetObjectItemCaseSensitive(document->components, kind);
	if (all == NULL)
		all = openapi_add_object(document, document->components, kind);
	if (all == NULL || cJSON_GetObjectItemCaseSensitive(all, name) != NULL)
		return NULL;
	return openapi_add_object(document, all, name);
}
