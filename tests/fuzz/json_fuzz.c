/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader on any bytes: the nodes of what it accepts must hang together,
 * strings must survive decoding and writing, numbers must be the nearest double.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/json.h"
#include "lib/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A string, decoded, written and read again, is the same string. */
static void check_string(const struct json *json, uint32_t node, struct arena *arena)
{
	struct span text = json_string(json, node, arena);
	struct buf out;
	struct json again;
	struct json_error error;
	assert(text.at != NULL);
	buf_init(&out, text.len * 6 + 2);
	json_write_string(&out, text);
	assert(!buf_failed(&out));
	assert(json_parse_relaxed(&again, arena, buf_span(&out), &JSON_DEPTH(1), &error));
	assert(span_equal(json_string(&again, 0, arena), text));
	buf_fini(&out);
}

static void check_number(const struct json *json, uint32_t node, struct arena *arena)
{
	double value = 0;
	int64_t integer = 0;
	struct span raw = arena_copy(arena, json_raw(json, node));
	double want = strtod(raw.at, NULL);
	bool finite = json_double(json, node, &value);
	assert(finite == (isfinite(want) != 0));
	assert(!finite || memcmp(&value, &want, sizeof(value)) == 0);
	if (json_int(json, node, &integer))
		assert(integer == strtoll(raw.at, NULL, 10));
}

static void check_container(const struct json *json, uint32_t node)
{
	const struct json_node *n = &json->nodes[node];
	uint32_t count = 0, last = n->start;
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at), count++) {
		assert(json->nodes[at].start > last && json->nodes[at].end < n->end);
		last = json->nodes[at].start;
		if (n->type == JSON_OBJECT)
			assert(json_type(json, at) == JSON_STRING && json->nodes[at + 1].start > json->nodes[at].end);
	}
	assert(count == n->count);
}

static void check_nodes(const struct json *json, struct arena *arena)
{
	assert(json->nodes[0].after == json->node_count);
	for (uint32_t i = 0; i < json->node_count; i++) {
		const struct json_node *n = &json->nodes[i];
		assert(n->start < n->end && n->end <= json->text.len);
		assert(n->after > i && n->after <= json->node_count);
		assert(json_type_name(json, i) != NULL);
		if (n->type == JSON_STRING)
			check_string(json, i, arena);
		else if (n->type == JSON_NUMBER)
			check_number(json, i, arena);
		else
			check_container(json, i);
	}
}

static bool node_equal(const struct json_node *a, const struct json_node *b)
{
	return a->start == b->start && a->end == b->end && a->after == b->after && a->count == b->count &&
	       a->type == b->type && a->escaped == b->escaped && a->integer == b->integer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct arena arena;
	struct json strict, relaxed;
	struct json_error error;
	arena_init(&arena, 0);
	bool is_strict = json_parse(&strict, &arena, text, 64, &error);
	assert(is_strict || (error.offset <= size && error.line >= 1 && error.column >= 1));
	bool is_relaxed = json_parse_relaxed(&relaxed, &arena, text, &JSON_DEPTH(64), &error);
	assert(!is_strict || is_relaxed);
	if (is_strict) {
		assert(strict.node_count == relaxed.node_count);
		for (uint32_t i = 0; i < strict.node_count; i++)
			assert(node_equal(&strict.nodes[i], &relaxed.nodes[i]));
	}
	if (is_relaxed)
		check_nodes(&relaxed, &arena);
	arena_fini(&arena);
	return 0;
}
