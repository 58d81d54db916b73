/* SPDX-License-Identifier: MIT */
/* The rules as an array, and their matching. */
#include "schemas/failure_rules.h"

#include <strings.h>

struct rule {
	enum failure_kind kind;
	unsigned where;
	int least, most;
	const char *words;
	const char *patterns;
};

static const struct rule rules[] = {
#define RULE(kind, where, least, most, words, patterns) \
	{FAILURE_##kind, FAILURE_WHERE_##where, least, most, words, patterns},
#include "schemas/failure_rules.def"
#undef RULE
};
enum { RULE_COUNT = sizeof(rules) / sizeof(rules[0]) };

/* Takes the next part of a list; {NULL,0} at its end. */
static struct span next_part(const char **list, char between)
{
	const char *at = *list;
	if (at == NULL || *at == '\0')
		return (struct span){NULL, 0};
	const char *end = strchr(at, between);
	struct span part = {at, end == NULL ? strlen(at) : (size_t)(end - at)};
	*list = end == NULL ? at + part.len : end + 1;
	return part;
}

static bool is_same(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

static bool has_word(const char *words, struct span wanted)
{
	if (wanted.len == 0)
		return false;
	for (struct span word = next_part(&words, ' '); word.at != NULL; word = next_part(&words, ' '))
		if (is_same(word, wanted))
			return true;
	return false;
}

/* Returns the offset after the first place of part in text at or after from; text.len + 1 when there is none. */
static size_t find_after(struct span text, size_t from, struct span part)
{
	for (size_t at = from; at + part.len <= text.len; at++)
		if (strncasecmp(text.at + at, part.at, part.len) == 0)
			return at + part.len;
	return text.len + 1;
}

/* The parts between the stars stand in text, in their order. */
static bool fits_pattern(struct span pattern, struct span text)
{
	size_t from = 0;
	size_t start = 0;
	for (size_t i = 0; i <= pattern.len; i++) {
		if (i < pattern.len && pattern.at[i] != '*')
			continue;
		from = find_after(text, from, (struct span){pattern.at + start, i - start});
		if (from > text.len)
			return false;
		start = i + 1;
	}
	return true;
}

static bool fits_any_pattern(const char *patterns, struct span text)
{
	for (struct span part = next_part(&patterns, '|'); part.at != NULL; part = next_part(&patterns, '|'))
		if (fits_pattern(part, text))
			return true;
	return false;
}

static bool rule_fits(const struct rule *rule, const struct failure_signs *signs)
{
	bool named = rule->words != NULL || rule->patterns != NULL;
	bool status = signs->status >= rule->least && signs->status <= rule->most;
	if ((signs->where & rule->where) != rule->where || (!status && (signs->status != 0 || !named)))
		return false;
	if (rule->words != NULL && !has_word(rule->words, signs->code) && !has_word(rule->words, signs->type))
		return false;
	return rule->patterns == NULL || fits_any_pattern(rule->patterns, signs->message);
}

enum failure_kind failure_classify(const struct failure_signs *signs)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (rule_fits(&rules[i], signs))
			return rules[i].kind;
	return FAILURE_BROKEN; /* a status that no error has */
}

bool failure_is_finish(struct span reason)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (rules[i].where == FAILURE_WHERE_CHOICE && has_word(rules[i].words, reason))
			return true;
	return false;
}

static void describe_status(struct buf *out, const struct rule *rule)
{
	if (rule->least == 0)
		buf_append(out, SPAN("none"));
	else if (rule->least == rule->most)
		buf_printf(out, "%d", rule->least);
	else
		buf_printf(out, "%d–%d", rule->least, rule->most);
}

/* Appends `a`, `b`, … from a list. */
static void describe_list(struct buf *out, const char *list, char between)
{
	const char *before = "";
	for (struct span part = next_part(&list, between); part.at != NULL; part = next_part(&list, between)) {
		bool quoted = memchr(part.at, '`', part.len) != NULL;
		buf_printf(out, quoted ? "%s`` %.*s ``" : "%s`%.*s`", before, SPAN_ARG(part));
		before = ", ";
	}
}

static const char *where_text(unsigned where)
{
	switch (where) {
	case FAILURE_WHERE_CHOICE:
		return "within a choice";
	case FAILURE_WHERE_WRITTEN_USAGE:
		return "the gateway added `stream_options`";
	case FAILURE_WHERE_WRITTEN_PREFILL:
		return "the gateway wrote the beginning of the answer (`resume: continue`)";
	default:
		return "";
	}
}

void failure_rules_describe(struct buf *out)
{
	buf_append(out, SPAN("| status | code, type or finish_reason | message contains | only when | kind |\n"
			     "|---|---|---|---|---|\n"));
	for (size_t i = 0; i < RULE_COUNT; i++) {
		buf_append(out, SPAN("| "));
		describe_status(out, &rules[i]);
		buf_append(out, SPAN(" | "));
		describe_list(out, rules[i].words, ' ');
		buf_append(out, SPAN(" | "));
		describe_list(out, rules[i].patterns, '|');
		buf_printf(out, " | %s | `%s` |\n", where_text(rules[i].where), failure_row(rules[i].kind)->name);
	}
}
