/* SPDX-License-Identifier: MIT */
/*
 * Pooled calls and idle connections are as many as the largest load so far
 * needed. Every now and then those are let go that nobody needed in the last
 * period; so a client without calls keeps none. What answers of all sizes left
 * free between others in the heap is given back then, too: under steady traffic
 * it would only grow.
 */
#include "clients/http/pool_trim.h"

#include "clients/http/call.h"
#include "clients/http/channel.h"
#include "clients/http/connect_attempt.h"
#include "clients/http/origin.h"
#include "lib/container.h"
#include "lib/memory.h"

enum { REST_PERIOD_US = 20 * 1000 * 1000, REST_WORK_MOST = 20 /* what asks only whether the service lives */ };

static void on_period(struct timer *timer);

static bool start_period(struct http_client *client)
{
	client->calls_this_period = client->work_this_period = 0;
	return timer_start(&client->reactor->timers, &client->rest, REST_PERIOD_US, on_period);
}

void pool_trim_note_call(struct http_client *client)
{
	if (!timer_is_running(&client->rest))
		start_period(client);
	client->calls_this_period++;
}

void http_client_note_work(struct http_client *client)
{
	if (!timer_is_running(&client->rest))
		start_period(client);
	client->work_this_period++;
}

/* The coldest ones are in front. */
static void let_go(struct http_origin *origin, bool at_rest)
{
	size_t calls = pool_rest(&origin->call_pool, at_rest);
	size_t connections = pool_rest(&origin->channel_pool, at_rest);
	origin->call_pool.count -= calls;
	for (size_t i = 0; i < calls; i++)
		call_destroy(TAILQ_FIRST(&origin->idle_calls));
	channels_close_idle(origin, connections);
}

static void on_period(struct timer *timer)
{
	struct http_client *client = container_of(timer, struct http_client, rest);
	struct http_origin *origin;
	bool at_rest = client->active == 0 && client->calls_this_period == 0;
	for (origin = TAILQ_FIRST(&client->origins); origin != NULL; origin = TAILQ_NEXT(origin, link)) {
		let_go(origin, at_rest);
		if (at_rest)
			attempts_destroy_spare(origin);
	}
	if (at_rest && client->work_this_period <= REST_WORK_MOST) {
		client->reactor->ops->rest(client->reactor);
		return;
	}
	memory_trim();
	start_period(client);
}
