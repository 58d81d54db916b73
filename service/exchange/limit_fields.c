/* SPDX-License-Identifier: MIT */
/* Limits in heads; limit_fields.h holds the contract. All of it is written for each limited request: without printf. */
#include "service/exchange/limit_fields.h"

#include <stddef.h>
#include <stdlib.h>

#include "lib/decimal.h"
#include "lib/seconds.h"

enum {
	STATES_MOST = 24,  /* limits that are looked at */
	POLICIES_MOST = 6, /* that are listed */
	SECOND_US = 1000000,
	MINUTE_S = 60,
	HOUR_S = 3600,
	DURATIONS_TEXT = 2 * 64, /* two of them */
	ITEM_TEXT = 3 * 20 + 16  /* of an item besides its words: three numbers and their names */
};

/* A limit that heads tell. */
struct told {
	const struct quota_state *state;
	struct span left; /* digits */
};

static double fraction(const struct told *told)
{
	return (double)told->state->left / (double)told->state->limit;
}

struct writing {
	struct limit_fields *fields;
	char *at; /* where text goes next: the room is known to suffice */
};

static void write_text(struct writing *writing, struct span text)
{
	memcpy(writing->at, text.at, text.len);
	writing->at += text.len;
}

static void write_number(struct writing *writing, uint64_t number)
{
	char digits[DECIMAL_SIZE];
	write_text(writing, decimal_write(digits, number));
}

static void add_field(struct writing *writing, struct span name, struct span value)
{
	writing->fields->list[writing->fields->count++] = (struct http_field){name, value};
}

/* Returns what was written from start on. */
static struct span written(const struct writing *writing, const char *start)
{
	return (struct span){start, (size_t)(writing->at - start)};
}

/* "250ms", "12s", "1m30s", as OpenAI's clients read it. */
static void write_duration(struct writing *writing, uint64_t us)
{
	uint64_t seconds = us / SECOND_US;
	if (seconds == 0) {
		write_number(writing, us / 1000);
		write_text(writing, SPAN("ms"));
		return;
	}
	if (seconds >= HOUR_S) {
		write_number(writing, seconds / HOUR_S);
		write_text(writing, SPAN("h"));
	}
	if (seconds >= MINUTE_S) {
		write_number(writing, seconds / MINUTE_S % MINUTE_S);
		write_text(writing, SPAN("m"));
	}
	write_number(writing, seconds % MINUTE_S);
	write_text(writing, SPAN("s"));
}

static bool is_told(const struct quota_state *state)
{
	return state->unit != QUOTA_CONCURRENT && state->unit != QUOTA_SPEND;
}

/* Models of a fan-out may share a limit. */
static bool is_listed(const struct told *told, size_t count, const struct quota_state *state)
{
	for (size_t i = 0; i < count; i++)
		if (told[i].state->account == state->account)
			return true;
	return false;
}

/* Lists those that are told, each once. Returns how many they are. */
static size_t pick_told(const struct quota_state *states, size_t count, struct told *told)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		if (is_told(&states[i]) && !is_listed(told, found, &states[i]))
			told[found++].state = &states[i];
	return found;
}

static struct span write_policies(struct writing *writing, const struct told *told, size_t count)
{
	const char *start = writing->at;
	if (count == 1 && told->state->kind != QUOTA_MONTH)
		return told->state->words->policy;
	for (size_t i = 0; i < count; i++) {
		const struct quota_state *state = told[i].state;
		if (i > 0)
			write_text(writing, SPAN(", "));
		write_text(writing, state->words->policy);
		if (state->kind != QUOTA_MONTH)
			continue;
		write_text(writing, SPAN(";w="));
		write_number(writing, state->length_s);
	}
	return written(writing, start);
}

/* Writes what is left of each, and notes where. Returns the first ones. */
static struct span write_items(struct writing *writing, struct told *told, size_t count)
{
	struct span items = {writing->at, 0};
	for (size_t i = 0; i < count; i++) {
		const struct quota_state *state = told[i].state;
		if (i > 0)
			write_text(writing, SPAN(", "));
		write_text(writing, state->words->item);
		write_text(writing, SPAN(";r="));
		const char *digits = writing->at;
		write_number(writing, state->left);
		told[i].left = written(writing, digits);
		write_text(writing, SPAN(";t="));
		write_number(writing, seconds_rounded_up(state->reset_us));
		if (i < POLICIES_MOST)
			items = written(writing, items.at);
	}
	return items;
}

/* Adds three fields of the limit of that unit of which the least is left. */
static void add_tightest(struct writing *writing, const struct told *told, size_t count, unsigned unit,
			 struct span limit, struct span left, struct span reset)
{
	const struct told *found = NULL;
	for (size_t i = 0; i < count; i++)
		if (told[i].state->unit == unit && (found == NULL || fraction(&told[i]) < fraction(found)))
			found = &told[i];
	if (found == NULL)
		return;
	add_field(writing, limit, found->state->words->limit);
	add_field(writing, left, found->left);
	const char *start = writing->at;
	write_duration(writing, found->state->reset_us);
	add_field(writing, reset, written(writing, start));
}

/* Returns the most bytes of all values. */
static size_t most_of(const struct told *told, size_t count)
{
	size_t most = DURATIONS_TEXT;
	for (size_t i = 0; i < count; i++)
		most += 2 * told[i].state->words->policy.len + ITEM_TEXT; /* the item is a part of the policy */
	return most;
}

struct limit_fields *limit_fields_create(struct bill *bill)
{
	struct quota_state states[STATES_MOST];
	struct told told[STATES_MOST];
	size_t count = 0;
	bill_look(bill, states, STATES_MOST, &count);
	count = pick_told(states, count, told);
	size_t most = most_of(told, count);
	struct writing writing = {.fields = count == 0 ? NULL : malloc(offsetof(struct limit_fields, text) + most)};
	if (writing.fields == NULL)
		return NULL;
	writing.fields->count = 0;
	writing.at = writing.fields->text;
	struct span items = write_items(&writing, told, count);
	add_tightest(&writing, told, count, QUOTA_REQUESTS, SPAN("x-ratelimit-limit-requests"),
		     SPAN("x-ratelimit-remaining-requests"), SPAN("x-ratelimit-reset-requests"));
	add_tightest(&writing, told, count, QUOTA_TOKENS, SPAN("x-ratelimit-limit-tokens"),
		     SPAN("x-ratelimit-remaining-tokens"), SPAN("x-ratelimit-reset-tokens"));
	size_t policies = count < POLICIES_MOST ? count : POLICIES_MOST;
	add_field(&writing, SPAN("ratelimit-policy"), write_policies(&writing, told, policies));
	add_field(&writing, SPAN("ratelimit"), items);
	return writing.fields;
}
