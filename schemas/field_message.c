/* SPDX-License-Identifier: MIT */
/*
 * The words of a finding. A client's strings are quoted only where a few words
 * are allowed: elsewhere they may be a prompt, which must not reach a log.
 */
#include "schemas/field_message.h"

#include <math.h>

#include "lib/json_write.h"
#include "lib/utf8.h"

enum { MESSAGE_CEILING = 4096, QUOTED_MOST = 48, NAME_MOST = 128, INPUT_MOST = 256 };

static const double shown_most = 1000000; /* a larger upper bound is told only to who passes it */

/* Text cut to most bytes at a whole character; *cut tells whether. */
static struct span clip(struct span text, size_t most, bool *cut)
{
	*cut = text.len > most;
	if (!*cut)
		return text;
	while (most > 0 && utf8_is_tail((unsigned char)text.at[most]))
		most--;
	return (struct span){text.at, most};
}

static void write_clipped(struct buf *out, struct span text, size_t most)
{
	bool cut = false;
	buf_append(out, clip(text, most, &cut));
	if (cut)
		buf_append(out, SPAN("…"));
}

static void write_path(struct buf *out, const struct field_place *place)
{
	if (place == NULL)
		return;
	write_path(out, place->around);
	if (place->name.at == NULL) {
		buf_printf(out, "[%u]", place->index);
		return;
	}
	if (place->around != NULL)
		buf_append(out, SPAN("."));
	write_clipped(out, place->name.len == 0 ? SPAN("\"\"") : place->name, NAME_MOST);
}

static void write_steps(struct buf *out, const struct field_place *place)
{
	bool cut = false;
	if (place == NULL)
		return;
	write_steps(out, place->around);
	buf_append(out, SPAN(","));
	if (place->name.at == NULL)
		buf_printf(out, "%u", place->index);
	else
		json_write_string(out, clip(place->name, NAME_MOST, &cut));
}

/* Moves what was written into the arena. */
static struct span finish(struct arena *arena, struct buf *out)
{
	struct span text = {NULL, 0};
	if (!buf_failed(out))
		text = arena_copy(arena, buf_span(out));
	buf_fini(out);
	return text;
}

struct span field_path(struct arena *arena, const struct field_place *place)
{
	if (place == NULL)
		return (struct span){NULL, 0};
	struct buf out;
	buf_init(&out, MESSAGE_CEILING);
	write_path(&out, place);
	return finish(arena, &out);
}

struct span field_location(struct arena *arena, const char *where, const struct field_place *place)
{
	struct buf out;
	buf_init(&out, MESSAGE_CEILING);
	buf_append(&out, SPAN("["));
	json_write_string(&out, span_of(where));
	write_steps(&out, place);
	buf_append(&out, SPAN("]"));
	return finish(arena, &out);
}

struct span field_input(struct arena *arena, const struct json *json, uint32_t node)
{
	struct buf out;
	bool cut = false;
	struct span raw = json_raw(json, node);
	struct span begins = clip(raw, INPUT_MOST, &cut);
	if (!cut)
		return raw;
	struct span text = arena_printf(arena, "%.*s…", SPAN_ARG(begins));
	if (text.at == NULL)
		return text;
	buf_init(&out, MESSAGE_CEILING);
	json_write_string(&out, text);
	return finish(arena, &out);
}

static void write_bounds(struct buf *out, const struct field *field, double value)
{
	if (field->min == field->max)
		return;
	if (field->max < shown_most)
		buf_printf(out, " between %.15g and %.15g", field->min, field->max);
	else if (value > field->max)
		buf_printf(out, " of at most %.15g", field->max);
	else
		buf_printf(out, " of at least %.15g", field->min);
}

static void write_choices(struct buf *out, const char *const *choices)
{
	buf_append(out, SPAN("one of "));
	for (size_t i = 0; choices[i] != NULL; i++)
		buf_printf(out, "%s\"%s\"", i == 0 ? "" : ", ", choices[i]);
}

static void write_string_rule(struct buf *out, const struct field *field)
{
	if (field->choices != NULL) {
		write_choices(out, field->choices);
		return;
	}
	buf_append(out, field->min_length == 1 ? SPAN("a non-empty string") : SPAN("a string"));
	if (field->min_length > 1)
		buf_printf(out, " of at least %zu", field->min_length);
	if (field->max_length != 0)
		buf_printf(out, "%s at most %zu", field->min_length > 1 ? " and" : " of", field->max_length);
	if (field->min_length > 1 || field->max_length != 0)
		buf_append(out, SPAN(" characters"));
	if (field->pattern != NULL)
		buf_printf(out, " that matches %s", field->pattern);
}

