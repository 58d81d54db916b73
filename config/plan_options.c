/* SPDX-License-Identifier: MIT */
/* Options of combinators: looked up, read, and checked against the children they stand beside. */
#include "config/plan_options.h"

#include <stdio.h>

#include "config/suggest.h"

_Static_assert(sizeof(enum config_balance) == sizeof(unsigned) && sizeof(enum config_resume) == sizeof(unsigned),
	       "words are stored as numbers");

const struct plan_option plan_options_table[] = {
#define OPTION(key_, type_, member_, standard_, least_, most_, words_, combinators_, text_) \
	{                                                                                   \
	    {                                                                               \
		.path = (key_),                                                             \
		.type = KEY_##type_,                                                        \
		.owner = KEY_OF_config_plan_options,                                        \
		.offset = offsetof(struct config_plan_options, member_),                    \
		.standard = (standard_),                                                    \
		.least = (least_),                                                          \
		.most = (most_),                                                            \
		.words = (words_),                                                          \
		.text = (text_),                                                            \
	    },                                                                              \
	    (combinators_),                                                                 \
	},
#include "config/plan_options.def"
};

const size_t plan_options_count = sizeof(plan_options_table) / sizeof(plan_options_table[0]);

const struct plan_option *plan_option_find(struct span name)
{
	for (size_t i = 0; i < plan_options_count; i++)
		if (span_is(name, plan_options_table[i].key.path))
			return &plan_options_table[i];
	return NULL;
}

static bool has_word(const char *words, struct span wanted)
{
	struct span word;
	while (key_next_word(&words, &word))
		if (span_equal(word, wanted))
			return true;
	return false;
}

bool plan_option_takes(struct span name, const char *combinator)
{
	const struct plan_option *option = plan_option_find(name);
	return option != NULL && (option->combinators == NULL || has_word(option->combinators, span_of(combinator)));
}

struct suggestion plan_option_suggest(struct span name)
{
	struct suggestion near = suggest(name);
	for (size_t i = 0; i < plan_options_count; i++)
		if (has_word(plan_options_table[i].combinators, name))
			return suggest(name);
	for (size_t i = 0; i < plan_options_count; i++)
		suggest_offer(&near, span_of(plan_options_table[i].key.path));
	return near;
}

static void store_defaults(const struct reader *reader, struct config_plan_options *options)
{
	for (size_t i = 0; i < plan_options_count; i++) {
		const struct key *key = &plan_options_table[i].key;
		struct value value;
		char expected[VALUE_EXPECTED_MAX];
		if (key->standard != NULL &&
		    value_read(reader->arena, key, span_of(key->standard), "", &value, expected))
			reader_store(key, options, &value);
	}
}

/* Every entry of a list of numbers. */
static void read_numbers(const struct reader *reader, const char *path, const struct key *key,
			 const struct tree_node *list, const unsigned **numbers)
{
	struct key entry = *key;
	entry.type = KEY_UNSIGNED;
	if (!reader_expect(reader, path, list, TREE_LIST, key))
		return;
	unsigned *read = arena_zalloc(reader->arena, list->count, sizeof(*read));
	size_t count = 0;
	for (const struct tree_node *at = list->first; at != NULL && read != NULL; at = at->next, count++) {
		char place[READER_PATH_MAX];
		struct value value;
		int len = snprintf(place, sizeof(place), "%s[%zu]", path, count);
		if (len > 0 && reader_value(reader, place, &entry, at, &value))
			read[count] = (unsigned)value.number;
	}
	*numbers = read;
}

