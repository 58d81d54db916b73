/* SPDX-License-Identifier: MIT */
/* Answers of operations: good ones from the operation's row, errors from the table of errors. */
#include <stdio.h>

#include "schemas/answer_fields.h"
#include "schemas/dialect.h"
#include "schemas/error_body.h"
#include "schemas/openapi_internal.h"

enum { CODES_CEILING = 65536, ERROR_CEILING = 4096, STATUS_SIZE = 8, ANY_STATUS = 0 };

/* Kinds of answers, by their status. */
enum { ANSWER_GOOD = 1, ANSWER_UNCHANGED = 2, ANSWER_ERROR = 4, ANSWER_ALL = 7 };

static bool is_any(const struct operation_row *row)
{
	(void)row;
	return true;
}

static bool is_inference(const struct operation_row *row)
{
	return row->endpoint != OPERATION_NO_ENDPOINT;
}

static bool is_no_inference(const struct operation_row *row)
{
	return !is_inference(row);
}

static bool does_revalidate(const struct operation_row *row)
{
	return row->revalidates;
}

static bool needs_key(const struct operation_row *row)
{
	return row->right != OPERATION_FREE;
}

static bool is_keyed_no_inference(const struct operation_row *row)
{
	return needs_key(row) && !is_inference(row);
}

static bool is_cached(const struct operation_row *row)
{
	return row->revalidates && is_inference(row);
}

static bool asks_for_chats(const struct operation_row *row)
{
	return row->endpoint == ENDPOINT_CHAT;
}

static bool is_estimated(const struct operation_row *row)
{
	return row->estimates;
}

static bool is_deprecated(const struct operation_row *row)
{
	return row->deprecated != NULL;
}

static bool has_sunset(const struct operation_row *row)
{
	return row->sunset != NULL;
}

/* Header fields of answers. */
static const struct answer_header {
	const char *name;
	unsigned answers; /* ANSWER_* */
	int status;       /* only with this one; 0 = with all */
	bool (*has)(const struct operation_row *row);
	const char *schema;  /* as JSON text */
	const char *example; /* as JSON text */
	const char *doc;
} answer_headers[] = {
    {"x-request-id", ANSWER_ALL, 0, is_any,
     "{\"type\":\"string\",\"maxLength\":128,\"pattern\":\"^[!#-\\\\[\\\\]-~]+$\"}",
     "\"req_4bf92f3577b34da6a3ce929d0e0e4736\"", "The id of the request: the client's own, or a new one."},
    {"openai-processing-ms", ANSWER_GOOD, 0, is_inference, "{\"type\":\"integer\",\"minimum\":0}", "153",
     "Milliseconds from the request to the head of its answer."},
    {"x-sluice-target", ANSWER_GOOD | ANSWER_ERROR, 0, is_inference, "{\"type\":\"string\"}", "\"alpha/river-1\"",
     "Which backend and model answered; absent when several were gathered, or none was asked."},
    {"x-sluice-dropped", ANSWER_GOOD, 0, asks_for_chats, "{\"type\":\"string\"}",
     "\"system[0].cache_control, thinking\"",
     "What of the request the backend was not told: up to 16 paths, and how many more; absent when there is nothing."},
    {"x-sluice-estimated", ANSWER_GOOD, 0, is_estimated, "{\"type\":\"string\",\"enum\":[\"true\"]}", "\"true\"",
     "The answer is an estimate: no backend was asked."},
    {"x-sluice-attempts", ANSWER_GOOD | ANSWER_ERROR, 0, is_inference, "{\"type\":\"integer\",\"minimum\":0}", "1",
     "How many times backends were asked; absent when none was."},
    {"cache-control", ANSWER_ALL, 0, is_any, "{\"type\":\"string\"}", "\"no-cache\"",
     "Whether the answer may be kept."},
    {"etag", ANSWER_GOOD | ANSWER_UNCHANGED, 0, does_revalidate, "{\"type\":\"string\"}",
     "\"\\\"1b2cf535f27731c9\\\"\"", "The version of the answer, for If-None-Match."},
    {"cache-status", ANSWER_GOOD | ANSWER_UNCHANGED, 0, is_cached, "{\"type\":\"string\"}", "\"sluice; hit; ttl=3412\"",
     "What the cache had to do with the answer (RFC 9211); absent when it is off."},
    {"age", ANSWER_GOOD | ANSWER_UNCHANGED, 0, is_cached, "{\"type\":\"integer\",\"minimum\":0}", "188",
     "Seconds since the answer was kept, when it comes from the cache."},
    {"x-should-retry", ANSWER_ERROR, 0, is_any, "{\"type\":\"string\",\"enum\":[\"true\",\"false\"]}", "\"false\"",
     "Whether the same request may succeed when it is sent again; the OpenAI SDKs go by it."},
    {"retry-after", ANSWER_ERROR, 0, is_inference, "{\"type\":\"string\"}", "\"2\"",
     "How long to wait before the next attempt, when the backend told or Sluice knows: seconds, or a date."},
    {"retry-after", ANSWER_ERROR, 503, is_no_inference, "{\"type\":\"string\"}", "\"2\"",
     "How long to wait before the next attempt, in seconds."},
    {"retry-after", ANSWER_ERROR, 429, is_keyed_no_inference, "{\"type\":\"string\"}", "\"2\"",
     "How long to wait before the next attempt, in seconds."},
    {"www-authenticate", ANSWER_ERROR, 401, needs_key, "{\"type\":\"string\"}",
     "\"Bearer realm=\\\"sluice\\\", error=\\\"invalid_token\\\"\"", "How to show a key (RFC 6750, section 3)."},
    {"vary", ANSWER_ALL, 0, is_any, "{\"type\":\"string\"}", "\"accept\"",
     "The header fields of the request that the answer depends on."},
    {"access-control-allow-origin", ANSWER_ALL, 0, is_any, "{\"type\":\"string\"}", "\"https://app.example.org\"",
     "For requests of web pages whose origin is configured: that origin, or *."},
    {"access-control-expose-headers", ANSWER_ALL, 0, is_any, "{\"type\":\"string\"}", "\"x-request-id\"",
     "For such pages: the header fields that their scripts may read."},
    {"accept-encoding", ANSWER_ERROR, 415, is_any, "{\"type\":\"string\"}", "\"gzip, identity\"",
     "The content codings of request bodies that are accepted, where the request had another one."},
    {"allow", ANSWER_ERROR, 405, is_any, "{\"type\":\"string\"}", "\"GET, HEAD\"", "The methods that are allowed."},
    {"deprecation", ANSWER_ALL, 0, is_deprecated, "{\"type\":\"string\",\"pattern\":\"^@-?[0-9]+$\"}",
     "\"@1790000000\"", "Since when the operation is deprecated (RFC 9745)."},
    {"sunset", ANSWER_ALL, 0, has_sunset, "{\"type\":\"string\"}", "\"Tue, 22 Sep 2026 00:00:00 GMT\"",
     "When the operation goes away (RFC 8594)."},
};

