/* SPDX-License-Identifier: MIT */
/*
 * Parsing of per-call settings. Values are borrowed, never copied; every refusal
 * says which setting and what was expected, for a typo in a test must be seen.
 */
#include "tools/sim/knobs.h"

struct knob_row {
	const char *name;
	enum knob_kind kind;
	uint64_t low, high;
	const char *doc;
};

static const struct knob_row rows[] = {
#define KNOB(symbol, name, kind, low, high, doc) [KNOB_##symbol] = {name, KNOB_KIND_##kind, low, high, doc},
#include "tools/sim/knobs.def"
#undef KNOB
};

static const char *const expected[] = {
    [KNOB_KIND_COUNT] = "a whole number",
    [KNOB_KIND_BYTES] = "a number of bytes such as 2000, 64k or 100m",
    [KNOB_KIND_DURATION] = "a duration such as 250us, 20ms or 3s (a bare number is milliseconds)",
    [KNOB_KIND_TEXT] = "a text without control characters",
};

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {"g", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1000}, {"us", 1}, {"ms", 1000}, {"s", 1000000}, {NULL, 0}};
static const struct unit *const units_of[] = {
    [KNOB_KIND_COUNT] = no_units,
    [KNOB_KIND_BYTES] = byte_units,
    [KNOB_KIND_DURATION] = time_units,
    [KNOB_KIND_TEXT] = no_units,
};

/* Digits and one of the units; false on anything else and on overflow. */
static bool number_parse(struct span value, const struct unit *units, uint64_t *number)
{
	size_t at = 0;
	uint64_t sum = 0;
	for (; at < value.len && value.at[at] >= '0' && value.at[at] <= '9'; at++) {
		unsigned digit = (unsigned)(value.at[at] - '0');
		if (sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	struct span suffix = {value.at + at, value.len - at};
	for (const struct unit *unit = units; at > 0 && unit->suffix != NULL; unit++) {
		if (!span_is(suffix, unit->suffix))
			continue;
		if (sum > UINT64_MAX / unit->factor)
			return false;
		*number = sum * unit->factor;
		return true;
	}
	return false;
}

static bool text_is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return false;
	return true;
}

static struct span short_of(struct span text)
{
	return text.len > 60 ? (struct span){text.at, 60} : text;
}

bool knobs_set(struct knobs *knobs, enum knob knob, struct span value, struct knobs_error *error)
{
	const struct knob_row *row = &rows[knob];
	uint64_t number = value.len;
	bool good =
	    row->kind == KNOB_KIND_TEXT ? text_is_plain(value) : number_parse(value, units_of[row->kind], &number);
	if (!good || number < row->low || number > row->high) {
		struct span shown = short_of(value);
		snprintf(error->what, sizeof error->what, "%s: expected %s%s, got '%.*s'", row->name,
			 expected[row->kind], good ? " within its bounds" : "", SPAN_ARG(shown));
		return false;
	}
	if (row->kind == KNOB_KIND_TEXT)
		knobs->text[knob] = value;
	knobs->number[knob] = number;
	knobs->set |= UINT32_C(1) << knob;
	return true;
}

enum knob knobs_find(struct span name)
{
	for (int i = 0; i < KNOB_COUNT_OF; i++)
		if (span_is(name, rows[i].name))
			return (enum knob)i;
	return KNOB_COUNT_OF;
}

static struct span trim(struct span text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
		text = (struct span){text.at + 1, text.len - 1};
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static bool fault_set(struct knobs *knobs, struct span name, struct knobs_error *error)
{
	enum fault fault = fault_find(name);
	struct span shown = short_of(name);
	if (fault == FAULT_COUNT) {
		snprintf(error->what, sizeof error->what, "fault: expected a name of `--help faults`, got '%.*s'",
			 SPAN_ARG(shown));
		return false;
	}
	knobs->fault = fault;
	knobs->fault_set = true;
	return true;
}

/* One KEY=VALUE or bare fault name. */
static bool item_parse(struct knobs *knobs, struct span item, struct knobs_error *error)
{
	const char *equals = memchr(item.at, '=', item.len);
	if (equals == NULL)
		return fault_set(knobs, item, error);
	struct span key = trim((struct span){item.at, (size_t)(equals - item.at)});
	struct span value = trim((struct span){equals + 1, item.len - (size_t)(equals + 1 - item.at)});
	if (span_is(key, "fault"))
		return fault_set(knobs, value, error);
	enum knob knob = knobs_find(key);
	if (knob == KNOB_COUNT_OF) {
		struct span shown = short_of(key);
		snprintf(error->what, sizeof error->what, "%.*s: expected a setting of `--help knobs`",
			 SPAN_ARG(shown));
		return false;
	}
	if (!knobs_set(knobs, knob, value, error))
		return false;
	if (knob == KNOB_STATUS && !knobs->fault_set) {
		knobs->fault = FAULT_STATUS;
		knobs->fault_set = true;
	}
	return true;
}

bool knobs_parse(struct knobs *knobs, struct span list, struct knobs_error *error)
{
	while (list.len > 0) {
		const char *end = memchr(list.at, ';', list.len);
		size_t len = end == NULL ? list.len : (size_t)(end - list.at);
		struct span item = trim((struct span){list.at, len});
		if (item.len > 0 && !item_parse(knobs, item, error))
			return false;
		len += end != NULL;
		list = (struct span){list.at + len, list.len - len};
	}
	return true;
}

enum {
	FAULT_KNOBS = 1u << KNOB_AFTER | 1u << KNOB_TIMES | 1u << KNOB_FOR | 1u << KNOB_COUNT | 1u << KNOB_BYTES |
		      1u << KNOB_SPLIT | 1u << KNOB_SPLIT_AT | 1u << KNOB_GAP | 1u << KNOB_STATUS |
		      1u << KNOB_RETRY_AFTER | 1u << KNOB_CODE | 1u << KNOB_TYPE
};

void knobs_inherit(struct knobs *knobs, const struct knobs *base)
{
	/* A fault of its own does not take the parameters of another one. */
	uint32_t take = base->set & ~knobs->set;
	if (knobs->fault_set && base->fault_set)
		take &= ~(uint32_t)FAULT_KNOBS;
	for (int i = 0; i < KNOB_COUNT_OF; i++) {
		if ((take >> i & 1) == 0)
			continue;
		knobs->number[i] = base->number[i];
		knobs->text[i] = base->text[i];
	}
	knobs->set |= take;
	if (!knobs->fault_set) {
		knobs->fault = base->fault;
		knobs->fault_set = base->fault_set;
	}
}

void knobs_clear_fault(struct knobs *knobs)
{
	knobs->fault = FAULT_NONE;
	knobs->fault_set = false;
	knobs->set &= ~(uint32_t)FAULT_KNOBS;
}

void knobs_print(FILE *out)
{
	static const char *const kinds[] = {"count", "bytes", "duration", "text"};
	fprintf(out, "%-12s %-9s %s\n", "setting", "kind", "meaning");
	for (int i = 0; i < KNOB_COUNT_OF; i++)
		fprintf(out, "%-12s %-9s %s\n", rows[i].name, kinds[rows[i].kind], rows[i].doc);
}
