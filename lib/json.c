/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader's one pass over the text; json.h holds the contract. It does
 * not recurse: while a container is open, the after field of its node holds the
 * index of the container around it, so the nodes are their own stack.
 */
#include "lib/json_internal.h"
#include "lib/json_plain.h"

const char json_too_deep[] = "nested too deeply";
const char json_too_many[] = "too many values";

enum { FIRST_NODES = 65536 /* at most, before it is known how dense the text is */ };

static const uint32_t no_container = UINT32_MAX;

/*
 * Where the reader is goes from function to function as an argument and comes
 * back as the result, NULL for a refusal: kept in here it would have to be
 * stored and loaded again around every byte, which may alias it.
 */
struct reader {
	const unsigned char *start;
	const unsigned char *end;
	struct json_node *nodes;
	uint32_t count;    /* of nodes */
	uint32_t capacity; /* of nodes */
	uint32_t limit;    /* of nodes */
	uint32_t open;     /* innermost open container */
	unsigned depth_left;
	bool relaxed;
	struct json *json;
	struct arena *arena;
	struct json_fault fault;
	uint32_t twice;    /* the later of two equal keys; JSON_NONE: there are none */
	uint32_t twice_in; /* the object that holds them */
};

static const unsigned char *refuse(struct reader *r, const unsigned char *at, const char *what)
{
	r->fault = (struct json_fault){what, at};
	return NULL;
}

