/* SPDX-License-Identifier: MIT */
/*
 * Comments in a stream that is silent, so that proxies and clients do not take it
 * for dead while a model thinks. The head goes out with the first of them: from
 * there on a failure is told within the stream, and failover stays invisible.
 *
 * A comment is one line without a blank line behind it: of all lawful forms the
 * only one that every official SDK reads over.
 */
#include "lib/container.h"
#include "service/exchange/exchange_internal.h"

enum { COMMENTS_APART_US = 1000000 /* of a backend, that are passed on */ };

static const struct plan_worker *plan_worker(const struct exchange *exchange)
{
	return &exchange->worker->flights.plan;
}

/* Says that the answer is on its way. False: the exchange ended over it. */
static bool comment(struct exchange *exchange)
{
	if (exchange->paused) /* there is enough for the client to read */
		return true;
	if (exchange->caching.follower == NULL && flight_attempts(exchange->flight) == 0)
		return true; /* nobody was asked yet, and the answer may still be any */
	exchange_head(exchange, EXCHANGE_ST_STREAM, NULL, -1);
	return exchange_write(exchange, SPAN(": keepalive\n"));
}

static void on_silence(struct timer *timer);

static void wait_for_silence(struct exchange *exchange, uint64_t wait_us)
{
	timer_start(&plan_worker(exchange)->reactor->timers, &exchange->keepalive, wait_us, on_silence);
}

/* The timer does not start anew with every event: it looks how old the last one is. */
static void on_silence(struct timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, keepalive);
	uint64_t most_us = plan_worker(exchange)->config->keepalive_us;
	uint64_t age_us = exchange_now(exchange) - exchange->sent_us;
	if (age_us < most_us)
		wait_for_silence(exchange, most_us - age_us);
	else if (comment(exchange))
		wait_for_silence(exchange, most_us);
}

void keepalive_begin(struct exchange *exchange)
{
	uint64_t most_us = plan_worker(exchange)->config->keepalive_us;
	exchange->sent_us = exchange_now(exchange);
	if (exchange->request.stream && most_us != 0)
		wait_for_silence(exchange, most_us);
}

void keepalive_end(struct exchange *exchange)
{
	timer_stop(&plan_worker(exchange)->reactor->timers, &exchange->keepalive);
}

void keepalive_on_comment(struct flight_subscriber *subscriber)
{
	struct exchange *exchange = container_of(subscriber, struct exchange, subscriber);
	bool relays = exchange->request.stream && plan_worker(exchange)->config->keepalive_us != 0;
	if (relays && exchange_now(exchange) - exchange->sent_us >= COMMENTS_APART_US)
		comment(exchange);
}
