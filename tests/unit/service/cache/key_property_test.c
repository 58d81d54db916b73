/* SPDX-License-Identifier: MIT */
/*
 * The property of keys: requests are made from the field tables, with every row at every level; each of their
 * members is changed in each way that the tables allow, and the key changes, unless the row is idle. The same
 * request in any other words has the same key, where the tables say what the words mean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "schemas/openai/cacheable.h"
#include "schemas/openai/embedding_cache.h"
#include "service/cache/key.h"

enum { ROUNDS_LEAST = 8, ROUNDS_MOST = 400, ROWS_MOST = 512, TEXT_MOST = 1 << 20, WORDINGS = 4 };

static struct config_backend backend = {.name = "b", .url = "http://b/v1"};
static struct config_plan plan = {.backend = &backend, .target = "b/m", .target_model = "m"};
static struct config_model model = {.name = "m", .plan = &plan, .cache = {.revision = ""}};

static enum endpoint endpoint;
static bool by_input; /* the key is that of the first input of embeddings */
static struct arena arena;
static struct buf text;
static const struct field *checked[ROWS_MOST]; /* rows that were seen to count, or to be idle */
static size_t checked_count;
static size_t mutations;
static const cJSON *changed;  /* is not written as it is */
static const cJSON *in_place; /* but like this; NULL = not at all */

static bool chance(int in)
{
	return rand() % in == 0;
}

/* ---- keys ---- */

static void write_canonical(const struct request *request, struct buf *canonical)
{
	struct embedding_inputs inputs;
	struct embedding_frame frame;
	static uint32_t nodes[EMBEDDING_INPUTS_MOST];
	if (!by_input || !openai_inputs_read(request, &inputs)) {
		openai_request_write_canonical(request, &arena, canonical);
		return;
	}
	openai_inputs_list(&inputs, nodes);
	assert_true(openai_input_frame_make(request, &arena, &frame));
	openai_input_write_canonical(&frame, &inputs, nodes[0], &arena, canonical);
}

/* False when the text is no request. */
static bool key_of(struct span body, struct cache_key *key)
{
	struct request request;
	struct findings findings = {.count = 0};
	struct buf canonical;
	arena_reset(&arena);
	if (!openai_request_decode(&request, endpoint, &arena, body, &JSON_DEPTH(64), &findings))
		return false;
	buf_init(&canonical, TEXT_MOST);
	write_canonical(&request, &canonical);
	struct key_parts parts = {.model = &model, .request = &request, .canonical = buf_span(&canonical)};
	assert_true(!buf_failed(&canonical) && !arena_failed(&arena) && cache_key_compute(&parts, key));
	buf_fini(&canonical);
	return true;
}

/* ---- the same in other words ---- */

static void write_space(bool other)
{
	static const char *const spaces[] = {"", "", " ", "\n", "\t", " \r\n "};
	if (other)
		buf_append(&text, span_of(spaces[(size_t)rand() % (sizeof(spaces) / sizeof(spaces[0]))]));
}

static void write_unit(unsigned unit)
{
	buf_printf(&text, chance(2) ? "\\u%04x" : "\\u%04X", unit);
}

static void write_escaped(unsigned point)
{
	if (point > 0xffff) {
		write_unit(0xd800 + ((point - 0x10000) >> 10));
		write_unit(0xdc00 + ((point - 0x10000) & 0x3ff));
	} else if (point == '/' && chance(2)) {
		buf_append(&text, SPAN("\\/"));
	} else if (point == '\n' && chance(2)) {
		buf_append(&text, SPAN("\\n"));
	} else {
		write_unit(point);
	}
}

static void write_string(const char *string, bool other)
{
	buf_append(&text, SPAN("\""));
	for (const unsigned char *at = (const unsigned char *)string; *at != 0;) {
		size_t len = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
		unsigned point = len == 1 ? *at : *at & (0x7fu >> len);
		for (size_t i = 1; i < len; i++)
			point = point << 6 | (at[i] & 0x3f);
		if (*at == '"' || *at == '\\' || *at < 0x20 || (other && chance(4)))
			write_escaped(point);
		else
			buf_append(&text, (struct span){(const char *)at, len});
		at += len;
	}
	buf_append(&text, SPAN("\""));
}

static void write_number(double value, bool other)
{
	static const char *const whole[] = {"", ".0", "e0", "E+0", "0e-1", ".00e0"};
	static const char *const broken[] = {"", "0", "e0", "E-0"};
	bool integer = value == (double)(int64_t)value;
	size_t form = other ? (size_t)rand() : 0;
	buf_printf(&text, "%.17g%s", value, integer ? whole[form % 6] : broken[form % 4]);
}

static void write_value(const cJSON *value, const struct field *rule, bool other);
static const struct field *row_of(const struct field_table *table, const cJSON *object, const char *name);

