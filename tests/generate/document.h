/* SPDX-License-Identifier: MIT */
/*
 * Random JSON documents that a field table accepts: any type a row allows, null
 * where that counts as absent, members that no row names, any white space and
 * any form of escape. Repeatable from a seed.
 */
#ifndef SLUICE_TESTS_GENERATE_DOCUMENT_H
#define SLUICE_TESTS_GENERATE_DOCUMENT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/buf.h"
#include "schemas/field.h"

enum { GENERATE_DEPTH = 5 };

struct generator {
	uint64_t state;
	struct buf *out;
	unsigned depth;
	const char *model; /* the value of the root's member "model"; NULL = any */
	/* called behind each value: which member of which object it is ("" = none) and where it stands in out */
	void (*on_member)(void *context, unsigned depth, const char *name, size_t start, size_t end);
	void *context;
};

static inline uint64_t generate_bits(struct generator *g)
{
	g->state ^= g->state >> 12;
	g->state ^= g->state << 25;
	g->state ^= g->state >> 27;
	return g->state * UINT64_C(0x2545F4914F6CDD1D);
}

/* 0 to below - 1. */
static inline unsigned generate_below(struct generator *g, unsigned below)
{
	return (unsigned)((generate_bits(g) >> 33) % below);
}

static inline void generate_space(struct generator *g)
{
	static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t ", "\r\n"};
	buf_append(g->out, span_of(spaces[generate_below(g, 8)]));
}

static inline void generate_character(struct generator *g)
{
	static const char *const characters[] = {"a",
						 "Z",
						 "0",
						 " ",
						 "{",
						 "]",
						 ",",
						 ":",
						 "\\\"",
						 "\\\\",
						 "\\/",
						 "\\n",
						 "\\t",
						 "\\u00e9",
						 "\\ud83d\\ude00",
						 "\xC3\xA9",
						 "\xE2\x82\xAC",
						 "\xF0\x9F\x98\x80"};
	buf_append(g->out, span_of(characters[generate_below(g, sizeof(characters) / sizeof(characters[0]))]));
}

static inline void generate_letters(struct generator *g, const char *text)
{
	buf_append(g->out, SPAN("\""));
	for (const char *at = text; *at != '\0'; at++) {
		if (generate_below(g, 40) == 0)
			buf_printf(g->out, "\\u%04x", (unsigned)(unsigned char)*at);
		else
			buf_append(g->out, (struct span){at, 1});
	}
	buf_append(g->out, SPAN("\""));
}

static inline void generate_string(struct generator *g, const struct field *rule)
{
	if (rule != NULL && rule->choices != NULL) {
		unsigned count = 0;
		while (rule->choices[count] != NULL)
			count++;
		generate_letters(g, rule->choices[generate_below(g, count)]);
		return;
	}
	size_t least = rule == NULL ? 0 : rule->min_length;
	size_t length = least + generate_below(g, 12);
	if (rule != NULL && rule->max_length != 0 && length > rule->max_length)
		length = rule->max_length;
	buf_append(g->out, SPAN("\""));
	for (size_t i = 0; i < length; i++)
		generate_character(g);
	buf_append(g->out, SPAN("\""));
}

static inline void generate_free_number(struct generator *g)
{
	static const char *const numbers[] = {"0",
					      "-0",
					      "7",
					      "18446744073709551616",
					      "-123456789012345678901234567890",
					      "42",
					      "1.50",
					      "-2e-3",
					      "1E+2",
					      "0.1000000000000000055511151231257827"};
	buf_append(g->out, span_of(numbers[generate_below(g, sizeof(numbers) / sizeof(numbers[0]))]));
}

static inline void generate_number(struct generator *g, const struct field *rule, bool integer)
{
	double at = (double)generate_below(g, 1001) / 1000;
	double value = rule->min + (rule->max - rule->min) * at;
	if (rule->min == rule->max && integer)
		buf_printf(g->out, "%s%" PRIu64 "%" PRIu64, generate_below(g, 2) == 0 ? "-1" : "2", generate_bits(g),
			   generate_bits(g));
	else if (rule->min == rule->max)
		generate_free_number(g);
	else if (integer)
		buf_printf(g->out, "%.0f%s", value, generate_below(g, 8) == 0 ? ".0" : "");
	else
		buf_printf(g->out, "%.17g", value);
}

static void generate_value(struct generator *g, const struct field *rule);
static void generate_object(struct generator *g, const struct field_table *table, const struct field *values);

/* Any JSON at all. */
static inline void generate_anything(struct generator *g)
{
	static const char *const words[] = {"null", "true", "false", "[]", "{ }"};
	static const struct field any = {.types = FIELD_STRING | FIELD_ARRAY | FIELD_OBJECT};
	unsigned choice = generate_below(g, 8);
	if (choice < 5)
		buf_append(g->out, span_of(words[choice]));
	else if (choice == 5 || g->depth >= GENERATE_DEPTH)
		generate_free_number(g);
	else
		generate_value(g, &any);
}

