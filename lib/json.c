/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader's one pass over the text; json.h holds the contract. It does
 * not recurse: while a container is open, the after field of its node holds the
 * index of the container around it, so the nodes are their own stack.
 */
#include "lib/json_internal.h"

static const uint32_t no_container = UINT32_MAX;

struct reader {
	const unsigned char *start;
	const unsigned char *at;
	const unsigned char *end;
	struct json *json;
	struct arena *arena;
	uint32_t capacity; /* of json->nodes */
	uint32_t open;     /* innermost open container */
	unsigned depth_left;
	bool relaxed;
	struct json_fault fault;
};

static bool refuse(struct reader *r, const unsigned char *at, const char *what)
{
	r->fault = (struct json_fault){what, at};
	return false;
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct reader *r)
{
	while (r->at < r->end && is_space(*r->at))
		r->at++;
}

/* The most nodes the text can hold: "1," takes two bytes, and only nesting takes one. */
static size_t most_nodes(const struct reader *r, size_t bytes)
{
	return bytes / 2 + r->depth_left + 2;
}

/* Doubles the nodes. The old ones stay behind in the arena: less than the new ones all together. */
static bool grow_nodes(struct reader *r)
{
	size_t used = r->json->node_count;
	size_t most = used + most_nodes(r, (size_t)(r->end - r->at));
	size_t capacity = used == 0 ? (size_t)(r->end - r->at) / 8 + 8 : used * 2;
	if (capacity > most)
		capacity = most;
	if (capacity > UINT32_MAX)
		capacity = UINT32_MAX;
	struct json_node *nodes = arena_alloc(r->arena, capacity * sizeof(*nodes));
	if (nodes == NULL)
		return refuse(r, r->at, "out of memory");
	if (used != 0)
		memcpy(nodes, r->json->nodes, used * sizeof(*nodes));
	r->json->nodes = nodes;
	r->capacity = (uint32_t)capacity;
	return true;
}

/* Adds the node of a value that starts at start and, unless it is a container, ends at r->at. */
static bool add_node(struct reader *r, const unsigned char *start, enum json_type type, bool escaped, bool integer)
{
	if (r->json->node_count == r->capacity && !grow_nodes(r))
		return false;
	uint32_t index = r->json->node_count++;
	r->json->nodes[index] = (struct json_node){
	    .start = (uint32_t)(start - r->start),
	    .end = (uint32_t)(r->at - r->start),
	    .after = index + 1,
	    .type = (uint8_t)type,
	    .escaped = escaped,
	    .integer = integer,
	};
	return true;
}

static bool read_string(struct reader *r)
{
	const unsigned char *start = r->at;
	bool escaped = false;
	const unsigned char *behind = json_scan_string(start + 1, r->end, r->relaxed, &escaped, &r->fault);
	if (behind == NULL)
		return false;
	r->at = behind;
	return add_node(r, start, JSON_STRING, escaped, false);
}

static bool read_number(struct reader *r)
{
	const unsigned char *start = r->at;
	bool integer = false;
	const unsigned char *behind = json_scan_number(start, r->end, &integer, &r->fault);
	if (behind == NULL)
		return false;
	if (!integer && !r->relaxed &&
	    !json_number_is_finite((struct span){(const char *)start, (size_t)(behind - start)}))
		return refuse(r, start, "number out of range");
	r->at = behind;
	return add_node(r, start, JSON_NUMBER, false, integer);
}

static bool read_word(struct reader *r, const char *word, enum json_type type)
{
	const unsigned char *start = r->at;
	size_t len = strlen(word);
	if ((size_t)(r->end - start) < len || memcmp(start, word, len) != 0)
		return refuse(r, start, "a value was expected");
	r->at += len;
	return add_node(r, start, type, false, false);
}

/* A member's name and its colon. */
static bool read_key(struct reader *r)
{
	skip_space(r);
	if (r->at == r->end)
		return refuse(r, r->at, "unexpected end");
	if (*r->at != '"')
		return refuse(r, r->at, "a member name was expected");
	r->json->nodes[r->open].count++;
	if (!read_string(r))
		return false;
	skip_space(r);
	if (r->at == r->end)
		return refuse(r, r->at, "unexpected end");
	if (*r->at != ':')
		return refuse(r, r->at, "':' was expected");
	r->at++;
	return true;
}

static bool close_container(struct reader *r)
{
	struct json_node *n = &r->json->nodes[r->open];
	uint32_t closing = r->open;
	r->at++;
	r->open = n->after;
	r->depth_left++;
	n->end = (uint32_t)(r->at - r->start);
	n->after = r->json->node_count;
	if (n->type != JSON_OBJECT || n->count < 2)
		return true;
	uint32_t key = 0;
	switch (json_find_duplicate(r->json, closing, &key)) {
	case JSON_DUPLICATE:
		return refuse(r, r->start + r->json->nodes[key].start, "duplicate key");
	case JSON_UNKNOWN:
		return refuse(r, r->at, "out of memory");
	default:
		return true;
	}
}

