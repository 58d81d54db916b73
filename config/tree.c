/* SPDX-License-Identifier: MIT */
/*
 * From libyaml's events to the tree. Texts in findings are libyaml's constant
 * explanations or our own: never a piece of the file, which may hold a secret.
 */
#include "config/tree.h"

#include <stdlib.h>

#include <yaml.h>

struct tree_reader {
	struct arena *arena;
	struct findings *findings;
	struct span yaml;
	yaml_parser_t parser;
	size_t nodes;
};

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

/* Encoding errors come with an offset only. */
static unsigned line_at(struct span yaml, size_t offset)
{
	unsigned line = 1;
	for (size_t i = 0; i < offset && i < yaml.len; i++)
		line += yaml.at[i] == '\n';
	return line;
}

static void report_syntax(struct tree_reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem == NULL ? "out of memory" : parser->problem;
	unsigned line = parser->error == YAML_READER_ERROR ? line_at(reader->yaml, parser->problem_offset)
							   : (unsigned)parser->problem_mark.line + 1;
	if (parser->context == NULL)
		findings_add(reader->findings, line, NULL, "not valid YAML: %s", problem);
	else
		findings_add(reader->findings, line, NULL, "not valid YAML: %s %s, which starts at line %u", problem,
			     parser->context, (unsigned)parser->context_mark.line + 1);
}

static bool next_event(struct tree_reader *reader, yaml_event_t *event)
{
	if (yaml_parser_parse(&reader->parser, event))
		return true;
	report_syntax(reader);
	return false;
}

static bool tree_refuse(struct tree_reader *reader, unsigned line, const char *what)
{
	findings_add(reader->findings, line, NULL, "%s", what);
	return false;
}

/* Decorations that could change what a value means are refused. */
static bool accept_plain(struct tree_reader *reader, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL;
	const yaml_char_t *tag = NULL;
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (event->type == YAML_ALIAS_EVENT || anchor != NULL)
		return tree_refuse(
		    reader, line_of(event),
		    "YAML anchors (&name) and aliases (*name) are not supported; write the value out, or in "
		    "quotes when it begins with & or *");
	if (tag != NULL)
		return tree_refuse(
		    reader, line_of(event),
		    "YAML tags (!name) are not supported; write the value in quotes when it begins with !");
	return true;
}

static bool is_null(const yaml_event_t *event, struct span text)
{
	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text.len == 0 || span_is(text, "~") || span_is(text, "null"));
}

static struct span copy_scalar(struct tree_reader *reader, const yaml_event_t *event)
{
	struct span text = {(const char *)event->data.scalar.value, event->data.scalar.length};
	if (text.len != 0 && memchr(text.at, '\0', text.len) != NULL) {
		tree_refuse(reader, line_of(event), "a NUL character is not allowed in a value");
		return (struct span){NULL, 0};
	}
	return arena_copy(reader->arena, text);
}

static struct tree_node *new_node(struct tree_reader *reader, enum tree_kind kind, unsigned line)
{
	if (++reader->nodes > TREE_NODES_MAX) {
		tree_refuse(reader, line, "the file holds too many values");
		return NULL;
	}
	struct tree_node *node = arena_zalloc(reader->arena, 1, sizeof(*node));
	if (node == NULL) {
		tree_refuse(reader, line, "out of memory");
		return NULL;
	}
	*node = (struct tree_node){.kind = kind, .line = line, .key_line = line};
	return node;
}

static struct tree_node *read_node(struct tree_reader *reader, const yaml_event_t *event, unsigned depth);

/* The key of a mapping's next member. */
static bool read_key(struct tree_reader *reader, const yaml_event_t *event, struct span *key)
{
	if (!accept_plain(reader, event))
		return false;
	if (event->type != YAML_SCALAR_EVENT)
		return tree_refuse(reader, line_of(event), "a key must be a string");
	*key = copy_scalar(reader, event);
	return key->at != NULL;
}

/* Reads one child, of a mapping with its key. event: its first event. NULL after a finding. */
static struct tree_node *read_child(struct tree_reader *reader, enum tree_kind parent, yaml_event_t *event,
				    unsigned depth)
{
	if (parent == TREE_LIST)
		return read_node(reader, event, depth);
	struct span key = {NULL, 0};
	unsigned key_line = line_of(event);
	if (!read_key(reader, event, &key))
		return NULL;
	yaml_event_t value;
	if (!next_event(reader, &value))
		return NULL;
	struct tree_node *node = read_node(reader, &value, depth);
	yaml_event_delete(&value);
	if (node == NULL)
		return NULL;
	node->key = key;
	node->key_line = key_line;
	if (node->kind == TREE_NULL)
		node->line = key_line; /* libyaml sees an empty value where the next thing begins */
	return node;
}

