/* SPDX-License-Identifier: MIT */
/* Operations: what one asks for. Their answers are in openapi_answer.c. */
#include <ctype.h>

#include "schemas/dialect.h"
#include "schemas/openapi_internal.h"

enum { METHOD_SIZE = 16 };

static bool does_revalidate(const struct operation_row *row)
{
	return row->revalidates;
}

static bool has_other_form(const struct operation_row *row)
{
	return row->other != NULL;
}

static bool asks_for_chats(const struct operation_row *row)
{
	return row->endpoint == ENDPOINT_CHAT;
}

/* Header fields of requests. Any value is fine: one that can't be used is as if it were not there. */
static const struct request_header {
	const char *name;
	unsigned scope;                                  /* the operations that read it: ERROR_ON_* */
	bool (*is_for)(const struct operation_row *row); /* only those of them; NULL = all */
	const char *example;
	const char *doc;
} request_headers[] = {
    {"x-request-id", ERROR_ON_EVERYWHERE, NULL, "order-4711",
     "An id for the request, to be found in logs and in the answer; Sluice makes one when it is absent, longer than "
     "128 characters, or not printable ASCII."},
    {"traceparent", ERROR_ON_INFERENCE, NULL, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
     "The trace that this request is part of (W3C Trace Context). It is continued to the backend; a new one is begun "
     "when it is absent or not valid."},
    {"x-stainless-timeout", ERROR_ON_INFERENCE, NULL, "600",
     "After how many whole seconds the client gives up, as the OpenAI SDKs tell it: the request waits no longer than "
     "that for a place at a backend. Calls that run are not cut short by it."},
    {"x-stainless-retry-count", ERROR_ON_INFERENCE, NULL, "0",
     "How often the client has repeated this request before, as the OpenAI SDKs tell it. It is told to the backend, "
     "with the repetitions of Sluice added."},
    {"if-none-match", ERROR_ON_EVERYWHERE, does_revalidate, "\"1b2cf535f27731c9\"",
     "The ETag of the answer that the client has: 304 comes when it is still the same."},
    {"cache-control", ERROR_ON_INFERENCE, does_revalidate, "no-cache",
     "What the cache may do: no-cache (ask a backend), no-store (and keep nothing), max-age=SECONDS, only-if-cached."},
    {"anthropic-version", ERROR_ON_EVERYWHERE, has_other_form, "2023-06-01",
     "Sent by clients of Anthropic's API, whatever its value: answers and errors have the form that they read."},
    {"x-sluice-lossy", ERROR_ON_INFERENCE, asks_for_chats, "refuse",
     "refuse: a target that cannot be told all of the request is not asked; when there is no other one, the answer is "
     "400, which names what that is. Without it that is as the configuration says (dialects.lossy)."},
};

static bool is_read(const struct request_header *header, const struct operation_row *row)
{
	return (header->scope & operation_error_scope(row)) != 0 && (header->is_for == NULL || header->is_for(row));
}

static void need_header_parameter(struct openapi *document, const struct request_header *header)
{
	cJSON *parameter = openapi_add_component(document, "parameters", header->name);
	if (parameter == NULL)
		return;
	openapi_add_text(document, parameter, "name", header->name);
	openapi_add_text(document, parameter, "in", "header");
	openapi_add_text(document, parameter, "description", header->doc);
	openapi_add_text(document, openapi_add_object(document, parameter, "schema"), "type", "string");
	openapi_add_text(document, parameter, "example", header->example);
}

static void add_parameter(struct openapi *document, cJSON *parameters, const struct field *field, const char *where)
{
	cJSON *parameter = openapi_add_object(document, parameters, NULL);
	openapi_add_text(document, parameter, "name", field->name);
	openapi_add_text(document, parameter, "in", where);
	openapi_add_text(document, parameter, "description", field->doc);
	if (field->required)
		openapi_add_bool(document, parameter, "required", true);
	openapi_add_field(document, parameter, "schema", field, false);
	openapi_add_json(document, parameter, "example", field->example);
}

