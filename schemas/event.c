/* SPDX-License-Identifier: MIT */
/* What all events have in common, whatever their dialect. */
#include "schemas/event.h"

#include "lib/json.h"

enum { EVENT_DEPTH = 64 /* levels of nesting read in what backends send */ };

/* Saturates: what a backend claims must not overflow ours. */
static int64_t count_add(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	int64_t sum = 0;
	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

void usage_add(struct usage *a, const struct usage *b)
{
	a->prompt_tokens = count_add(a->prompt_tokens, b->prompt_tokens);
	a->completion_tokens = count_add(a->completion_tokens, b->completion_tokens);
	a->total_tokens = count_add(a->total_tokens, b->total_tokens);
	a->cache_read = count_add(a->cache_read, b->cache_read);
	a->cache_write = count_add(a->cache_write, b->cache_write);
}

bool event_parse(struct span data, struct arena *arena, struct json *json)
{
	struct json_error error;
	return json_parse_relaxed(json, arena, data, &JSON_DEPTH(EVENT_DEPTH), &error) &&
	       json_type(json, 0) == JSON_OBJECT;
}

const struct json *event_json(const struct event *event, struct arena *arena, struct json *room)
{
	if (event->json != NULL)
		return event->json;
	return event_parse(event->data, arena, room) ? room : NULL;
}

struct span deltas_finish(const struct deltas *deltas)
{
	for (size_t i = 0; i < deltas->count; i++)
		if (deltas->list[i].part == PART_FINISH && deltas->list[i].text.at != NULL)
			return deltas->list[i].text;
	return (struct span){NULL, 0};
}

void usage_share_out(int64_t total, const uint64_t *weights, size_t count, int64_t *shares)
{
	double all = 0, seen = 0;
	int64_t given = 0;
	for (size_t i = 0; i < count; i++)
		all += (double)weights[i];
	for (size_t i = 0; i < count; i++) {
		seen += (double)weights[i];
		int64_t upto = i + 1 == count || all <= 0 ? total : (int64_t)((double)total * (seen / all));
		upto = upto < given ? given : upto > total ? total : upto;
		shares[i] = total < 0 ? -1 : upto - given;
		given = upto;
	}
}