static bool read_children(struct tree_reader *reader, struct tree_node *parent, unsigned depth)
{
	yaml_event_type_t last = parent->kind == TREE_LIST ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT;
	struct tree_node **tail = &parent->first;
	for (;;) {
		yaml_event_t event;
		if (!next_event(reader, &event))
			return false;
		bool done = event.type == last;
		struct tree_node *child = done ? NULL : read_child(reader, parent->kind, &event, depth);
		yaml_event_delete(&event);
		if (child == NULL)
			return done;
		*tail = child;
		tail = &child->next;
		parent->count++;
	}
}

static struct tree_node *read_scalar(struct tree_reader *reader, const yaml_event_t *event)
{
	struct span text = copy_scalar(reader, event);
	if (text.at == NULL)
		return NULL;
	struct tree_node *node = new_node(reader, is_null(event, text) ? TREE_NULL : TREE_SCALAR, line_of(event));
	if (node != NULL)
		node->text = text;
	return node;
}

/* depth: levels above this node. */
static struct tree_node *read_node(struct tree_reader *reader, const yaml_event_t *event, unsigned depth)
{
	if (!accept_plain(reader, event))
		return NULL;
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(reader, event);
	if (depth == TREE_DEPTH_MAX) {
		tree_refuse(reader, line_of(event), "values are nested too deeply");
		return NULL;
	}
	struct tree_node *node =
	    new_node(reader, event->type == YAML_SEQUENCE_START_EVENT ? TREE_LIST : TREE_MAPPING, line_of(event));
	if (node == NULL || !read_children(reader, node, depth + 1))
		return NULL;
	return node;
}

/* Skips count events that say nothing; type and line are those of the last. False after a syntax error. */
static bool skip_events(struct tree_reader *reader, unsigned count, yaml_event_type_t *type, unsigned *line)
{
	while (count-- > 0) {
		yaml_event_t event;
		if (!next_event(reader, &event))
			return false;
		*type = event.type;
		*line = line_of(&event);
		yaml_event_delete(&event);
	}
	return true;
}

static struct tree_node *read_document(struct tree_reader *reader)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	unsigned line = 0;
	if (!skip_events(reader, 2, &type, &line)) /* the stream's and the document's beginning */
		return NULL;
	if (type == YAML_STREAM_END_EVENT)
		return new_node(reader, TREE_NULL, 1);
	yaml_event_t event;
	if (!next_event(reader, &event))
		return NULL;
	struct tree_node *root = read_node(reader, &event, 0);
	yaml_event_delete(&event);
	if (root == NULL || !skip_events(reader, 2, &type, &line))
		return NULL;
	if (type != YAML_STREAM_END_EVENT) {
		tree_refuse(reader, line, "a second YAML document begins here; the file must be one document");
		return NULL;
	}
	return root;
}

struct tree_node *tree_read(struct arena *arena, struct span yaml, struct findings *findings)
{
	struct tree_reader reader = {.arena = arena, .findings = findings, .yaml = yaml};
	if (yaml.len > TREE_BYTES_MAX) {
		findings_add(findings, 0, NULL, "the file is larger than %d MiB", TREE_BYTES_MAX >> 20);
		return NULL;
	}
	if (!yaml_parser_initialize(&reader.parser)) {
		findings_add(findings, 0, NULL, "out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)yaml.at, yaml.len);
	struct tree_node *root = read_document(&reader);
	yaml_parser_delete(&reader.parser);
	if (root == NULL && findings->total == 0)
		findings_add(findings, 0, NULL, "out of memory");
	return root;
}

const struct tree_node *tree_member(const struct tree_node *mapping, const char *key)
{
	const struct tree_node *at = mapping->kind == TREE_MAPPING ? mapping->first : NULL;
	while (at != NULL && !span_is(at->key, key))
		at = at->next;
	return at;
}

unsigned tree_line(const struct tree_node *section, const char *key)
{
	const struct tree_node *member = section == NULL ? NULL : tree_member(section, key);
	if (member != NULL)
		return member->key_line;
	return section == NULL ? 0 : section->key_line;
}

/* By key, then by place in the file. */
static int compare_members(const void *a, const void *b)
{
	const struct tree_node *left = *(const struct tree_node *const *)a;
	const struct tree_node *right = *(const struct tree_node *const *)b;
	int order = strcmp(left->key.at, right->key.at);
	return order != 0 ? order : (left->key_line > right->key_line) - (left->key_line < right->key_line);
}

bool tree_duplicates(const struct tree_node *mapping,
		     void (*found)(void *context, const struct tree_node *again, const struct tree_node *first),
		     void *context)
{
	if (mapping->kind != TREE_MAPPING || mapping->count < 2)
		return true;
	const struct tree_node **members = calloc(mapping->count, sizeof(struct tree_node *));
	if (members == NULL)
		return false;
	size_t count = 0;
	for (const struct tree_node *at = mapping->first; at != NULL; at = at->next)
		members[count++] = at;
	qsort(members, count, sizeof(struct tree_node *), compare_members);
	for (size_t i = 1, first = 0; i < count; i++) {
		if (span_equal(members[i]->key, members[first]->key))
			found(context, members[i], members[first]);
		else
			first = i;
	}
	free(members);
	return true;
}
