/* SPDX-License-Identifier: MIT */
/* The canonical form of JSON values; see json_canonical.h. Depth is bounded by whoever read the document. */
#include "lib/json_canonical.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "lib/json_write.h"

enum { CANONICAL_INSERTED = 32 };

/* The largest integer up to which doubles hold every integer. */
#define EXACT_MOST 9007199254740992.0

struct member {
	uint64_t head; /* of the key, for comparing: its first bytes by their rank, the first one highest; then zeros */
	struct span key; /* decoded */
	uint32_t value;
};

/*
 * Order of UTF-16 code units, told from UTF-8: it is that of the bytes, but for
 * the characters from U+E000 to U+FFFF, which come behind the surrogate pairs of
 * all that lie beyond.
 */
static unsigned utf16_rank(unsigned char byte)
{
	if (byte >= 0xf0)
		return byte - 2u;
	return byte >= 0xee ? byte + 16u : byte;
}

static uint64_t head_of(struct span key)
{
	uint64_t head = 0;
	for (size_t i = 0; i < sizeof(head); i++)
		head = head << 8 | (i < key.len ? utf16_rank((unsigned char)key.at[i]) : 0);
	return head;
}

/* Most keys differ in their heads. */
static int compare_keys(const void *first, const void *second)
{
	const struct member *m = first, *n = second;
	struct span a = m->key, b = n->key;
	if (m->head != n->head)
		return m->head < n->head ? -1 : 1;
	for (size_t i = sizeof(m->head); i < a.len && i < b.len; i++) {
		unsigned x = utf16_rank((unsigned char)a.at[i]), y = utf16_rank((unsigned char)b.at[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.len > b.len) - (a.len < b.len);
}

static void write_number(const struct json *json, uint32_t node, struct buf *out)
{
	double value = 0;
	struct span raw = json_raw(json, node);
	if (json->nodes[node].integer)
		buf_append(out, span_is(raw, "-0") ? SPAN("0") : raw);
	else if (!json_double(json, node, &value))
		buf_append(out, raw);
	else if (value == trunc(value) && fabs(value) <= EXACT_MOST)
		buf_printf(out, "%" PRId64, (int64_t)value);
	else
		buf_printf(out, "%.17g", value);
}

/* Objects have few members, mostly; stable, as qsort() need not be, but names are unique anyway. */
static void sort_members(struct member *members, size_t count)
{
	if (count > CANONICAL_INSERTED) {
		qsort(members, count, sizeof(*members), compare_keys);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct member moved = members[i];
		size_t to = i;
		for (; to > 0 && compare_keys(&members[to - 1], &moved) > 0; to--)
			members[to] = members[to - 1];
		members[to] = moved;
	}
}

/* True when a string is written as it was read: it has no escapes but those that must be, in their short form. */
static bool is_canonical_string(const struct json *json, uint32_t node)
{
	struct span raw = json_raw(json, node);
	const char *end = raw.at + raw.len;
	if (!json->nodes[node].escaped)
		return true;
	for (const char *at = raw.at; (at = memchr(at, '\\', (size_t)(end - at))) != NULL; at += 2)
		if (at[1] == 'u' || at[1] == '/')
			return false;
	return true;
}

static void write_string(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out)
{
	if (is_canonical_string(json, node))
		buf_append(out, json_raw(json, node));
	else
		json_write_string(out, json_string(json, node, scratch));
}

void json_write_canonical_members(const struct json *json, uint32_t node, const struct json_members *how,
				  struct arena *scratch, struct buf *out)
{
	size_t count = 0;
	struct member *members = arena_alloc(scratch, (json->nodes[node].count + (size_t)1) * sizeof(*members));
	if (members == NULL)
		return;
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at))
		if (how->skip == NULL || !how->skip(json, at, how->context)) {
			struct span key = json_string(json, at, scratch);
			members[count++] = (struct member){head_of(key), key, at + 1};
		}
	sort_members(members, count);
	buf_append(out, SPAN("{"));
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append(out, SPAN(","));
		write_string(json, members[i].value - 1, scratch, out);
		buf_append(out, SPAN(":"));
		how->write(json, members[i].value - 1, how->context);
	}
	buf_append(out, SPAN("}"));
}

void json_write_ordered(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out)
{
	enum json_type type = json_type(json, node);
	bool object = type == JSON_OBJECT, first = true;
	if (type == JSON_STRING)
		write_string(json, node, scratch, out);
	if (type < JSON_STRING)
		buf_append(out, json_raw(json, node));
	if (type < JSON_ARRAY)
		return;
	buf_append(out, object ? SPAN("{") : SPAN("["));
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at)) {
		if (!first)
			buf_append(out, SPAN(","));
		first = false;
		if (object) {
			write_string(json, at, scratch, out);
			buf_append(out, SPAN(":"));
		}
		json_write_ordered(json, object ? at + 1 : at, scratch, out);
	}
	buf_append(out, object ? SPAN("}") : SPAN("]"));
}

/* How json_write_canonical goes on with the values of an object. */
struct deeper {
	struct arena *scratch;
	struct buf *out;
};

static void write_deeper(const struct json *json, uint32_t key, const void *context)
{
	const struct deeper *deeper = context;
	json_write_canonical(json, key + 1, deeper->scratch, deeper->out);
}

static void write_object(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out)
{
	const struct deeper deeper = {scratch, out};
	const struct json_members how = {.write = write_deeper, .context = &deeper};
	json_write_canonical_members(json, node, &how, scratch, out);
}

static void write_array(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out)
{
	bool first = true;
	buf_append(out, SPAN("["));
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at)) {
		if (!first)
			buf_append(out, SPAN(","));
		first = false;
		json_write_canonical(json, at, scratch, out);
	}
	buf_append(out, SPAN("]"));
}

void json_write_canonical(const struct json *json, uint32_t node, struct arena *scratch, struct buf *out)
{
	switch (json_type(json, node)) {
	case JSON_OBJECT:
		write_object(json, node, scratch, out);
		break;
	case JSON_ARRAY:
		write_array(json, node, scratch, out);
		break;
	case JSON_STRING:
		write_string(json, node, scratch, out);
		break;
	case JSON_NUMBER:
		write_number(json, node, out);
		break;
	default:
		buf_append(out, json_raw(json, node));
	}
}
