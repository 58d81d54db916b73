/* SPDX-License-Identifier: MIT */
/*
 * Pooled easies and idle connections are the memory of the largest load so far,
 * some ten kilobytes per call. Every now and then the easies that no call of the
 * last period needed are freed. When a whole period had no call at all, the multi
 * is made anew: curl has no other way of closing idle connections, and those are
 * near the age from which on they are not used again (easy.c).
 */
#include "clients/http/rest.h"

#include "clients/http/call.h"
#include "clients/http/origin.h"
#include "lib/memory.h"

enum { REST_PERIOD_US = 20 * 1000 * 1000, REST_WORTH_TRIMMING = 64 /* easies; other threads wait meanwhile */ };

static void on_period(struct timer *timer);

static bool start_period(struct http_client *client)
{
	client->calls_this_period = 0;
	return timer_start(&client->reactor->timers, &client->rest, REST_PERIOD_US, on_period);
}

void rest_note_call(struct http_client *client)
{
	if (!timer_is_running(&client->rest))
		start_period(client);
	client->calls_this_period++;
}

/* The coldest ones are in front. Returns how many it freed. */
static size_t free_unused(struct http_origin *origin)
{
	size_t count = origin->unused_count;
	for (; origin->unused_count > 0; origin->unused_count--, origin->idle_count--)
		call_destroy(TAILQ_FIRST(&origin->idle));
	origin->unused_count = origin->idle_count;
	return count;
}

static void on_period(struct timer *timer)
{
	struct http_client *client = (struct http_client *)((char *)timer - offsetof(struct http_client, rest));
	struct http_origin *origin;
	size_t freed = 0;
	bool quiet = client->calls_this_period == 0 && client->active == 0 && client->in_multi == 0;
	for (origin = TAILQ_FIRST(&client->origins); origin != NULL; origin = TAILQ_NEXT(origin, link)) {
		if (quiet)
			origin->unused_count = origin->idle_count; /* what an easy told the old multi is lost */
		freed += free_unused(origin);
	}
	if (quiet) {
		client_renew_multi(client);
		memory_rest();
		return;
	}
	start_period(client);
	if (freed >= REST_WORTH_TRIMMING)
		memory_trim();
}
