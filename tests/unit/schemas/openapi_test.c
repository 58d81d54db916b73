/* SPDX-License-Identifier: MIT */
/* The OpenAPI document and the reference page hold whatever the tables hold, or nothing at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "lib/buf.h"
#include "lib/json.h"
#include "schemas/field_message.h"
#include "schemas/openapi.h"
#include "schemas/reference.h"
#include "tests/unit/schemas/tables.h"

enum { CEILING = 1 << 24 };

static cJSON *document;

static int parse_document(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, CEILING);
	openapi_write(&text);
	document = cJSON_ParseWithLength(buf_span(&text).at, buf_len(&text));
	buf_fini(&text);
	return document == NULL ? -1 : 0;
}

static int free_document(void **state)
{
	(void)state;
	cJSON_Delete(document);
	return 0;
}

static cJSON *member(const cJSON *object, const char *name)
{
	cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);
	if (found == NULL)
		fail_msg("there is no %s", name);
	return found;
}

static cJSON *operation_of(const struct operation_row *row)
{
	char method[8] = "";
	for (size_t i = 0; row->method[i] != '\0' && i + 1 < sizeof(method); i++)
		method[i] = (char)(row->method[i] - 'A' + 'a');
	return member(member(member(document, "paths"), row->path), method);
}

static bool array_has(const cJSON *array, const char *text)
{
	const cJSON *at = NULL;
	cJSON_ArrayForEach(at, array)
	{
		if (cJSON_IsString(at) && strcmp(at->valuestring, text) == 0)
			return true;
	}
	return false;
}

static void our_own_reader_reads_it(void **state)
{
	(void)state;
	struct arena arena;
	struct json json;
	struct json_error error;
	struct buf text;
	arena_init(&arena, 0);
	buf_init(&text, CEILING);
	openapi_write(&text);
	assert_true(json_parse(&json, &arena, buf_span(&text), 64, &error));
	assert_null(memchr(buf_span(&text).at, '\t', buf_len(&text)));
	assert_memory_equal(buf_span(&text).at + buf_len(&text) - 3, "\n}\n", 3);
	buf_fini(&text);
	arena_fini(&arena);
}

static void every_operation_is_there_with_all_that_readers_need(void **state)
{
	(void)state;
	for (enum operation i = 0; i < OPERATION_COUNT; i++) {
		const struct operation_row *row = operation_row(i);
		const cJSON *operation = operation_of(row);
		assert_string_equal(member(operation, "operationId")->valuestring, row->id);
		assert_true(array_has(member(operation, "tags"), row->tag));
		assert_non_null(member(operation, "description"));
		int ways = row->right == OPERATION_FREE ? 0 : 4; /* none, or a key in one of three fields */
		assert_int_equal(cJSON_GetArraySize(member(operation, "security")), ways);
		int samples = row->event != NULL ? 6 : 3;
		assert_int_equal(cJSON_GetArraySize(member(operation, "x-codeSamples")), samples);
		const cJSON *good = member(member(operation, "responses"), "200");
		assert_non_null(member(member(good, "content"), row->media_type));
		if (row->event != NULL)
			member(member(member(good, "content"), "text/event-stream"), "x-sse-event-schema");
		if (row->revalidates)
			member(member(operation, "responses"), "304");
	}
}

static void every_tag_is_explained(void **state)
{
	(void)state;
	for (enum operation i = 0; i < OPERATION_COUNT; i++) {
		const struct operation_tag *tag = operation_tags;
		while (tag->name != NULL && strcmp(tag->name, operation_row(i)->tag) != 0)
			tag++;
		assert_non_null(tag->name);
	}
}

/* True when that response of the operation declares the code. */
static bool declares(const struct operation_row *row, int status, const char *code)
{
	char key[8];
	snprintf(key, sizeof(key), "%d", status);
	const cJSON *response = cJSON_GetObjectItemCaseSensitive(member(operation_of(row), "responses"), key);
	return array_has(cJSON_GetObjectItemCaseSensitive(response, "x-codes"), code);
}

static void an_operation_declares_exactly_the_errors_it_can_tell(void **state)
{
	(void)state;
	for (enum operation i = 0; i < OPERATION_COUNT; i++) {
		const struct operation_row *row = operation_row(i);
		for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
			const struct error_row *error = error_row(code);
			assert_int_equal(declares(row, error->status, error->code), operation_can_fail_with(row, code));
		}
	}
}