/* Opens a container; *empty tells that it was closed again at once. */
static bool open_container(struct reader *r, enum json_type type, bool *empty)
{
	if (r->depth_left == 0)
		return refuse(r, r->at, "nested too deeply");
	r->depth_left--;
	if (!add_node(r, r->at, type, false, false))
		return false;
	uint32_t index = r->json->node_count - 1;
	r->json->nodes[index].after = r->open;
	r->open = index;
	r->at++;
	skip_space(r);
	*empty = r->at < r->end && *r->at == (type == JSON_OBJECT ? '}' : ']');
	if (*empty)
		return close_container(r);
	return type == JSON_OBJECT ? read_key(r) : true;
}

/* Reads a value; *whole is false when a container was opened and its first value comes next. */
static bool read_value(struct reader *r, bool *whole)
{
	skip_space(r);
	if (r->at == r->end)
		return refuse(r, r->at, "unexpected end");
	if (r->open != no_container && r->json->nodes[r->open].type == JSON_ARRAY)
		r->json->nodes[r->open].count++;
	*whole = true;
	switch (*r->at) {
	case '{':
		return open_container(r, JSON_OBJECT, whole);
	case '[':
		return open_container(r, JSON_ARRAY, whole);
	case '"':
		return read_string(r);
	case 't':
		return read_word(r, "true", JSON_TRUE);
	case 'f':
		return read_word(r, "false", JSON_FALSE);
	case 'n':
		return read_word(r, "null", JSON_NULL);
	default:
		if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
			return read_number(r);
		return refuse(r, r->at, "a value was expected");
	}
}

/* Behind a value: closes what ends here. *more is true when a comma announced another value. */
static bool read_behind(struct reader *r, bool *more)
{
	*more = false;
	while (r->open != no_container) {
		bool object = r->json->nodes[r->open].type == JSON_OBJECT;
		skip_space(r);
		if (r->at == r->end)
			return refuse(r, r->at, "unexpected end");
		if (*r->at == ',') {
			r->at++;
			*more = true;
			return object ? read_key(r) : true;
		}
		if (*r->at != (object ? '}' : ']'))
			return refuse(r, r->at, object ? "',' or '}' was expected" : "',' or ']' was expected");
		if (!close_container(r))
			return false;
	}
	return true;
}

static bool read_document(struct reader *r)
{
	if (r->end - r->at >= 3 && memcmp(r->at, "\xEF\xBB\xBF", 3) == 0)
		return refuse(r, r->at, "byte order mark");
	bool more = true;
	while (more) {
		bool whole = false;
		if (!read_value(r, &whole))
			return false;
		if (whole && !read_behind(r, &more))
			return false;
	}
	skip_space(r);
	return r->at == r->end || refuse(r, r->at, "unexpected bytes after the document");
}

static void fill_error(struct json_error *error, const struct reader *r)
{
	*error = (struct json_error){.what = r->fault.what, .offset = (size_t)(r->fault.at - r->start), .line = 1};
	const unsigned char *line = r->start;
	for (const unsigned char *lf; (lf = memchr(line, '\n', (size_t)(r->fault.at - line))) != NULL; line = lf + 1)
		error->line++;
	error->column = (uint32_t)(r->fault.at - line) + 1;
}

static bool parse(struct json *json, struct arena *arena, struct span text, unsigned max_depth, bool relaxed,
		  struct json_error *error)
{
	const unsigned char *start = (const unsigned char *)(text.at == NULL ? "" : text.at);
	*json = (struct json){.text = {(const char *)start, text.len}};
	struct reader r = {
	    .start = start,
	    .at = start,
	    .end = start + text.len,
	    .json = json,
	    .arena = arena,
	    .open = no_container,
	    .depth_left = max_depth,
	    .relaxed = relaxed,
	};
	if (text.len >= UINT32_MAX)
		refuse(&r, start, "document too large");
	else if (read_document(&r))
		return true;
	fill_error(error, &r);
	return false;
}

bool json_parse(struct json *json, struct arena *arena, struct span text, unsigned max_depth, struct json_error *error)
{
	return parse(json, arena, text, max_depth, false, error);
}

bool json_parse_relaxed(struct json *json, struct arena *arena, struct span text, unsigned max_depth,
			struct json_error *error)
{
	return parse(json, arena, text, max_depth, true, error);
}