static void add_parameters(struct openapi *document, cJSON *operation, const struct operation_row *row)
{
	cJSON *parameters = openapi_add_array(document, operation, "parameters");
	const struct field *argument = operation_argument(row);
	if (argument != NULL)
		add_parameter(document, parameters, argument, "path");
	for (size_t i = 0; row->query != NULL && i < row->query->count; i++)
		add_parameter(document, parameters, &row->query->fields[i], "query");
	for (size_t i = 0; i < sizeof(request_headers) / sizeof(request_headers[0]); i++) {
		if (!is_read(&request_headers[i], row))
			continue;
		need_header_parameter(document, &request_headers[i]);
		openapi_add_reference(document, parameters, NULL, "parameters", request_headers[i].name);
	}
}

/* Says what becomes of members that no schema names. */
static const char *unknown_members(const struct operation_row *row)
{
	if (row->body->refuse_unknown)
		return "refused";
	if (row->dialect == NULL || !row->dialect->tells)
		return "passed on to the backend";
	return row->endpoint == OPERATION_NO_ENDPOINT ? "not read" : "left out, and named in x-sluice-dropped";
}

static void add_body(struct openapi *document, cJSON *operation, const struct operation_row *row)
{
	if (row->body == NULL)
		return;
	cJSON *body = openapi_add_object(document, operation, "requestBody");
	openapi_add_printf(document, body, "description",
			   "%s Members that the schema does not name are %s. No string may hold the character U+0000.",
			   row->body->doc, unknown_members(row));
	openapi_add_bool(document, body, "required", true);
	cJSON *content = openapi_add_object(document, body, "content");
	cJSON *media = openapi_add_object(document, content, "application/json");
	openapi_add_table(document, media, "schema", row->body);
	cJSON *examples = openapi_add_object(document, media, "examples");
	for (size_t i = 0; i < row->example_count; i++) {
		cJSON *example = openapi_add_object(document, examples, row->examples[i].name);
		openapi_add_text(document, example, "summary", row->examples[i].summary);
		openapi_add_json(document, example, "value", row->examples[i].body);
	}
}

/* With a key in one of three fields, or without one where the configuration asks for none; a free operation needs none
 * anywhere. */
static void add_security(struct openapi *document, cJSON *operation, const struct operation_row *row)
{
	static const char *const schemes[] = {"bearer", "x_api_key", "api_key"};
	cJSON *security = openapi_add_array(document, operation, "security");
	if (row->right == OPERATION_FREE)
		return;
	openapi_add_object(document, security, NULL);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		openapi_add_array(document, openapi_add_object(document, security, NULL), schemes[i]);
}

static cJSON *add_path(struct openapi *document, cJSON *paths, const char *path)
{
	cJSON *there = cJSON_GetObjectItemCaseSensitive(paths, path);
	return there != NULL ? there : openapi_add_object(document, paths, path);
}

void openapi_add_operation(struct openapi *document, cJSON *paths, const struct operation_row *row)
{
	char method[METHOD_SIZE] = "";
	for (size_t i = 0; i < sizeof(method) - 1 && row->method[i] != '\0'; i++)
		method[i] = (char)tolower((unsigned char)row->method[i]);
	cJSON *operation = openapi_add_object(document, add_path(document, paths, row->path), method);
	openapi_add_text(document, operation, "operationId", row->id);
	openapi_add_text(document, openapi_add_array(document, operation, "tags"), NULL, row->tag);
	openapi_add_text(document, operation, "summary", row->summary);
	openapi_add_printf(document, operation, "description", "%s %s %s", row->doc == NULL ? row->summary : row->doc,
			   operation_listeners(row->surface), operation_key_needed(row->right));
	if (row->deprecated != NULL)
		openapi_add_bool(document, operation, "deprecated", true);
	if (row->sunset != NULL)
		openapi_add_text(document, operation, "x-sunset", row->sunset);
	if (operation_public_name(row->surface) != NULL)
		openapi_add_server(document, operation, OPENAPI_ADMIN_SERVER,
				   "The admin listener of the local demonstration.");
	add_security(document, operation, row);
	add_parameters(document, operation, row);
	add_body(document, operation, row);
	openapi_add_responses(document, operation, row);
	openapi_add_samples(document, operation, row);
}
