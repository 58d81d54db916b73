/* SPDX-License-Identifier: MIT */
/*
 * A strict JSON reader (RFC 8259): one pass over borrowed bytes gives a flat
 * array of nodes that keep byte ranges, never values. Numbers stay the text
 * they were (64-bit integers survive), strings stay escaped until asked for,
 * and an editor can splice the original bytes by a node's range.
 *
 * Refused, with line and column: invalid UTF-8, a BOM, control characters, NUL
 * (raw or as \u0000), lone surrogates, duplicate keys, trailing bytes, leading
 * zeros, numbers with fraction or exponent that no double can hold, nesting
 * deeper than the limit. Integers may be of any size. Work and memory are linear in the input
 * (duplicate keys of a wide object are found by hashing).
 */
#ifndef SLUICE_LIB_JSON_H
#define SLUICE_LIB_JSON_H

#include <stdint.h>

#include "lib/arena.h"
#include "lib/span.h"

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/*
 * Nodes lie in document order: an array is followed by its elements, an object
 * by key, value, key, value, …, each value by its own descendants.
 */
struct json_node {
	uint32_t start; /* offset of the first byte; of a string: its opening quote */
	uint32_t end;   /* offset behind the last byte */
	uint32_t after; /* index of the node behind this one and all its descendants */
	uint32_t count; /* elements of an array, members of an object */
	uint8_t type;   /* enum json_type */
	bool escaped;   /* a string that holds a backslash */
	bool integer;   /* a number without fraction and exponent */
};

struct json {
	struct span text;        /* borrowed */
	struct json_node *nodes; /* in the arena; nodes[0] is the root */
	uint32_t node_count;
};

/* What a document may be at most. */
struct json_limits {
	unsigned depth;  /* levels of nesting, 1 = a flat object */
	unsigned values; /* and names of members, together: each is a node; 0 = any number */
};

/* A limit of levels alone. */
#define JSON_DEPTH(levels) ((const struct json_limits){.depth = (levels)})

/* What is wrong with a document of too many levels, or of too many values. */
extern const char json_too_deep[], json_too_many[];

struct json_error {
	const char *what; /* static: what is wrong, e.g. "duplicate key" */
	size_t offset;    /* where, bytes from the start */
	uint32_t line;    /* from 1 */
	uint32_t column;  /* bytes from 1 */
	uint32_t key;     /* of a duplicate key: its node; else JSON_NONE */
	uint32_t object;  /* of a duplicate key: the object that has it */
};

/*
 * Returns the container around an open one after json_parse() refused a duplicate key: start with error.object.
 * False at the root. *key: the name under which the container stands in an object; JSON_NONE: it is element *index of
 * an array.
 */
bool json_step_out(const struct json *json, uint32_t *container, uint32_t *key, uint32_t *index);

enum { JSON_NONE = 0 }; /* "no such node": index 0 is the root and nobody's child */

/*
 * Reads one document. text: borrows, at most 4 GiB - 1, and json keeps pointing
 * into it. max_depth: levels of nesting allowed, 1 = a flat object. False with
 * *error filled when the text is refused or the arena is exhausted
 * (what = "out of memory").
 */
bool json_parse(struct json *json, struct arena *arena, struct span text, unsigned max_depth, struct json_error *error);

/* As json_parse, with a limit of values as well. */
bool json_parse_within(struct json *json, struct arena *arena, struct span text, const struct json_limits *limits,
		       struct json_error *error);

/*
 * As json_parse, for what backends send: text that a model generated may hold \u0000 and lone surrogates, escaped, and
 * numbers may be of any size.
 * json_string() gives a NUL byte and U+FFFD for them.
 */
bool json_parse_relaxed(struct json *json, struct arena *arena, struct span text, const struct json_limits *limits,
			struct json_error *error);

/* The value of member key of the object at index object; JSON_NONE when absent or when it is not an object.
 * Case-sensitive. */
uint32_t json_member(const struct json *json, uint32_t object, const char *key);

/*
 * Iteration over an object or array:
 *   for (uint32_t at = json_first(j, node); at != JSON_NONE; at = json_next(j, node, at))
 * In an object, at is the key; the value is at + 1. json_next steps over key and value.
 */
static inline uint32_t json_first(const struct json *json, uint32_t container)
{
	const struct json_node *n = &json->nodes[container];
	return n->type < JSON_ARRAY || n->count == 0 ? JSON_NONE : container + 1;
}

static inline uint32_t json_next(const struct json *json, uint32_t container, uint32_t at)
{
	const struct json_node *n = &json->nodes[container];
	uint32_t next = json->nodes[n->type == JSON_OBJECT ? at + 1 : at].after;
	return next < n->after ? next : JSON_NONE;
}

static inline enum json_type json_type(const struct json *json, uint32_t node)
{
	return (enum json_type)json->nodes[node].type;
}

/* The node's own bytes, quotes included. */
static inline struct span json_raw(const struct json *json, uint32_t node)
{
	const struct json_node *n = &json->nodes[node];
	return (struct span){json->text.at + n->start, n->end - n->start};
}

/* A string's decoded bytes: borrowed from the text when nothing is escaped, else a copy in the arena ({NULL,0} on
 * exhaustion). */
struct span json_string(const struct json *json, uint32_t node, struct arena *arena);

/* As json_string_is, for a string that holds a backslash. */
bool json_escaped_is(const struct json *json, uint32_t node, struct span text);

/* True when node, a string, has these decoded bytes (which need no escape in JSON). */
static inline bool json_string_equals(const struct json *json, uint32_t node, struct span text)
{
	const struct json_node *n = &json->nodes[node];
	if (n->escaped)
		return json_escaped_is(json, node, text);
	return n->end - n->start - 2 == text.len && memcmp(json->text.at + n->start + 1, text.at, text.len) == 0;
}

/* True when node is a string whose decoded bytes equal text (which needs no escape in JSON). */
static inline bool json_string_is(const struct json *json, uint32_t node, const char *text)
{
	return json->nodes[node].type == JSON_STRING && json_string_equals(json, node, span_of(text));
}

/* An integer number that fits int64_t. False otherwise. */
bool json_int(const struct json *json, uint32_t node, int64_t *value);

/* Any number, as the nearest double; locale-independent. False when it is no number or not finite. */
bool json_double(const struct json *json, uint32_t node, double *value);

/* "null", "boolean", "integer", "number", "string", "array", "object": the word for messages. */
const char *json_type_name(const struct json *json, uint32_t node);

#endif