static void need_header(struct openapi *document, const struct answer_header *header)
{
	cJSON *component = openapi_add_component(document, "headers", header->name);
	if (component == NULL)
		return;
	openapi_add_text(document, component, "description", header->doc);
	openapi_add_json(document, component, "schema", header->schema);
	openapi_add_json(document, component, "example", header->example);
}

static void add_headers(struct openapi *document, cJSON *response, const struct operation_row *row, unsigned answer,
			int status)
{
	cJSON *headers = openapi_add_object(document, response, "headers");
	for (size_t i = 0; i < sizeof(answer_headers) / sizeof(answer_headers[0]); i++) {
		const struct answer_header *header = &answer_headers[i];
		bool at_status = header->status == 0 || header->status == status;
		if ((header->answers & answer) == 0 || !at_status || !header->has(row))
			continue;
		need_header(document, header);
		openapi_add_reference(document, headers, header->name, "headers", header->name);
	}
}

/* ---- good answers ---- */

static void add_other_content(struct openapi *document, cJSON *content, const struct operation_row *row)
{
	if (row->also == NULL)
		return;
	cJSON *media = openapi_add_object(document, content, row->also);
	openapi_add_text(document, openapi_add_object(document, media, "schema"), "type", "string");
	openapi_add_text(document, media, "example", row->text_example);
}

static void add_answer_schema(struct openapi *document, cJSON *media, const struct operation_row *row)
{
	if (row->other == NULL) {
		openapi_add_table(document, media, "schema", row->answer);
		return;
	}
	cJSON *any = openapi_add_array(document, openapi_add_object(document, media, "schema"), "anyOf");
	openapi_add_table(document, any, NULL, row->answer);
	openapi_add_table(document, any, NULL, row->other);
}

