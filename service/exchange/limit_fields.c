/* SPDX-License-Identifier: MIT */
/* Limits in heads; limit_fields.h holds the contract. All of it is written for each limited request: without printf. */
#include "service/exchange/limit_fields.h"

#include "lib/decimal.h"
#include "lib/seconds.h"

enum {
	STATES_MOST = 24,  /* limits that are looked at */
	POLICIES_MOST = 6, /* that are told */
	SECOND_US = 1000000,
	MINUTE_S = 60,
	HOUR_S = 3600
};

/* The limit of that unit of which the least is left. */
static const struct quota_state *tightest(const struct quota_state *states, size_t count, unsigned unit)
{
	const struct quota_state *found = NULL;
	for (size_t i = 0; i < count; i++)
		if (states[i].unit == unit && (found == NULL || (double)states[i].left / (double)states[i].limit <
								    (double)found->left / (double)found->limit))
			found = &states[i];
	return found;
}

struct writing {
	struct limit_fields *fields;
	struct buf out;
};

/* Adds a field whose value was written from start on. */
static void add_field(struct writing *writing, struct span name, size_t start)
{
	struct limit_fields *fields = writing->fields;
	struct span all = buf_span(&writing->out);
	if (!buf_failed(&writing->out) && fields->count < LIMIT_FIELDS)
		fields->list[fields->count++] = (struct http_field){name, {all.at + start, all.len - start}};
}

/* "250ms", "12s", "1m30s", as OpenAI's clients read it. */
static void write_duration(struct buf *out, uint64_t us)
{
	uint64_t seconds = us / SECOND_US;
	if (seconds == 0) {
		decimal_append(out, us / 1000);
		buf_append(out, SPAN("ms"));
		return;
	}
	if (seconds >= HOUR_S) {
		decimal_append(out, seconds / HOUR_S);
		buf_append(out, SPAN("h"));
	}
	if (seconds >= MINUTE_S) {
		decimal_append(out, seconds / MINUTE_S % MINUTE_S);
		buf_append(out, SPAN("m"));
	}
	decimal_append(out, seconds % MINUTE_S);
	buf_append(out, SPAN("s"));
}

static void add_state(struct writing *writing, const struct quota_state *state, struct span limit, struct span left,
		      struct span reset)
{
	if (state == NULL)
		return;
	size_t start = buf_len(&writing->out);
	decimal_append(&writing->out, state->limit);
	add_field(writing, limit, start);
	start = buf_len(&writing->out);
	decimal_append(&writing->out, state->left);
	add_field(writing, left, start);
	start = buf_len(&writing->out);
	write_duration(&writing->out, state->reset_us);
	add_field(writing, reset, start);
}

/* Appends ;NAME=VALUE. */
static void write_parameter(struct buf *out, struct span name, uint64_t value)
{
	buf_append(out, name);
	decimal_append(out, value);
}

/* Writes an item of a list: "keys.crawler.tokens", and two parameters. */
static void write_item(struct buf *out, const struct quota_state *state, bool first)
{
	buf_append(out, first ? SPAN("\"") : SPAN(", \""));
	buf_append(out, span_of(state->name));
	buf_append(out, SPAN("."));
	buf_append(out, span_of(account_unit_name(state->unit)));
	buf_append(out, SPAN("\""));
}

static bool is_told(const struct quota_state *state)
{
	return state->unit != QUOTA_CONCURRENT && state->unit != QUOTA_SPEND;
}

static void add_policies(struct writing *writing, const struct quota_state *states, size_t count)
{
	size_t start = buf_len(&writing->out), told = 0;
	struct buf *out = &writing->out;
	for (size_t i = 0; i < count && told < POLICIES_MOST; i++) {
		if (!is_told(&states[i]))
			continue;
		write_item(out, &states[i], told++ == 0);
		write_parameter(out, SPAN(";q="), states[i].limit);
		write_parameter(out, SPAN(";w="), states[i].length_s);
	}
	if (told == 0)
		return;
	add_field(writing, SPAN("ratelimit-policy"), start);
	start = buf_len(out);
	told = 0;
	for (size_t i = 0; i < count && told < POLICIES_MOST; i++) {
		if (!is_told(&states[i]))
			continue;
		write_item(out, &states[i], told++ == 0);
		write_parameter(out, SPAN(";r="), states[i].left);
		write_parameter(out, SPAN(";t="), seconds_rounded_up(states[i].reset_us));
	}
	add_field(writing, SPAN("ratelimit"), start);
}

void limit_fields_write(struct limit_fields *fields, struct bill *bill)
{
	struct quota_state states[STATES_MOST];
	struct writing writing = {.fields = fields};
	size_t count = 0;
	fields->count = 0;
	buf_init_over(&writing.out, fields->text, sizeof(fields->text));
	bill_look(bill, states, STATES_MOST, &count);
	add_state(&writing, tightest(states, count, QUOTA_REQUESTS), SPAN("x-ratelimit-limit-requests"),
		  SPAN("x-ratelimit-remaining-requests"), SPAN("x-ratelimit-reset-requests"));
	add_state(&writing, tightest(states, count, QUOTA_TOKENS), SPAN("x-ratelimit-limit-tokens"),
		  SPAN("x-ratelimit-remaining-tokens"), SPAN("x-ratelimit-reset-tokens"));
	add_policies(&writing, states, count);
}