static inline void generate_array(struct generator *g, const struct field *rule)
{
	size_t count = rule->min_items + generate_below(g, 4);
	if (rule->max_items != 0 && count > rule->max_items)
		count = rule->max_items;
	if (g->depth >= GENERATE_DEPTH)
		count = rule->min_items;
	g->depth++;
	buf_append(g->out, SPAN("["));
	for (size_t i = 0; i < count; i++) {
		buf_append(g->out, i == 0 ? SPAN("") : SPAN(","));
		generate_space(g);
		if (rule->element == NULL)
			generate_anything(g);
		else
			generate_value(g, rule->element);
		generate_space(g);
	}
	buf_append(g->out, SPAN("]"));
	g->depth--;
}

/* One of the types that the rule allows; flat ones where the document is deep. */
static inline unsigned generate_type(struct generator *g, unsigned types)
{
	unsigned flat = types & ~(unsigned)(FIELD_ARRAY | FIELD_OBJECT);
	if (g->depth >= GENERATE_DEPTH && flat != 0)
		types = flat;
	for (;;) {
		unsigned type = 1u << generate_below(g, 6);
		if ((types & type) != 0)
			return type;
	}
}

static void generate_value(struct generator *g, const struct field *rule)
{
	switch (generate_type(g, rule->types)) {
	case FIELD_BOOLEAN:
		buf_append(g->out, generate_below(g, 2) == 0 ? SPAN("true") : SPAN("false"));
		break;
	case FIELD_INTEGER:
		generate_number(g, rule, true);
		break;
	case FIELD_NUMBER:
		generate_number(g, rule, false);
		break;
	case FIELD_STRING:
		generate_string(g, rule);
		break;
	case FIELD_ARRAY:
		generate_array(g, rule);
		break;
	default:
		generate_object(g, rule->of, rule->values);
	}
}

static inline void generate_member(struct generator *g, const char *name, const struct field *rule, bool null)
{
	buf_append(g->out, buf_span(g->out).at[buf_len(g->out) - 1] == '{' ? SPAN("") : SPAN(","));
	generate_space(g);
	generate_letters(g, name);
	generate_space(g);
	buf_append(g->out, SPAN(":"));
	generate_space(g);
	size_t start = buf_len(g->out);
	if (null)
		buf_append(g->out, SPAN("null"));
	else if (g->model != NULL && g->depth == 1 && strcmp(name, "model") == 0)
		generate_letters(g, g->model);
	else if (rule == NULL)
		generate_anything(g);
	else
		generate_value(g, rule);
	if (g->on_member != NULL)
		g->on_member(g->context, g->depth, name, start, buf_len(g->out));
	generate_space(g);
}

static inline void generate_extra(struct generator *g, const struct field *values)
{
	char name[32];
	for (unsigned i = 0, count = generate_below(g, 3); i < count; i++) {
		snprintf(name, sizeof(name), "x%u_%u", g->depth, i);
		generate_member(g, name, values, false);
	}
}

/* A discriminating member, and with it the rules of its variant; NULL when it has none. */
static inline const struct field_table *generate_variant(struct generator *g, const struct field_table *table)
{
	unsigned choice = generate_below(g, (unsigned)table->variant_count + 1);
	bool other = choice == table->variant_count;
	const char *value = other ? "a_backend_s_own" : table->variants[choice].value;
	const char *const choices[] = {value, NULL};
	const struct field rule = {.types = FIELD_STRING, .choices = choices};
	generate_member(g, table->by, &rule, false);
	return other ? NULL : table->variants[choice].table;
}

static inline void generate_rows(struct generator *g, const struct field_table *table, const char *besides)
{
	unsigned first = generate_below(g, (unsigned)table->count);
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->fields[(i + first) % table->count];
		bool wanted = generate_below(g, g->depth > 2 ? 6 : 3) == 0;
		if ((besides != NULL && strcmp(row->name, besides) == 0) || (!row->required && !wanted))
			continue;
		bool may_be_null = row->nullable || !row->required;
		generate_member(g, row->name, row, may_be_null && generate_below(g, 8) == 0);
	}
}

/* table, values: either may be NULL. */
static void generate_object(struct generator *g, const struct field_table *table, const struct field *values)
{
	g->depth++;
	buf_append(g->out, SPAN("{"));
	const struct field_table *variant = NULL;
	if (table != NULL && table->by != NULL)
		variant = generate_variant(g, table);
	if (table != NULL)
		generate_rows(g, table, table->by);
	if (variant != NULL)
		generate_rows(g, variant, NULL);
	if (table == NULL || !table->refuse_unknown)
		generate_extra(g, values);
	buf_append(g->out, SPAN("}"));
	g->depth--;
}

#endif