static void add_answer_content(struct openapi *document, cJSON *content, const struct operation_row *row)
{
	cJSON *media = openapi_add_object(document, content, row->media_type);
	if (row->answer != NULL) {
		add_answer_schema(document, media, row);
		openapi_add_json(document, media, "example", row->answer->example);
		add_other_content(document, content, row);
		return;
	}
	bool json = strcmp(row->media_type, "application/json") == 0;
	openapi_add_text(document, openapi_add_object(document, media, "schema"), "type", json ? "object" : "string");
	if (row->text_example != NULL)
		openapi_add_text(document, media, "example", row->text_example);
}

/*
 * Of one event, as OpenAPI 3.2 has it for such streams. The schema names no type, so that it also holds for readers
 * that apply it to the whole stream, a string.
 */
static void add_event_properties(struct openapi *document, cJSON *schema, const struct field_table *event)
{
	cJSON *data = openapi_add_object(document, openapi_add_object(document, schema, "properties"), "data");
	openapi_add_text(document, data, "type", "string");
	cJSON *any = openapi_add_array(document, data, "anyOf");
	openapi_add_text(document, openapi_add_object(document, any, NULL), "const", "[DONE]");
	cJSON *json = openapi_add_object(document, any, NULL);
	openapi_add_text(document, json, "contentMediaType", "application/json");
	cJSON *either = openapi_add_array(document, openapi_add_object(document, json, "contentSchema"), "anyOf");
	openapi_add_table(document, either, NULL, event);
	openapi_add_table(document, either, NULL, &error_answer_fields);
}

static void add_stream_content(struct openapi *document, cJSON *content, const struct operation_row *row)
{
	cJSON *media = openapi_add_object(document, content, "text/event-stream");
	cJSON *schema = openapi_add_object(document, media, "schema");
	const char *last = row->last_event == NULL ? "[DONE]" : row->last_event;
	const char *named = row->named_events ? ", and its `type` is the name of the event" : "";
	if (row->failed_event != NULL)
		openapi_add_printf(document, schema, "description",
				   "Server-sent events. The data of each is a %s%s; the last is `%s`. When the answer "
				   "fails midway the one before is `%s`.",
				   row->event->name, named, last, row->failed_event);
	else
		openapi_add_printf(document, schema, "description",
				   "Server-sent events. The data of each is a %s%s; the last is `%s`. When the answer "
				   "fails midway the last is an %s instead%s.",
				   row->event->name, named, last, error_answer_fields.name,
				   row->named_events ? ", named `error`" : "");
	add_event_properties(document, schema, row->event);
	openapi_add_text(document, media, "example", row->stream_example);
	openapi_add_text(document, media, "x-sse-end", last);
	openapi_add_table(document, media, "x-sse-event-schema", row->event);
	openapi_add_table(document, media, "x-sse-error-schema", &error_answer_fields);
}

static cJSON *add_good(struct openapi *document, cJSON *responses, const struct operation_row *row, const char *status)
{
	cJSON *response = openapi_add_object(document, responses, status);
	openapi_add_text(document, response, "description", row->answer == NULL ? row->summary : row->answer->doc);
	add_headers(document, response, row, ANSWER_GOOD, ANY_STATUS);
	cJSON *content = openapi_add_object(document, response, "content");
	add_answer_content(document, content, row);
	return content;
}

static void add_good_responses(struct openapi *document, cJSON *responses, const struct operation_row *row)
{
	cJSON *content = add_good(document, responses, row, "200");
	if (row->event != NULL)
		add_stream_content(document, content, row);
	if (!row->revalidates)
		return;
	cJSON *unchanged = openapi_add_object(document, responses, "304");
	openapi_add_text(document, unchanged, "description", "The answer that the client has is still the same.");
	add_headers(document, unchanged, row, ANSWER_UNCHANGED, ANY_STATUS);
}

/* ---- errors ---- */

/* A set of errors: those of one status, or with ANY_STATUS those of a class whose status is a backend's own. */
struct error_group {
	const struct operation_row *row;
	int status;
	int class; /* status / 100 */
};

/* True when the error comes with that status as a rule. */
static bool is_usual(const struct error_group *group, enum error_code code)
{
	const struct error_row *error = error_row(code);
	if (!operation_can_fail_with(group->row, code))
		return false;
	if (group->status == ANY_STATUS)
		return (error->scope & ERROR_ANY_STATUS) != 0 && error->status / 100 == group->class;
	return error->status == group->status;
}

/* True when the error may come with that status. */
static bool is_possible(const struct error_group *group, enum error_code code)
{
	const struct error_group relayed = {group->row, ANY_STATUS, group->class};
	return is_usual(group, code) || is_usual(&relayed, code);
}

