/* SPDX-License-Identifier: MIT */
/*
 * A query becomes JSON text, which the walker of field tables then reads: one
 * validator, one set of words, for both. What has no place in JSON (a name
 * twice, bytes that are no text) is found on the way.
 */
#include "schemas/query.h"

#include "lib/json_write.h"
#include "lib/percent.h"
#include "lib/utf8.h"
#include "schemas/field_message.h"

enum { QUERY_JSON_CEILING = 1 << 20 }; /* a head, and so a query, is far smaller */

struct parameter {
	struct span name; /* decoded */
	struct span value;
};

/* No table has more rows, so that more parameters than this are unknown or twice there. */
enum { PARAMETERS_MOST = FIELD_TABLE_ROWS };

struct query {
	const struct field_table *table;
	struct arena *arena;
	struct findings *findings;
	struct parameter list[PARAMETERS_MOST];
	size_t count;
};

static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.len;) {
		size_t len = utf8_length((const unsigned char *)s.at + i, s.len - i);
		if (len == 0 || s.at[i] == '\0')
			return false;
		i += len;
	}
	return true;
}

/* A finding about a parameter as such; name {NULL,0} = about the query. */
static void query_refuse(const struct query *query, enum error_code code, struct span name, struct span message)
{
	struct field_place place = {.name = name};
	const struct field_place *where = name.at == NULL ? NULL : &place;
	struct finding *finding = finding_add(query->findings);
	if (finding != NULL)
		*finding = (struct finding){.code = code,
					    .message = message,
					    .param = field_path(query->arena, where),
					    .loc = field_location(query->arena, "query", where)};
}

/* Takes what is in front of the separator off *rest, which is {NULL,0} behind the last. */
static struct span take(struct span *rest, char separator)
{
	struct span part = *rest;
	const char *end = rest->len == 0 ? NULL : memchr(rest->at, separator, rest->len);
	if (end == NULL) {
		*rest = (struct span){NULL, 0};
		return part;
	}
	part.len = (size_t)(end - part.at);
	*rest = (struct span){end + 1, rest->len - part.len - 1};
	return part;
}

static struct span decode(const struct query *query, struct span raw)
{
	char *out = arena_alloc(query->arena, raw.len + 1);
	return out == NULL ? SPAN("") : percent_decode(raw, true, out);
}

static bool is_known(const struct query *query, struct span name)
{
	for (size_t i = 0; i < query->count; i++)
		if (span_equal(query->list[i].name, name))
			return true;
	return false;
}

static bool is_row(const struct field_table *table, struct span name)
{
	for (size_t i = 0; i < table->count; i++)
		if (span_is(name, table->fields[i].name))
			return true;
	return false;
}

/* Returns the pair's name, decoded; *value is its value. */
static struct span split_pair(const struct query *query, struct span pair, struct span *value)
{
	*value = pair;
	return decode(query, take(value, '='));
}

/* Adds one name=value pair. */
static void query_add(struct query *query, struct span name, struct span value)
{
	if (!is_text(name))
		query_refuse(query, ERROR_INVALID_VALUE, (struct span){NULL, 0},
			     SPAN("A parameter's name in the query is not UTF-8 text."));
	else if (!is_text(value))
		query_refuse(query, ERROR_INVALID_VALUE, name,
			     arena_printf(query->arena, "%.*s must be UTF-8 text without NUL", SPAN_ARG(name)));
	else if (is_known(query, name))
		query_refuse(query, ERROR_INVALID_VALUE, name,
			     arena_printf(query->arena, "%.*s is given twice", SPAN_ARG(name)));
	else
		query->list[query->count++] = (struct parameter){name, value};
}

static void split(struct query *query, struct span text)
{
	while (text.at != NULL) {
		struct span pair = take(&text, '&');
		struct span value;
		struct span name = split_pair(query, pair, &value);
		if (pair.len == 0 || (!query->table->refuse_unknown && !is_row(query->table, name)))
			continue;
		if (query->count == PARAMETERS_MOST) {
			query_refuse(query, ERROR_INVALID_VALUE, (struct span){NULL, 0},
				     SPAN("The query has too many parameters."));
			return;
		}
		query_add(query, name, decode(query, value));
	}
}

/* What the row of that name may be; a string where there is none. */
static unsigned types_of(const struct field_table *table, struct span name)
{
	for (size_t i = 0; i < table->count; i++)
		if (span_is(name, table->fields[i].name))
			return table->fields[i].types;
	return FIELD_STRING;
}

/* True when text is, as it stands, JSON of one of these types. */
static bool is_json(const struct query *query, struct span text, unsigned types)
{
	struct json json;
	struct json_error error;
	if (text.len == 0 || !json_parse(&json, query->arena, text, 1, &error) || json_raw(&json, 0).len != text.len)
		return false;
	switch (json_type(&json, 0)) {
	case JSON_NUMBER:
		return (types & (FIELD_INTEGER | FIELD_NUMBER)) != 0;
	case JSON_TRUE:
	case JSON_FALSE:
		return (types & FIELD_BOOLEAN) != 0;
	default:
		return false;
	}
}

static void write(const struct query *query, struct buf *out)
{
	buf_append(out, SPAN("{"));
	for (size_t i = 0; i < query->count; i++) {
		const struct parameter *parameter = &query->list[i];
		if (i > 0)
			buf_append(out, SPAN(","));
		json_write_string(out, parameter->name);
		buf_append(out, SPAN(":"));
		if (is_json(query, parameter->value, types_of(query->table, parameter->name)))
			buf_append(out, parameter->value);
		else
			json_write_string(out, parameter->value);
	}
	buf_append(out, SPAN("}"));
}

/* Has the walker read what was written. */
static bool walk(const struct query *query, const struct buf *text, void *into)
{
	struct json json;
	struct json_error error;
	struct span copy = buf_failed(text) ? (struct span){NULL, 0} : arena_copy(query->arena, buf_span(text));
	return copy.at != NULL && json_parse(&json, query->arena, copy, 1, &error) &&
	       field_read(&json, query->table, "query", query->arena, into, query->findings);
}

bool query_read(struct span text, const struct field_table *table, struct arena *arena, void *into,
		struct findings *findings)
{
	struct query query = {.table = table, .arena = arena, .findings = findings};
	struct buf json;
	findings->count = 0;
	buf_init(&json, QUERY_JSON_CEILING);
	split(&query, text);
	if (findings->count == 0)
		write(&query, &json);
	bool good = findings->count == 0 && walk(&query, &json, into);
	if (arena_failed(arena) || buf_failed(&json)) { /* what was found then is not the client's fault */
		finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
		good = false;
	}
	buf_fini(&json);
	return good;
}
