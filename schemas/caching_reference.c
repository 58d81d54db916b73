/* SPDX-License-Identifier: MIT */
/* The reference page of keys and of which requests have one: each object of a request once, with all its members. */
#include "schemas/caching_reference.h"

#include "schemas/field_list.h"
#include "schemas/openai/request.h"

/* Mentions the tables of all that a value may hold. */
static void mention_below(struct field_list *tables, const struct field *rule)
{
	for (; rule != NULL; rule = rule->element)
		if (rule->of != NULL)
			field_list_add(tables, rule->of);
}

/* Whether a table describes all of the value: only then does its spelling not matter. */
static bool is_described(const struct field *rule)
{
	bool object = (rule->types & FIELD_OBJECT) == 0 || rule->of != NULL || rule->values != NULL;
	bool array = (rule->types & FIELD_ARRAY) == 0 || rule->element != NULL;
	return object && array && (rule->element == NULL || is_described(rule->element));
}

static const char *key_of(const struct field *row)
{
	if (row->idle)
		return "no";
	if (row->verbatim || !is_described(row))
		return "as written";
	return row->wraps ? "by value; a string as an array of it" : "by value";
}

static const char *inside_of(const struct field *rule)
{
	static const char *const texts[] = {
	    [FIELD_INSIDE_ALL] = "",
	    [FIELD_INSIDE_URL] = "a string that is no `data:` URL",
	    [FIELD_INSIDE_BYTES] = "a string that is neither a `data:` URL nor base64",
	};
	return texts[rule->inside];
}

static const char *outside_of(const struct field *row)
{
	if (row->outside == FIELD_OBJECT && (row->types & FIELD_STRING) != 0)
		return "an object";
	return row->outside != 0 ? "any value" : inside_of(row);
}

static void write_rows(struct buf *out, const struct field_table *table)
{
	buf_append(out, SPAN("| member | in the key | refers elsewhere |\n|---|---|---|\n"));
	for (size_t i = 0; i < table->count; i++)
		buf_printf(out, "| `%s` | %s | %s |\n", table->fields[i].name, key_of(&table->fields[i]),
			   outside_of(&table->fields[i]));
}

static void write_words(struct buf *out, const char *before, const char *const *words)
{
	buf_append(out, span_of(before));
	for (size_t i = 0; words[i] != NULL; i++)
		buf_printf(out, "%s`%s`", i == 0 ? "" : ", ", words[i]);
	buf_append(out, SPAN(".\n"));
}

/* The values of the discriminating member that are known. */
static void write_variants(struct buf *out, const struct field_table *table)
{
	buf_printf(out, "\nKnown values of `%s`: ", table->by);
	for (size_t i = 0; i < table->variant_count; i++)
		buf_printf(out, "%s`%s` (%s)", i == 0 ? "" : ", ", table->variants[i].value,
			   table->variants[i].table->name);
	for (size_t i = 0; table->plain != NULL && table->plain[i] != NULL; i++)
		buf_printf(out, ", `%s`", table->plain[i]);
	buf_append(out, SPAN(". Any other one refers elsewhere.\n"));
}

static void write_table(struct buf *out, struct field_list *tables, const struct field_table *table)
{
	buf_printf(out, "\n## %s\n\n", table->name);
	write_rows(out, table);
	if (table->by != NULL)
		write_variants(out, table);
	if (table->known != NULL)
		write_words(
		    out, "\nMembers of backends that refer to nothing outside, in the key as written: ", table->known);
	for (size_t i = 0; i < table->count; i++)
		if (!table->fields[i].idle)
			mention_below(tables, &table->fields[i]);
	for (size_t i = 0; i < table->variant_count; i++)
		field_list_add(tables, table->variants[i].table);
}

void caching_reference_write(struct buf *out)
{
	struct field_list tables = {.count = 0};
	buf_append(
	    out,
	    SPAN("# The cache's key\n\n"
		 "The key of a request is made from its body and from what docs/guarantees/cache.md lists beside it. A "
		 "member counts *by value* (members in any order, numbers and escapes in any spelling), *as written* "
		 "(in its own order, with its own spelling of numbers; white space and escapes do not count), or not "
		 "at all. A member of the request itself that is null counts as absent.\n\n"
		 "A request that *refers elsewhere* is neither answered from the cache nor kept. So is one with a "
		 "member that no table here names, unless it is null, and one with a `$ref` in JSON that is free, such "
		 "as a "
		 "schema, that does not begin with `#`.\n"));
	for (int endpoint = 0; endpoint < ENDPOINT_COUNT; endpoint++)
		field_list_add(&tables, openai_request_fields((enum endpoint)endpoint));
	for (size_t i = 0; i < tables.count; i++)
		write_table(out, &tables, tables.list[i]);
}