static bool is_empty(const struct error_group *group)
{
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++)
		if (is_usual(group, code))
			return false;
	return true;
}

static void add_error_notes(struct openapi *document, cJSON *response, const struct error_group *group)
{
	struct buf text;
	buf_init(&text, CODES_CEILING);
	if (group->status == ANY_STATUS)
		buf_append(&text, SPAN("The backend's own status and error, relayed.\n\n"));
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++)
		if (is_usual(group, code))
			buf_printf(&text, "* `%s`: %s\n", error_row(code)->code, error_row(code)->text);
	if (group->status == group->row->unready)
		buf_printf(&text, "* or a %s: %s\n", group->row->answer->name, group->row->answer->doc);
	openapi_add_buf(document, response, "description", &text);
	buf_fini(&text);
	cJSON *codes = openapi_add_array(document, response, "x-codes");
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++)
		if (is_possible(group, code))
			openapi_add_text(document, codes, NULL, error_row(code)->code);
}

static void need_example(struct openapi *document, const char *name, enum error_form form, enum error_code code)
{
	cJSON *example = openapi_add_component(document, "examples", name);
	if (example == NULL)
		return;
	struct buf text;
	struct error_told told = {.code = code};
	if (form == ERROR_FORM_PROBLEM)
		told.request_id = SPAN("req_4bf92f3577b34da6a3ce929d0e0e4736");
	buf_init(&text, ERROR_CEILING);
	error_write(&text, form, NULL, &told);
	buf_append(&text, (struct span){"", 1});
	openapi_add_text(document, example, "summary", error_row(code)->text);
	openapi_add_json(document, example, "value", buf_failed(&text) ? "" : buf_span(&text).at);
	buf_fini(&text);
}

static void add_error_examples(struct openapi *document, cJSON *media, const struct error_group *group,
			       enum error_form form)
{
	cJSON *examples = openapi_add_object(document, media, "examples");
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
		char name[128];
		if (!is_usual(group, code))
			continue;
		snprintf(name, sizeof(name), "%s_%s", form == ERROR_FORM_PROBLEM ? "problem" : "error",
			 error_row(code)->code);
		need_example(document, name, form, code);
		openapi_add_reference(document, examples, error_row(code)->code, "examples", name);
	}
}

/* Ours; or the backend's own, relayed as it came; or the operation's answer that shares the status. */
static void add_error_schema(struct openapi *document, cJSON *media, const struct error_group *group)
{
	const struct field_table *other = NULL;
	if (is_inference(group->row))
		other = &backend_error_fields;
	else if (group->status == group->row->unready)
		other = group->row->answer;
	if (other == NULL) {
		openapi_add_table(document, media, "schema", &error_answer_fields);
		return;
	}
	cJSON *any = openapi_add_array(document, openapi_add_object(document, media, "schema"), "anyOf");
	openapi_add_table(document, any, NULL, &error_answer_fields);
	openapi_add_table(document, any, NULL, other);
}

static void add_error_response(struct openapi *document, cJSON *responses, const struct error_group *group)
{
	char key[STATUS_SIZE];
	if (is_empty(group))
		return;
	if (group->status == ANY_STATUS)
		snprintf(key, sizeof(key), "%dXX", group->class % 10);
	else
		snprintf(key, sizeof(key), "%d", group->status);
	cJSON *response = openapi_add_object(document, responses, key);
	add_error_notes(document, response, group);
	add_headers(document, response, group->row, ANSWER_ERROR, group->status);
	cJSON *content = openapi_add_object(document, response, "content");
	cJSON *ours = openapi_add_object(document, content, error_media_type(ERROR_FORM_DIALECT));
	add_error_schema(document, ours, group);
	add_error_examples(document, ours, group, ERROR_FORM_DIALECT);
	cJSON *problem = openapi_add_object(document, content, error_media_type(ERROR_FORM_PROBLEM));
	openapi_add_table(document, problem, "schema", &problem_fields);
	add_error_examples(document, problem, group, ERROR_FORM_PROBLEM);
}

void openapi_add_responses(struct openapi *document, cJSON *operation, const struct operation_row *row)
{
	cJSON *responses = openapi_add_object(document, operation, "responses");
	add_good_responses(document, responses, row);
	for (int class = 4; class <= 5; class ++) {
		for (int status = class * 100; status < class * 100 + 100; status++)
			add_error_response(document, responses, &(struct error_group){row, status, class});
		add_error_response(document, responses, &(struct error_group){row, ANY_STATUS, class});
	}
}
