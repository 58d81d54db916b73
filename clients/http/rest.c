/* SPDX-License-Identifier: MIT */
/*
 * Pooled easies and idle connections are the memory of the largest load so far,
 * some ten kilobytes per call. Every now and then the easies that no call of the
 * last period needed are freed. When a whole period had no call at all, or so few
 * that many easies were freed, the multi is made anew: curl has no other way of
 * closing idle connections. Those of a load that is over are as many as its
 * easies were, and probes or a trickle of calls use only the warmest.
 */
#include "clients/http/rest.h"

#include "clients/http/call.h"
#include "clients/http/origin.h"
#include "lib/memory.h"

enum { REST_PERIOD_US = 20 * 1000 * 1000, REST_MANY = 64 /* easies: worth a trim, for which other threads wait */ };

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

static size_t free_unused_of_all(struct http_client *client)
{
	struct http_origin *origin;
	size_t freed = 0;
	TAILQ_FOREACH(origin, &client->origins, link)
	freed += free_unused(origin);
	return freed;
}

/* What an easy told the old multi is lost: they go, too, all being idle. */
static void close_connections(struct http_client *client)
{
	free_unused_of_all(client);
	client_renew_multi(client);
	client->surplus = false;
}

static void on_period(struct timer *timer)
{
	struct http_client *client = (struct http_client *)((char *)timer - offsetof(struct http_client, rest));
	bool idle = client->active == 0 && client->in_multi == 0;
	size_t freed = free_unused_of_all(client);
	client->surplus |= freed >= REST_MANY;
	bool quiet = client->calls_this_period == 0;
	if (idle && (quiet || client->surplus)) {
		close_connections(client);
		memory_rest();
	} else if (freed >= REST_MANY) {
		memory_trim();
	}
	if (!idle || !quiet)
		start_period(client);
}