/* Whether the tables say what the value means: elsewhere the order of members and the spelling of numbers count. */
static bool is_described(const cJSON *value, const struct field *rule)
{
	if (rule == NULL || rule->verbatim)
		return false;
	if (cJSON_IsObject(value))
		return rule->of != NULL || rule->values != NULL;
	return !cJSON_IsArray(value) || rule->element != NULL;
}

/* The rule of a member or element of a value. */
static const struct field *rule_below(const cJSON *value, const struct field *rule, const cJSON *at)
{
	if (!is_described(value, rule))
		return NULL;
	if (!cJSON_IsObject(value))
		return rule->element;
	const struct field *row = rule->of == NULL ? NULL : row_of(rule->of, value, at->string);
	return row == NULL ? rule->values : row;
}

/* Members in an order of their own when it may be another one. */
static void write_members(const cJSON *value, const struct field *rule, bool other)
{
	const cJSON *members[128];
	size_t count = 0;
	for (const cJSON *at = value->child; at != NULL; at = at->next)
		if (at != changed || in_place != NULL)
			members[count++] = at;
	for (size_t i = count; i > 1 && other && cJSON_IsObject(value) && is_described(value, rule); i--) {
		size_t chosen = (size_t)rand() % i;
		const cJSON *swap = members[i - 1];
		members[i - 1] = members[chosen];
		members[chosen] = swap;
	}
	for (size_t i = 0; i < count; i++) {
		buf_append(&text, i == 0 ? SPAN("") : SPAN(","));
		write_space(other);
		if (cJSON_IsObject(value)) {
			write_string(members[i]->string, other);
			write_space(other);
			buf_append(&text, SPAN(":"));
			write_space(other);
		}
		write_value(members[i] == changed ? in_place : members[i], rule_below(value, rule, members[i]), other);
		write_space(other);
	}
}

static void write_value(const cJSON *value, const struct field *rule, bool other)
{
	if (cJSON_IsString(value))
		write_string(value->valuestring, other);
	else if (cJSON_IsRaw(value))
		buf_append(&text, span_of(value->valuestring));
	else if (cJSON_IsNumber(value))
		write_number(value->valuedouble, other && is_described(value, rule));
	else if (cJSON_IsBool(value))
		buf_append(&text, cJSON_IsTrue(value) ? SPAN("true") : SPAN("false"));
	else if (cJSON_IsNull(value))
		buf_append(&text, SPAN("null"));
	if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
		return;
	buf_append(&text, cJSON_IsObject(value) ? SPAN("{") : SPAN("["));
	write_members(value, rule, other);
	buf_append(&text, cJSON_IsObject(value) ? SPAN("}") : SPAN("]"));
}

static bool key_of_document(const cJSON *document, bool other, struct cache_key *key)
{
	const struct field root = {.types = FIELD_OBJECT, .of = openai_request_fields(endpoint)};
	buf_reset(&text);
	write_space(other);
	write_value(document, &root, other);
	write_space(other);
	assert_false(buf_failed(&text));
	return key_of(buf_span(&text), key);
}

/* ---- requests, made from the tables ---- */

static cJSON *make_object(const struct field_table *table);

static cJSON *make_array(const struct field *rule)
{
	cJSON *array = cJSON_CreateArray();
	cJSON *example = cJSON_Parse(rule->example);
	cJSON_AddItemToArray(array, example);
	return array;
}

/* A value that the rule allows: nested ones with all that their own tables allow. */
static cJSON *make_value(const struct field *rule)
{
	bool takes_array = rule->element != NULL && (rule->types & FIELD_ARRAY) != 0;
	if (takes_array && rule->element->of != NULL) {
		cJSON *array = cJSON_CreateArray();
		for (int i = 0; i < 2; i++)
			cJSON_AddItemToArray(array, make_value(rule->element));
		return array;
	}
	if (takes_array && chance(2))
		return make_array(rule->element);
	if (rule->of != NULL && (rule->types & FIELD_OBJECT) != 0)
		return make_object(rule->of);
	cJSON *example = cJSON_Parse(rule->example);
	assert_non_null(example);
	if (cJSON_IsString(example) && rule->choices == NULL && chance(2)) {
		char longer[256];
		snprintf(longer, sizeof(longer), "%s/\xc3\xa9\"\n\xf0\x9f\x98\x80", example->valuestring);
		cJSON_Delete(example);
		return cJSON_CreateString(longer);
	}
	if (cJSON_IsNumber(example) && rule->min == rule->max && chance(2)) {
		cJSON_Delete(example);
		return cJSON_CreateRaw("9007199254740993");
	}
	return example;
}

/* One input: of several the others do not matter. */
static cJSON *make_input(void)
{
	return cJSON_Parse(chance(2) ? "\"The Rhine\"" : "[464,1]");
}