static void every_error_is_told_by_an_operation_or_by_none_on_purpose(void **state)
{
	(void)state;
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
		bool told = false;
		for (enum operation i = 0; i < OPERATION_COUNT; i++)
			told = told || operation_can_fail_with(operation_row(i), code);
		assert_int_equal(told, error_row(code)->scope != ERROR_ON_NOWHERE);
	}
}

static void every_row_of_every_table_is_a_property_with_its_words(void **state)
{
	(void)state;
	const cJSON *schemas = member(member(document, "components"), "schemas");
	struct tables tables = tables_of_schemas();
	assert_int_equal(cJSON_GetArraySize(schemas), tables.count); /* so no two tables share a name */
	for (size_t t = 0; t < tables.count; t++) {
		const cJSON *schema = member(schemas, tables.list[t]->name);
		const cJSON *properties = member(schema, "properties");
		assert_string_equal(member(schema, "description")->valuestring, tables.list[t]->doc);
		assert_int_equal(cJSON_GetArraySize(properties), tables.list[t]->count);
		for (size_t i = 0; i < tables.list[t]->count; i++) {
			const struct field *field = &tables.list[t]->fields[i];
			const cJSON *property = member(properties, field->name);
			struct buf doc;
			buf_init(&doc, 4096);
			field_write_doc(&doc, field);
			buf_append(&doc, (struct span){"", 1});
			assert_string_equal(member(property, "description")->valuestring, buf_span(&doc).at);
			buf_fini(&doc);
			assert_int_equal(cJSON_GetArraySize(member(property, "examples")), 1);
			bool required = array_has(cJSON_GetObjectItemCaseSensitive(schema, "required"), field->name);
			assert_int_equal(required, field->required && field->unless == NULL);
			assert_int_equal(cJSON_HasObjectItem(property, "deprecated"), field->deprecated);
			assert_int_equal(cJSON_HasObjectItem(property, "default"), field->standard != NULL);
		}
	}
}

static void every_parameter_of_a_query_is_there(void **state)
{
	(void)state;
	for (enum operation o = 0; o < OPERATION_COUNT; o++) {
		const struct operation_row *row = operation_row(o);
		for (size_t i = 0; row->query != NULL && i < row->query->count; i++) {
			bool found = false;
			const cJSON *at = NULL;
			cJSON_ArrayForEach(at, member(operation_of(row), "parameters"))
			{
				const cJSON *name = cJSON_GetObjectItemCaseSensitive(at, "name");
				if (name == NULL || strcmp(name->valuestring, row->query->fields[i].name) != 0)
					continue;
				found = true;
				assert_string_equal(member(at, "in")->valuestring, "query");
				assert_string_equal(member(at, "description")->valuestring, row->query->fields[i].doc);
			}
			assert_true(found);
		}
	}
}

static bool has_header(const cJSON *operation, const char *name)
{
	char reference[96];
	const cJSON *at = NULL;
	snprintf(reference, sizeof(reference), "#/components/parameters/%s", name);
	cJSON_ArrayForEach(at, member(operation, "parameters"))
	{
		const cJSON *to = cJSON_GetObjectItemCaseSensitive(at, "$ref");
		if (to != NULL && strcmp(to->valuestring, reference) == 0)
			return true;
	}
	return false;
}

/* What http_exchange.c reads of a request's head. */
static void every_header_that_inference_reads_is_among_its_parameters(void **state)
{
	static const char *const read[] = {"traceparent", "x-stainless-timeout", "x-stainless-retry-count"};
	(void)state;
	for (enum operation o = 0; o < OPERATION_COUNT; o++) {
		const struct operation_row *row = operation_row(o);
		assert_true(has_header(operation_of(row), "x-request-id"));
		for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
			assert_int_equal(has_header(operation_of(row), read[i]),
					 row->endpoint != OPERATION_NO_ENDPOINT);
	}
}

/* The value that a reference points to; fails when there is none. */
static void follow(const char *reference)
{
	char path[256];
	char *rest = path;
	const cJSON *at = document;
	assert_memory_equal(reference, "#/", 2);
	snprintf(path, sizeof(path), "%s", reference + 2);
	for (char *step = strsep(&rest, "/"); step != NULL; step = strsep(&rest, "/"))
		at = member(at, step);
}