/* One kind of failure. Returns its bit, or 0 after a finding. */
static failure_set read_kind(const struct reader *reader, const char *path, const struct tree_node *node)
{
	char hint[SUGGEST_TEXT_MAX], shown[FINDING_VALUE_MAX];
	if (node->kind != TREE_SCALAR) {
		findings_add(reader->findings, node->line, path,
			     "got %s; expected a kind of failure such as rate_limit", reader_kind(reader, node));
		return 0;
	}
	enum failure_kind kind = failure_kind_named(node->text);
	if (kind != FAILURE_NONE)
		return (failure_set)1 << kind;
	struct suggestion near = suggest(node->text);
	for (unsigned i = FAILURE_NONE + 1; i < FAILURE_KINDS; i++)
		suggest_offer(&near, span_of(failure_row((enum failure_kind)i)->name));
	findings_add(reader->findings, node->line, path, "\"%s\" is no kind of failure%s",
		     finding_value(node->text, shown), suggest_text(&near, hint));
	return 0;
}

/* One kind, or a list of them. */
static void read_kinds(const struct reader *reader, const char *path, const struct tree_node *node, failure_set *kinds)
{
	failure_set read = 0;
	if (node->kind != TREE_LIST) {
		*kinds = read_kind(reader, path, node);
		return;
	}
	for (const struct tree_node *at = node->first; at != NULL; at = at->next)
		read |= read_kind(reader, path, at);
	if (node->count == 0)
		findings_add(reader->findings, node->line, path, "got none; expected at least one kind of failure");
	*kinds = read;
}

static void read_option(const struct reader *reader, const char *path, const struct plan_option *option,
			const struct tree_node *node, struct config_plan *plan)
{
	const struct key *key = &option->key;
	struct value value;
	if (option->combinators != NULL && !has_word(option->combinators, span_of(plan->combinator)))
		findings_add(reader->findings, node->key_line, path, "%s does not take it; it is an option of %s",
			     plan->combinator, option->combinators);
	else if (key->type == KEY_NUMBERS)
		read_numbers(reader, path, key, node,
			     (const unsigned **)(void *)((char *)&plan->options + key->offset));
	else if (key->type == KEY_KINDS)
		read_kinds(reader, path, node, (failure_set *)(void *)((char *)&plan->options + key->offset));
	else if (reader_value(reader, path, key, node, &value))
		reader_store(key, &plan->options, &value);
}

static void check_weights(const struct reader *reader, const char *path, const struct tree_node *weights,
			  const struct config_plan *plan)
{
	if (plan->options.weights == NULL)
		return;
	if (weights->count != plan->child_count)
		findings_add(reader->findings, weights->line, path, "got %zu; expected %zu, one for each child",
			     weights->count, plan->child_count);
	if (plan->options.by != CONFIG_BALANCE_WEIGHTED)
		findings_add(reader->findings, weights->key_line, path,
			     "they mean nothing here; expected \"by\" beside them to be \"weighted\"");
}

/* What no option can tell alone. */
static void check_options(const struct reader *reader, const char *path, const struct tree_node *mapping,
			  const struct config_plan *plan)
{
	const struct tree_node *weights = tree_member(mapping, "weights");
	const struct tree_node *agree = tree_member(mapping, "agree");
	char place[READER_PATH_MAX];
	if (weights != NULL) {
		reader_path(place, path, SPAN("weights"));
		check_weights(reader, place, weights, plan);
	}
	if (agree != NULL && plan->options.agree > plan->child_count) {
		reader_path(place, path, SPAN("agree"));
		findings_add(reader->findings, agree->line, place,
			     "got %u; expected at most %zu, the number of children", plan->options.agree,
			     plan->child_count);
	}
}

void plan_options_read(const struct reader *reader, const struct tree_node *mapping, const char *path,
		       struct config_plan *plan)
{
	store_defaults(reader, &plan->options);
	for (const struct tree_node *at = mapping->first; at != NULL; at = at->next) {
		const struct plan_option *option = plan_option_find(at->key);
		char place[READER_PATH_MAX];
		if (option == NULL)
			continue;
		reader_path(place, path, at->key);
		read_option(reader, place, option, at, plan);
	}
	check_options(reader, path, mapping, plan);
}