/* What the rule allows for one type; value decides which bound is told. */
static void write_type(struct buf *out, const struct field *field, unsigned type, double value)
{
	switch (type) {
	case FIELD_BOOLEAN:
		buf_append(out, field->off ? SPAN("false") : SPAN("true or false"));
		break;
	case FIELD_INTEGER:
	case FIELD_NUMBER:
		buf_append(out, type == FIELD_INTEGER ? SPAN("an integer") : SPAN("a number"));
		write_bounds(out, field, value);
		break;
	case FIELD_STRING:
		write_string_rule(out, field);
		break;
	case FIELD_ARRAY:
		buf_append(out, field->min_items > 0 ? SPAN("a non-empty array") : SPAN("an array"));
		if (field->max_items != 0)
			buf_printf(out, " of at most %zu elements", field->max_items);
		break;
	default:
		buf_append(out, field->name == NULL && field->of == NULL ? SPAN("a JSON object") : SPAN("an object"));
	}
}

/* value: decides which bound is reported. */
static void write_allowed(struct buf *out, const struct field *field, double value)
{
	static const unsigned order[] = {FIELD_STRING, FIELD_BOOLEAN, FIELD_INTEGER,
					 FIELD_NUMBER, FIELD_ARRAY,   FIELD_OBJECT};
	unsigned left = field->types;
	if ((left & FIELD_NUMBER) != 0)
		left &= ~(unsigned)FIELD_INTEGER;
	bool first = true;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if ((left & order[i]) == 0)
			continue;
		left &= ~order[i];
		if (!first)
			buf_append(out, left == 0 ? SPAN(" or ") : SPAN(", "));
		first = false;
		write_type(out, field, order[i], value);
	}
}

static void write_got(struct buf *out, const struct json *json, const struct field *field, uint32_t node)
{
	const struct json_node *n = &json->nodes[node];
	switch (n->type) {
	case JSON_ARRAY:
		if (n->count > 0 && (field->types & FIELD_ARRAY) != 0)
			buf_printf(out, "%u elements", n->count);
		else
			buf_append(out, n->count == 0 ? SPAN("an empty array") : SPAN("an array"));
		break;
	case JSON_OBJECT:
		buf_append(out, SPAN("an object"));
		break;
	case JSON_STRING:
		if (field->choices != NULL || field->pattern != NULL)
			write_clipped(out, json_raw(json, node), QUOTED_MOST);
		else
			buf_append(out, n->end - n->start == 2 ? SPAN("an empty string") : SPAN("a string"));
		break;
	default:
		write_clipped(out, json_raw(json, node), QUOTED_MOST);
	}
}

struct span field_message(struct arena *arena, const struct json *json, const struct field *field,
			  const struct field_place *place, uint32_t node)
{
	struct buf out;
	buf_init(&out, MESSAGE_CEILING);
	double value = 0;
	if (json_type(json, node) == JSON_NUMBER && !json_double(json, node, &value))
		value = json_raw(json, node).at[0] == '-' ? -INFINITY : INFINITY;
	if (place == NULL)
		buf_append(&out, SPAN("The request body"));
	write_path(&out, place);
	if (field->types == 0) {
		buf_printf(&out, " has no place here: %s", field->doc);
		return finish(arena, &out);
	}
	buf_append(&out, SPAN(" must be "));
	write_allowed(&out, field, value);
	buf_append(&out, SPAN("; got "));
	write_got(&out, json, field, node);
	return finish(arena, &out);
}

void field_write_doc(struct buf *out, const struct field *field)
{
	buf_append(out, span_of(field->doc));
	if (field->strict == NULL)
		return;
	buf_append(out, SPAN(" A model with `strict: true` accepts only "));
	write_allowed(out, field->strict, 0);
	buf_append(out, field->strict->required ? SPAN(", and requires it.") : SPAN("."));
}

struct span field_missing_message(struct arena *arena, const struct field_place *place)
{
	struct buf out;
	buf_init(&out, MESSAGE_CEILING);
	write_path(&out, place);
	buf_append(&out, SPAN(" is required"));
	return finish(arena, &out);
}

struct span field_excluded_message(struct arena *arena, const struct field_place *place, struct span other)
{
	struct buf out;
	buf_init(&out, MESSAGE_CEILING);
	write_path(&out, place);
	buf_printf(&out, " does not go with %.*s; give one of them", SPAN_ARG(other));
	return finish(arena, &out);
}

struct span field_unknown_message(struct arena *arena, const struct field_place *place, struct span near)
{
	struct buf out;
	buf_init(&out, MESSAGE_CEILING);
	write_path(&out, place);
	buf_append(&out, SPAN(" is not known here"));
	if (near.at != NULL)
		buf_printf(&out, "; did you mean \"%.*s\"?", SPAN_ARG(near));
	return finish(arena, &out);
}