static void add_rows(cJSON *object, const struct field_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->fields[i];
		bool by = table->by != NULL && strcmp(table->by, row->name) == 0;
		if (row->types == 0 || by || (by_input && strcmp(row->name, "messages") == 0) ||
		    (!row->required && chance(4)))
			continue;
		bool input = by_input && strcmp(row->name, "input") == 0;
		cJSON_AddItemToObject(object, row->name, input ? make_input() : make_value(row));
	}
}

static cJSON *make_object(const struct field_table *table)
{
	cJSON *object = cJSON_CreateObject();
	if (table->by != NULL) {
		size_t chosen = (size_t)rand() % (table->variant_count + 1);
		bool own = chosen == table->variant_count; /* a backend's own */
		cJSON_AddStringToObject(object, table->by, own ? "own" : table->variants[chosen].value);
		if (!own)
			add_rows(object, table->variants[chosen].table);
	}
	add_rows(object, table);
	return object;
}

/* ---- what counts ---- */

static void note(const struct field *row)
{
	for (size_t i = 0; i < checked_count; i++)
		if (checked[i] == row)
			return;
	assert_true(checked_count < ROWS_MOST);
	checked[checked_count++] = row;
}

static const struct field *row_of(const struct field_table *table, const cJSON *object, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->fields[i].name, name) == 0)
			return &table->fields[i];
	const char *by = table->by == NULL ? NULL : cJSON_GetStringValue(cJSON_GetObjectItem(object, table->by));
	for (size_t i = 0; by != NULL && i < table->variant_count; i++)
		if (strcmp(table->variants[i].value, by) == 0)
			return row_of(table->variants[i].table, object, name);
	return NULL;
}

/* Where a change is made. */
struct place {
	const cJSON *document;
	const cJSON *at;         /* the member or element */
	const struct field *row; /* NULL = none says anything about it */
	bool idle;               /* it is in a member that does not count */
	struct cache_key before;
};

/* With that value there, or nothing. */
static void try_value(const struct place *place, cJSON *value)
{
	struct cache_key key;
	const char *name = place->at->string == NULL ? "[]" : place->at->string;
	changed = place->at;
	in_place = value;
	if (key_of_document(place->document, false, &key)) {
		if ((cache_key_equal(&key, &place->before) != 0) != place->idle)
			fail_msg("%s%s: the key is %s with %.*s", name, place->idle ? " (idle)" : "",
				 place->idle ? "another one" : "the same", SPAN_ARG(buf_span(&text)));
		mutations++;
		if (place->row != NULL)
			note(place->row);
	}
	changed = NULL;
	cJSON_Delete(value);
}

static void try_string(const struct place *place, const cJSON *old)
{
	char longer[512];
	snprintf(longer, sizeof(longer), "%s ", old->valuestring);
	try_value(place, cJSON_CreateString(longer));
	snprintf(longer, sizeof(longer), "%s", old->valuestring);
	if (longer[0] != '\0' && longer[0] != 'q') {
		longer[0] = 'q';
		try_value(place, cJSON_CreateString(longer));
	}
	for (size_t i = 0; place->row != NULL && place->row->choices != NULL && place->row->choices[i] != NULL; i++)
		if (strcmp(place->row->choices[i], old->valuestring) != 0)
			try_value(place, cJSON_CreateString(place->row->choices[i]));
}

static void try_members(const struct place *place, const cJSON *old)
{
	cJSON *more = cJSON_Duplicate(old, true);
	if (cJSON_IsObject(more))
		cJSON_AddNullToObject(more, "x_unknown");
	else
		cJSON_AddItemToArray(more, cJSON_Duplicate(more->child, true));
	try_value(place, more);
	if (!cJSON_IsArray(old) || cJSON_GetArraySize(old) < 2 || cJSON_Compare(old->child, old->child->prev, true))
		return;
	cJSON *turned = cJSON_Duplicate(old, true);
	cJSON_AddItemToArray(turned, cJSON_DetachItemFromArray(turned, 0));
	try_value(place, turned);
}

static void try_all(const struct place *place)
{
	const cJSON *old = place->at;
	try_value(place, NULL);
	if (!cJSON_IsNull(old))
		try_value(place, cJSON_CreateNull());
	if (!cJSON_IsString(old))
		try_value(place, cJSON_CreateString("1"));
	if (!cJSON_IsFalse(old))
		try_value(place, cJSON_CreateFalse());
	if (!cJSON_IsTrue(old))
		try_value(place, cJSON_CreateTrue());
	if (!cJSON_IsObject(old) || old->child != NULL)
		try_value(place, cJSON_CreateObject());
	if (cJSON_IsNumber(old))
		try_value(place, cJSON_CreateNumber(old->valuedouble + 1));
	if (cJSON_IsNumber(old) && old->valuedouble != 0) {
		try_value(place, cJSON_CreateNumber(old->valuedouble / 2));
		try_value(place, cJSON_CreateNumber(-old->valuedouble));
	}
	if (cJSON_IsRaw(old)) { /* what a double would make of them is the same */
		try_value(place, cJSON_CreateRaw("9007199254740992"));
		try_value(place, cJSON_CreateRaw("9007199254740994"));
		try_value(place, cJSON_CreateRaw("90071992547409930"));
	}
	if (cJSON_IsString(old))
		try_string(place, old);
	if (cJSON_IsObject(old) || (cJSON_IsArray(old) && old->child != NULL))
		try_members(place, old);
}

