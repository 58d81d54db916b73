/* SPDX-License-Identifier: MIT */
/*
 * Keepalive comments, the heartbeat of a silent stream, so that proxies and clients do not take it for dead while a
 * model thinks. The head goes out with the first of them: from there on a failure is told within the stream, and
 * failover stays invisible. A comment is one line without a blank line after it: of all lawful forms the only one that
 * every official SDK reads over.
 */
#include "lib/container.h"
#include "service/exchange/internal.h"

enum { COMMENTS_APART_US = 1000000 /* of a backend, that are passed on */ };

/* Returns whether a target was asked, or another exchange asked for this one. Before, the answer may still be any. */
static bool is_asked(const struct exchange *exchange)
{
	return exchange->caching.follower != NULL || exchange_attempts(exchange) > 0;
}

/* Says that the answer is on its way. */
static enum exchange_step send_comment(struct exchange *exchange)
{
	if (exchange->paused || !is_asked(exchange)) /* paused: there is enough for the client to read */
		return EXCHANGE_WAIT;
	exchange_head(exchange, EXCHANGE_ST_STREAM, NULL, -1);
	return exchange_write(exchange, SPAN(": keepalive\n"));
}

static void on_silence(struct timer *timer);

static void wait_for_silence(struct exchange *exchange, uint64_t wait_us)
{
	timer_start(exchange_timers(exchange), &exchange->keepalive, wait_us, on_silence);
}

/* The timer does not start anew with every event: it looks how old the last one is. */
static void on_silence(struct timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, keepalive);
	uint64_t most_us = exchange_config(exchange)->keepalive_us;
	uint64_t age_us = exchange_now(exchange) - exchange->sent_us;
	if (age_us < most_us)
		wait_for_silence(exchange, most_us - age_us);
	else if (exchange_go(exchange, send_comment(exchange)))
		wait_for_silence(exchange, most_us);
}

void exchange_keepalive_begin(struct exchange *exchange)
{
	uint64_t most_us = exchange_config(exchange)->keepalive_us;
	exchange->sent_us = exchange_now(exchange);
	if (exchange->request->stream && most_us != 0)
		wait_for_silence(exchange, most_us);
}

void exchange_keepalive_end(struct exchange *exchange)
{
	timer_stop(exchange_timers(exchange), &exchange->keepalive);
}

void exchange_on_comment(struct run_sink *sink)
{
	struct exchange *exchange = container_of(sink, struct exchange, sink);
	bool relays = exchange->request->stream && exchange_config(exchange)->keepalive_us != 0;
	if (relays && exchange_now(exchange) - exchange->sent_us >= COMMENTS_APART_US)
		exchange_go(exchange, send_comment(exchange));
}