static void follow_all(const cJSON *value)
{
	const cJSON *at = NULL;
	cJSON_ArrayForEach(at, value)
	{
		if (at->string != NULL && strcmp(at->string, "$ref") == 0)
			follow(at->valuestring);
		follow_all(at);
	}
}

static void references_lead_somewhere(void **state)
{
	(void)state;
	follow_all(document);
}

/* ---- the page ---- */

static void the_page_tells_every_operation_and_every_row(void **state)
{
	(void)state;
	struct buf page;
	buf_init(&page, CEILING);
	reference_write(&page);
	buf_append(&page, (struct span){"", 1});
	const char *text = buf_span(&page).at;
	char expected[1024];
	for (enum operation i = 0; i < OPERATION_COUNT; i++) {
		snprintf(expected, sizeof(expected), "### %s %s\n", operation_row(i)->method, operation_row(i)->path);
		assert_non_null(strstr(text, expected));
	}
	struct tables tables = tables_of_schemas();
	for (size_t t = 0; t < tables.count; t++) {
		if (tables.list[t] == &backend_error_fields)
			continue; /* a backend's business */
		snprintf(expected, sizeof(expected), "### %s\n\n", tables.list[t]->name);
		const char *section = strstr(text, expected);
		assert_non_null(section);
		for (size_t i = 0; i < tables.list[t]->count; i++) {
			snprintf(expected, sizeof(expected), "| `%s` | ", tables.list[t]->fields[i].name);
			assert_non_null(strstr(section, expected));
		}
	}
	buf_fini(&page);
}

/* ---- out of memory ---- */

static size_t allocations_left;

static void *allocate_until_told(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(size);
}

/* Writes with that many allocations of the tree. */
static bool write_with(size_t allocations, struct buf *text)
{
	cJSON_Hooks hooks = {allocate_until_told, free};
	allocations_left = allocations;
	cJSON_InitHooks(&hooks);
	openapi_write(text);
	cJSON_InitHooks(NULL);
	return !buf_failed(text);
}

static void without_memory_nothing_is_written_rather_than_half(void **state)
{
	(void)state;
	size_t allocations = 0;
	size_t failures = 0;
	for (bool written = false; !written; allocations += allocations < 300 ? 1 : 499, failures++) {
		struct buf text;
		buf_init(&text, CEILING);
		buf_append(&text, SPAN("before"));
		written = write_with(allocations, &text);
		assert_true(written || span_is(buf_span(&text), "before"));
		buf_fini(&text);
	}
	assert_true(failures > 300);
}

static void a_buffer_that_is_too_small_stays_as_it_is(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1000);
	buf_append(&text, SPAN("before"));
	openapi_write(&text);
	assert_true(buf_failed(&text));
	assert_true(span_is(buf_span(&text), "before"));
	buf_fini(&text);
}

static void the_kept_document_is_made_once_and_again_after_a_failure(void **state)
{
	(void)state;
	struct buf text;
	cJSON_Hooks hooks = {allocate_until_told, free};
	allocations_left = 100;
	cJSON_InitHooks(&hooks);
	assert_null(openapi_document().at);
	cJSON_InitHooks(NULL);
	struct span kept = openapi_document();
	buf_init(&text, CEILING);
	openapi_write(&text);
	assert_true(span_equal(kept, buf_span(&text)));
	assert_ptr_equal(openapi_document().at, kept.at);
	openapi_release();
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(our_own_reader_reads_it),
	    cmocka_unit_test(every_operation_is_there_with_all_that_readers_need),
	    cmocka_unit_test(every_tag_is_explained),
	    cmocka_unit_test(an_operation_declares_exactly_the_errors_it_can_tell),
	    cmocka_unit_test(every_error_is_told_by_an_operation_or_by_none_on_purpose),
	    cmocka_unit_test(every_row_of_every_table_is_a_property_with_its_words),
	    cmocka_unit_test(every_parameter_of_a_query_is_there),
	    cmocka_unit_test(every_header_that_inference_reads_is_among_its_parameters),
	    cmocka_unit_test(references_lead_somewhere),
	    cmocka_unit_test(the_page_tells_every_operation_and_every_row),
	    cmocka_unit_test(without_memory_nothing_is_written_rather_than_half),
	    cmocka_unit_test(a_buffer_that_is_too_small_stays_as_it_is),
	    cmocka_unit_test(the_kept_document_is_made_once_and_again_after_a_failure),
	};
	return cmocka_run_group_tests(tests, parse_document, free_document);
}
