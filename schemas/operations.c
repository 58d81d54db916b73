/* SPDX-License-Identifier: MIT */
/* The operations as an array, and matching of paths. */
#include "schemas/operations.h"

#include "lib/api_key.h"
#include "schemas/admin_fields.h"
#include "schemas/answer_fields.h"
#include "schemas/anthropic/answer_fields.h"
#include "schemas/anthropic/dialect.h"
#include "schemas/anthropic/request_fields.h"
#include "schemas/field_def.h"
#include "schemas/fanout_fields.h"
#include "schemas/openai/dialect.h"
#include "schemas/openai/request_fields.h"
#include "schemas/responses/answer_fields.h"
#include "schemas/responses/dialect.h"
#include "schemas/responses/request_fields.h"

#define EXAMPLES(...)                                                \
	.examples = (const struct operation_example[]){__VA_ARGS__}, \
	.example_count = sizeof((const struct operation_example[]){__VA_ARGS__}) / sizeof(struct operation_example)

static const struct field docs_file = {
    .name = "file",
    .types = FIELD_STRING,
    .required = true,
    .choices = CHOICES("docs.css", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js"),
    .example = "\"docs.js\"",
    .doc = "The file's name.",
};

static const struct field key_id = {
    .name = "id",
    .types = FIELD_STRING,
    .required = true,
    .pattern = "^[0-9A-Za-z]*$",
    .min_length = API_KEY_ID,
    .max_length = API_KEY_ID,
    .example = "\"4kQ9xYb2\"",
    .doc = "The id of the key.",
};

static const struct field response_id = {
    .name = "id",
    .types = FIELD_STRING,
    .required = true,
    .pattern = "^[0-9A-Za-z_]*$",
    .min_length = 1,
    .max_length = 64,
    .example = "\"resp_83505476049a4c5a4369046878682980\"",
    .doc = "The id of the response.",
};

static const struct operation_row rows[OPERATION_COUNT] = {
#define OPERATION(symbol, ...) [OPERATION_##symbol] = {__VA_ARGS__},
#include "schemas/operations.def"
#undef OPERATION
};

const struct operation_row *operation_row(enum operation operation)
{
	return &rows[operation];
}

const char *operation_public_name(enum operation_surface surface)
{
	static const char *const names[] = {
	    [OPERATION_OF_CLIENTS] = NULL, [OPERATION_OF_ALL] = NULL,          [OPERATION_OF_METRICS] = "metrics",
	    [OPERATION_OF_DOCS] = "docs",  [OPERATION_OF_OPENAPI] = "openapi", [OPERATION_OF_ADMIN] = "admin"};
	return names[surface];
}

const char *operation_right_name(enum operation_right right)
{
	static const char *const names[] = {[OPERATION_RIGHT_UNSAID] = NULL,
					    [OPERATION_FREE] = NULL,
					    [OPERATION_RIGHT_ANY] = NULL,
					    [OPERATION_RIGHT_CHAT] = "chat",
					    [OPERATION_RIGHT_COMPLETIONS] = "completions",
					    [OPERATION_RIGHT_EMBEDDINGS] = "embeddings",
					    [OPERATION_RIGHT_FANOUT] = "fanout",
					    [OPERATION_RIGHT_MODELS] = "models",
					    [OPERATION_RIGHT_ADMIN] = "admin"};
	return names[right];
}

const char *operation_key_needed(enum operation_right right)
{
	if (right == OPERATION_FREE)
		return "No key is needed.";
	if (right == OPERATION_RIGHT_ADMIN)
		return "Where clients show keys, one with the scope `admin` is needed, but on an admin listener that "
		       "is a "
		       "socket or on a loopback address.";
	return "Where clients show keys, one is needed.";
}

const char *operation_listeners(enum operation_surface surface)
{
	static const char *const texts[] = {
	    [OPERATION_OF_CLIENTS] =
		"Served by the public listeners, and by the admin listener to its docs page alone.",
	    [OPERATION_OF_ALL] = "Served by every listener.",
	    [OPERATION_OF_METRICS] = "Served by the admin listener, and by public ones when `public` lists `metrics`.",
	    [OPERATION_OF_DOCS] = "Served by the admin listener, and by public ones when `public` lists `docs`.",
	    [OPERATION_OF_OPENAPI] =
		"Served by the admin listener, and by public ones when `public` lists `openapi` or `docs`.",
	    [OPERATION_OF_ADMIN] = "Served by the admin listener, and by public ones when `public` lists `admin`."};
	return texts[surface];
}

const struct operation_tag operation_tags[] = {
    {"inference", "Asking models."},
    {"orchestration", "Asking several models at once, as the request says."},
    {"responses", "Responses that are stored."},
    {"models", "Which models there are."},
    {"limits", "How much a key may still use."},
    {"keys", "The keys of the store."},
    {"health", "The process itself, and its backends."},
    {"documentation", "What the service tells about its interface."},
    {NULL, NULL},
};

const struct field *operation_argument(const struct operation_row *row)
{
	const char *brace = strchr(row->path, '{');
	if (brace == NULL || row->argument != NULL)
		return row->argument;
	struct span name = {brace + 1, strcspn(brace + 1, "}")};
	for (size_t i = 0; i < row->answer->count; i++)
		if (span_is(name, row->answer->fields[i].name))
			return &row->answer->fields[i];
	return NULL;
}

unsigned operation_error_scope(const struct operation_row *row)
{
	unsigned scope = ERROR_ON_EVERYWHERE | row->scope;
	scope |= row->body != NULL ? ERROR_ON_BODY : 0;
	scope |= strcmp(row->method, "GET") != 0 ? ERROR_ON_CHANGES : 0;
	scope |= row->query != NULL ? ERROR_ON_QUERY : 0;
	scope |= row->argument == NULL && strchr(row->path, '{') != NULL ? ERROR_ON_ARGUMENT : 0;
	scope |= row->endpoint != OPERATION_NO_ENDPOINT ? ERROR_ON_INFERENCE : 0;
	scope |= row->event != NULL ? ERROR_ON_STREAM : 0;
	scope |= row->surface != OPERATION_OF_ALL ? ERROR_ON_SURFACE : 0;
	scope |= row->right != OPERATION_FREE ? ERROR_ON_KEYS : 0;
	scope |= row->plans ? ERROR_ON_PLAN : 0;
	scope |= row->endpoint == ENDPOINT_EMBEDDINGS ? ERROR_ON_VECTORS : 0;
	return scope;
}

bool operation_can_fail_with(const struct operation_row *row, enum error_code code)
{
	return (error_row(code)->scope & operation_error_scope(row)) != 0;
}

/* A path that an operation has without braces belongs to no other one's template (OpenAPI 3.1, Path Templating). */
static bool is_concrete(struct span path)
{
	for (size_t i = 0; i < OPERATION_COUNT; i++)
		if (span_is(path, rows[i].path) && strchr(rows[i].path, '{') == NULL)
			return true;
	return false;
}

bool operation_matches(enum operation operation, struct span path, struct span *argument)
{
	const char *pattern = rows[operation].path;
	const char *brace = strchr(pattern, '{');
	if (brace == NULL)
		return span_is(path, pattern);
	struct span tail = span_of(strchr(brace, '}') + 1);
	size_t fixed = (size_t)(brace - pattern);
	if (path.len <= fixed + tail.len || memcmp(path.at, pattern, fixed) != 0 ||
	    !span_equal((struct span){path.at + path.len - tail.len, tail.len}, tail))
		return false;
	struct span found = {path.at + fixed, path.len - fixed - tail.len};
	bool plain = rows[operation].argument == &key_id || rows[operation].argument == &response_id;
	if ((plain && memchr(found.at, '/', found.len) != NULL) || is_concrete(path))
		return false;
	*argument = found;
	return true;
}