/* Changes every member and element of a value, and whatever is in them. */
static void change_each(struct place place, const struct field_table *table, const struct field *rule)
{
	const cJSON *around = place.at;
	bool idle = place.idle;
	for (const cJSON *at = around->child; at != NULL; at = at->next) {
		place.at = at;
		place.row = table == NULL ? NULL : row_of(table, around, at->string);
		place.idle = idle || (around == place.document && place.row != NULL && place.row->idle);
		try_all(&place);
		const struct field *below = place.row != NULL ? place.row : rule == NULL ? NULL : rule->element;
		change_each(place, below == NULL || !cJSON_IsObject(at) ? NULL : below->of, below);
	}
}

static void check_words(const cJSON *document, const struct cache_key *key)
{
	for (int i = 0; i < WORDINGS; i++) {
		struct cache_key other;
		if (!key_of_document(document, true, &other) || !cache_key_equal(key, &other))
			fail_msg("in other words another key, or none: %.*s", SPAN_ARG(buf_span(&text)));
	}
}

static bool is_left_out(const struct field *row)
{
	return row->types == 0 || (by_input && strcmp(row->name, "messages") == 0);
}

/* A row of the table, or of those below it, that no change was tried with yet; NULL = none. */
static const struct field *find_unchecked(const struct field_table *table, unsigned depth)
{
	const struct field *found = NULL;
	for (size_t i = 0; i < table->count && depth > 0 && found == NULL; i++) {
		const struct field *row = &table->fields[i];
		bool seen = is_left_out(row);
		for (size_t k = 0; k < checked_count && !seen; k++)
			seen = checked[k] == row;
		found = seen ? NULL : row;
		for (const struct field *rule = row; rule != NULL && !is_left_out(row); rule = rule->element)
			if (rule->of != NULL && found == NULL)
				found = find_unchecked(rule->of, depth - 1);
	}
	for (size_t i = 0; i < table->variant_count && depth > 0 && found == NULL; i++)
		found = find_unchecked(table->variants[i].table, depth - 1);
	return found;
}

static void check_endpoint(enum endpoint which, bool input, size_t idle)
{
	enum { DEPTH = 16 };
	const struct field_table *table = openai_request_fields(which);
	unsigned seed = (unsigned)time(NULL);
	endpoint = which;
	by_input = input;
	checked_count = mutations = 0;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < ROUNDS_LEAST || (find_unchecked(table, DEPTH) != NULL && round < ROUNDS_MOST);
	     round++) {
		cJSON *document = make_object(table);
		struct place place = {.document = document, .at = document};
		if (!key_of_document(document, false, &place.before))
			fail_msg("no request: %.*s", SPAN_ARG(buf_span(&text)));
		check_words(document, &place.before);
		change_each(place, table, NULL);
		cJSON_Delete(document);
	}
	for (size_t i = 0; i < table->count; i++)
		idle -= table->fields[i].idle;
	assert_int_equal(idle, 0);
	if (find_unchecked(table, DEPTH) != NULL)
		fail_msg("%s was never changed", find_unchecked(table, DEPTH)->name);
	print_message("%zu rows, %zu changes\n", checked_count, mutations);
}

static void every_member_of_a_chat_counts(void **state)
{
	(void)state;
	check_endpoint(ENDPOINT_CHAT, false, 5);
}

static void every_member_of_a_completion_counts(void **state)
{
	(void)state;
	check_endpoint(ENDPOINT_COMPLETIONS, false, 4);
}

static void every_member_of_embeddings_counts(void **state)
{
	(void)state;
	check_endpoint(ENDPOINT_EMBEDDINGS, false, 2);
}

/* The keys of single inputs, which come about in another way. */
static void every_member_beside_an_input_counts(void **state)
{
	(void)state;
	check_endpoint(ENDPOINT_EMBEDDINGS, true, 2);
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	buf_init(&text, TEXT_MOST);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	buf_fini(&text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_member_of_a_chat_counts),
	    cmocka_unit_test(every_member_of_a_completion_counts),
	    cmocka_unit_test(every_member_of_embeddings_counts),
	    cmocka_unit_test(every_member_beside_an_input_counts),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