static inline const unsigned char *skip_space(const struct reader *r, const unsigned char *at)
{
	while (at < r->end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

/* The most nodes the text can hold: "1," takes two bytes, and only nesting takes one. */
static size_t most_nodes(const struct reader *r, size_t bytes)
{
	return bytes / 2 + r->depth_left + 2;
}

/* Doubles the nodes. Small ones stay behind in the arena: less than the new ones all together. */
static bool grow_nodes(struct reader *r, const unsigned char *at)
{
	size_t used = r->count;
	size_t most = used + most_nodes(r, (size_t)(r->end - at));
	size_t first = (size_t)(r->end - at) / 8 + 8;
	size_t capacity = used != 0 ? used * 2 : first < FIRST_NODES ? first : FIRST_NODES;
	if (capacity > most)
		capacity = most;
	if (capacity > r->limit)
		capacity = r->limit;
	if (capacity == used)
		return refuse(r, at, json_too_many) != NULL;
	struct json_node *nodes =
	    used == 0 ? arena_alloc(r->arena, capacity * sizeof(*nodes))
		      : arena_grow(r->arena, r->nodes, used * sizeof(*nodes), capacity * sizeof(*nodes));
	if (nodes == NULL)
		return refuse(r, at, "out of memory") != NULL;
	r->json->nodes = r->nodes = nodes;
	r->capacity = (uint32_t)capacity;
	return true;
}

/* Adds the node of a value from start to behind (of a container: its first byte); returns behind. */
static inline const unsigned char *add_node(struct reader *r, const unsigned char *start, const unsigned char *behind,
					    struct json_node node)
{
	if (r->count == r->capacity && !grow_nodes(r, start))
		return NULL;
	uint32_t index = r->count++;
	node.start = (uint32_t)(start - r->start);
	node.end = (uint32_t)(behind - r->start);
	node.after = index + 1;
	r->nodes[index] = node;
	return behind;
}

static const unsigned char *read_string(struct reader *r, const unsigned char *at)
{
	bool escaped = false;
	const unsigned char *behind = json_skip_plain(at + 1, r->end);
	if (behind < r->end && *behind == '"')
		behind++;
	else
		behind = json_scan_string(behind, r->end, r->relaxed, &escaped, &r->fault);
	if (behind == NULL)
		return NULL;
	return add_node(r, at, behind, (struct json_node){.type = JSON_STRING, .escaped = escaped});
}

static const unsigned char *read_number(struct reader *r, const unsigned char *at)
{
	bool integer = false;
	const unsigned char *behind = json_scan_number(at, r->end, &integer, &r->fault);
	if (behind == NULL)
		return NULL;
	if (!integer && !r->relaxed && !json_number_is_finite((struct span){(const char *)at, (size_t)(behind - at)}))
		return refuse(r, at, "number out of range");
	return add_node(r, at, behind, (struct json_node){.type = JSON_NUMBER, .integer = integer});
}

static const unsigned char *read_word(struct reader *r, const unsigned char *at, struct span word, enum json_type type)
{
	if ((size_t)(r->end - at) < word.len || memcmp(at, word.at, word.len) != 0)
		return refuse(r, at, "a value was expected");
	return add_node(r, at, at + word.len, (struct json_node){.type = (uint8_t)type});
}

/* A member's name and its colon. */
static const unsigned char *read_key(struct reader *r, const unsigned char *at)
{
	at = skip_space(r, at);
	if (at == r->end)
		return refuse(r, at, "unexpected end");
	if (*at != '"')
		return refuse(r, at, "a member name was expected");
	r->nodes[r->open].count++;
	at = read_string(r, at);
	if (at == NULL)
		return NULL;
	at = skip_space(r, at);
	if (at == r->end)
		return refuse(r, at, "unexpected end");
	return *at == ':' ? at + 1 : refuse(r, at, "':' was expected");
}

/* at points at the closing bracket. */
static const unsigned char *close_container(struct reader *r, const unsigned char *at)
{
	struct json_node *n = &r->nodes[r->open];
	uint32_t closing = r->open;
	at++;
	r->open = n->after;
	r->depth_left++;
	n->end = (uint32_t)(at - r->start);
	n->after = r->count;
	if (n->type != JSON_OBJECT || n->count < 2)
		return at;
	uint32_t key = 0;
	switch (json_find_duplicate(r->json, closing, &key)) {
	case JSON_DUPLICATE:
		r->twice = key;
		r->twice_in = closing;
		n->after = r->open; /* as open containers have it: json_step_out() goes that way */
		return refuse(r, r->start + r->nodes[key].start, "duplicate key");
	case JSON_UNKNOWN:
		return refuse(r, at, "out of memory");
	default:
		return at;
	}
}

/* Opens a container; *whole tells that it was closed again at once. */
static const unsigned char *open_container(struct reader *r, const unsigned char *at, enum json_type type, bool *whole)
{
	if (r->depth_left == 0)
		return refuse(r, at, json_too_deep);
	r->depth_left--;
	if (add_node(r, at, at, (struct json_node){.type = (uint8_t)type}) == NULL)
		return NULL;
	uint32_t index = r->count - 1;
	r->nodes[index].after = r->open;
	r->open = index;
	at = skip_space(r, at + 1);
	*whole = at < r->end && *at == (type == JSON_OBJECT ? '}' : ']');
	if (*whole)
		return close_container(r, at);
	return type == JSON_OBJECT ? read_key(r, at) : at;
}

/* Reads a value; *whole is false when a container was opened and its first value comes next. */
static const unsigned char *read_value(struct reader *r, const unsigned char *at, bool *whole)
{
	at = skip_space(r, at);
	if (at == r->end)
		return refuse(r, at, "unexpected end");
	if (r->open != no_container && r->nodes[r->open].type == JSON_ARRAY)
		r->nodes[r->open].count++;
	*whole = true;
	switch (*at) {
	case '{':
		return open_container(r, at, JSON_OBJECT, whole);
	case '[':
		return open_container(r, at, JSON_ARRAY, whole);
	case '"':
		return read_string(r, at);
	case 't':
		return read_word(r, at, SPAN("true"), JSON_TRUE);
	case 'f':
		return read_word(r, at, SPAN("false"), JSON_FALSE);
	case 'n':
		return read_word(r, at, SPAN("null"), JSON_NULL);
	default:
		if (*at == '-' || (*at >= '0' && *at <= '9'))
			return read_number(r, at);
		return refuse(r, at, "a value was expected");
	}
}

/* Behind a value: closes what ends here. *more is true when a comma announced another value. */
static const unsigned char *read_behind(struct reader *r, const unsigned char *at, bool *more)
{
	*more = false;
	while (r->open != no_container) {
		bool object = r->nodes[r->open].type == JSON_OBJECT;
		at = skip_space(r, at);
		if (at == r->end)
			return refuse(r, at, "unexpected end");
		if (*at == ',') {
			*more = true;
			return object ? read_key(r, at + 1) : at + 1;
		}
		if (*at != (object ? '}' : ']'))
			return refuse(r, at, object ? "',' or '}' was expected" : "',' or ']' was expected");
		at = close_container(r, at);
		if (at == NULL)
			return NULL;
	}
	return at;
}

static bool read_document(struct reader *r)
{
	const unsigned char *at = r->start;
	if (r->end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
		return refuse(r, at, "byte order mark") != NULL;
	bool more = true;
	while (more) {
		bool whole = false;
		at = read_value(r, at, &whole);
		if (at != NULL && whole)
			at = read_behind(r, at, &more);
		if (at == NULL)
			return false;
	}
	at = skip_space(r, at);
	return at == r->end || refuse(r, at, "unexpected bytes after the document") != NULL;
}

static void fill_error(struct json_error *error, const struct reader *r)
{
	*error = (struct json_error){.what = r->fault.what,
				     .offset = (size_t)(r->fault.at - r->start),
				     .line = 1,
				     .key = r->twice,
				     .object = r->twice_in};
	const unsigned char *line = r->start;
	for (const unsigned char *lf; (lf = memchr(line, '\n', (size_t)(r->fault.at - line))) != NULL; line = lf + 1)
		error->line++;
	error->column = (uint32_t)(r->fault.at - line) + 1;
}

bool json_step_out(const struct json *json, uint32_t *container, uint32_t *key, uint32_t *index)
{
	uint32_t around = json->nodes[*container].after;
	if (around == no_container)
		return false;
	const struct json_node *n = &json->nodes[around];
	*key = n->type == JSON_OBJECT ? *container - 1 : JSON_NONE;
	*index = n->count - 1;
	*container = around;
	return true;
}

static bool parse(struct json *json, struct arena *arena, struct span text, struct json_limits limits, bool relaxed,
		  struct json_error *error)
{
	const unsigned char *start = (const unsigned char *)(text.at == NULL ? "" : text.at);
	*json = (struct json){.text = {(const char *)start, text.len}};
	struct reader r = {
	    .start = start,
	    .end = start + text.len,
	    .open = no_container,
	    .limit = limits.values == 0 ? UINT32_MAX : limits.values,
	    .depth_left = limits.depth,
	    .relaxed = relaxed,
	    .json = json,
	    .arena = arena,
	};
	bool good = text.len < UINT32_MAX ? read_document(&r) : refuse(&r, start, "document too large") != NULL;
	json->node_count = r.count;
	if (good)
		json->nodes = arena_shrink(arena, r.nodes, r.capacity * sizeof(*r.nodes), r.count * sizeof(*r.nodes));
	else
		fill_error(error, &r);
	return good;
}

bool json_parse(struct json *json, struct arena *arena, struct span text, unsigned max_depth, struct json_error *error)
{
	return parse(json, arena, text, (struct json_limits){.depth = max_depth}, false, error);
}

bool json_parse_within(struct json *json, struct arena *arena, struct span text, const struct json_limits *limits,
		       struct json_error *error)
{
	return parse(json, arena, text, *limits, false, error);
}

bool json_parse_relaxed(struct json *json, struct arena *arena, struct span text, const struct json_limits *limits,
			struct json_error *error)
{
	return parse(json, arena, text, *limits, true, error);
}
