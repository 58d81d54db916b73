/* SPDX-License-Identifier: MIT */
/* Reading nodes by the rows of tables; reader.h holds the rules. */
#include "config/reader.h"

#include <stdio.h>

#include "config/config.h"
#include "config/expand.h"
#include "config/secrets.h"

const char *reader_path(char place[READER_PATH_MAX], const char *path, struct span name)
{
	char shown[FINDING_VALUE_MAX];
	int len =
	    snprintf(place, READER_PATH_MAX, "%s%s%s", path, path[0] == '\0' ? "" : ".", finding_value(name, shown));
	return len < 0 ? path : place;
}

const char *reader_kind(const struct reader *reader, const struct tree_node *node)
{
	static const char *const names[] = {"nothing", "a single value", "a list", "a mapping"};
	static const char *const json_names[] = {"null", "a single value", "an array", "an object"};
	return (reader->json ? json_names : names)[node->kind];
}

bool reader_expect(const struct reader *reader, const char *path, const struct tree_node *node, enum tree_kind kind,
		   const struct key *key)
{
	char expected[VALUE_EXPECTED_MAX];
	if (node->kind == kind)
		return true;
	findings_add(reader->findings, node->line, path == NULL || path[0] == '\0' ? NULL : path, "got %s; expected %s",
		     reader_kind(reader, node), value_expected(key, expected));
	return false;
}

/* May a refused value be shown? A URL that is none may hold a password or a token, and a key of a client may stand
 * where its hash should. */
static bool is_showable(const struct key *key, const struct expansion *text)
{
	if (text->tainted || key->type == KEY_SECRET || strstr(text->text.at, API_KEY_PREFIX) != NULL)
		return false;
	return (key->type != KEY_URL && key->type != KEY_ORIGINS) || strpbrk(text->text.at, "@?# ") == NULL;
}

static bool may_be_empty(const struct key *key)
{
	return key->type == KEY_SECRET || key->type == KEY_URL_PATH || key->type == KEY_SOCKET ||
	       key->type == KEY_FILE || (key->type == KEY_PATH && (key->flags & KEY_REQUIRED) == 0);
}

/* JSON tells numbers and booleans from strings; YAML does not. */
static bool is_of_json_type(const struct key *key, const struct tree_node *node)
{
	bool bare = key->type == KEY_BOOL || key->type == KEY_UNSIGNED;
	bool word = bare && key->words != NULL && span_is(node->text, key->words);
	return node->bare == (bare && !word);
}

static bool expand_value(const struct reader *reader, const struct tree_node *node, struct expansion *text)
{
	if (!reader->json && node->kind == TREE_SCALAR)
		return expand(reader->arena, node->text, reader->directory, text);
	*text = (struct expansion){.text = node->kind == TREE_SCALAR ? node->text : (struct span){"", 0}};
	return true;
}

/* False: out of memory. */
static bool keep_secret(const struct reader *reader, const char *path, const struct tree_node *node,
			const struct expansion *text, struct value *value)
{
	struct span raw = text->from_file ? node->text : (struct span){NULL, 0};
	if (value->string == NULL)
		return true;
	value->secret =
	    config_secrets_add(reader->secrets, reader->arena, path, raw, span_of(value->string), reader->directory);
	explicit_bzero((char *)value->string, strlen(value->string)); /* the cell has it */
	if (text->tainted)
		explicit_bzero((char *)text->text.at, text->text.len);
	return value->secret != NULL;
}

bool reader_value(const struct reader *reader, const char *path, const struct key *key, const struct tree_node *node,
		  struct value *value)
{
	struct expansion text;
	char expected[VALUE_EXPECTED_MAX];
	char shown[FINDING_VALUE_MAX];
	if (!(node->kind == TREE_NULL && may_be_empty(key)) && !reader_expect(reader, path, node, TREE_SCALAR, key))
		return false;
	value_expected(key, expected);
	if (!expand_value(reader, node, &text)) {
		findings_add(reader->findings, node->line, path, "%s", text.problem);
	} else if ((!reader->json || is_of_json_type(key, node)) &&
		   value_read(reader->arena, key, text.text, reader->directory, value, expected)) {
		if (key->type != KEY_SECRET || keep_secret(reader, path, node, &text, value))
			return true;
		findings_add(reader->findings, node->line, path, "out of memory");
	} else if (is_showable(key, &text))
		findings_add(reader->findings, node->line, path, "got %s%s%s; expected %s", node->bare ? "" : "\"",
			     finding_value(text.text, shown), node->bare ? "" : "\"", expected);
	else
		findings_add(reader->findings, node->line, path, "got a value that is not shown; expected %s",
			     expected);
	return false;
}

void reader_store(const struct key *key, void *owner, const struct value *value)
{
	char *member = (char *)owner + key->offset;
	switch (key->type) {
	case KEY_BOOL:
		*(bool *)member = value->truth;
		break;
	case KEY_UNSIGNED:
	case KEY_PERCENT:
	case KEY_WORD:
		*(unsigned *)member = (unsigned)value->number;
		break;
	case KEY_SIZE:
		*(size_t *)member = (size_t)value->number;
		break;
	case KEY_DURATION:
	case KEY_TIME:
	case KEY_MONEY:
		*(uint64_t *)member = value->number;
		break;
	case KEY_HASH:
		*(const void **)member = value->made;
		break;
	case KEY_SECRET:
		*(struct secret **)(void *)member = value->secret;
		break;
	case KEY_ADDRESS:
		((struct config_listener *)owner)->host = value->string;
		((struct config_listener *)owner)->port = value->port;
		break;
	case KEY_LISTENER:
		*(struct config_listener *)(void *)member =
		    (struct config_listener){.host = value->string, .port = value->port, .socket = value->socket};
		break;
	default:
		*(const char **)member = value->string;
		break;
	}
}

void reader_words(const struct reader *reader, const char *path, const struct key *key, const struct tree_node *node,
		  unsigned *words)
{
	bool list = node->kind == TREE_LIST;
	size_t index = 0;
	if (node->kind == TREE_NULL)
		return;
	for (const struct tree_node *at = list ? node->first : node; at != NULL; at = list ? at->next : NULL) {
		char place[READER_PATH_MAX];
		struct value value;
		int len = list ? snprintf(place, sizeof(place), "%s[%zu]", path, index++) : 0;
		if (reader_value(reader, len > 0 ? place : path, key, at, &value))
			*words |= 1u << value.number;
	}
}

struct duplicates {
	const struct reader *reader;
	const char *path;
};

static void on_duplicate(void *context, const struct tree_node *again, const struct tree_node *first)
{
	const struct duplicates *duplicates = context;
	char place[READER_PATH_MAX];
	findings_add(duplicates->reader->findings, again->key_line, reader_path(place, duplicates->path, again->key),
		     "given twice; the first is at line %u", first->key_line);
}

void reader_refuse_duplicates(const struct reader *reader, const char *path, const struct tree_node *mapping)
{
	struct duplicates duplicates = {reader, path};
	if (!tree_duplicates(mapping, on_duplicate, &duplicates))
		findings_add(reader->findings, 0, NULL, "out of memory");
}
