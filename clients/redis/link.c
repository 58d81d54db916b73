/* SPDX-License-Identifier: MIT */
/*
 * The life of a connection: hiredis' asynchronous context is made, watched over and
 * given up. What hiredis does not do is done here: time limits, names, greeting, probes.
 *
 * A trap of hiredis 0.14: a failed connect is followed by no onDisconnect, so
 * ev.cleanup, which always comes, is the one sign that a context goes.
 */
#include "clients/redis/link.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/http/dns_lookup.h"
#include "clients/redis/client.h"
#include "clients/redis/greeting.h"
#include "clients/redis/link_io.h"
#include "clients/redis/probe.h"
#include "clients/redis/tls.h"
#include "lib/container.h"

enum { GOOD_WHILE_US = 10 * 1000 * 1000 /* after which backing off begins anew */ };

static void on_timer(struct timer *timer);

static struct redis_link *link_of_timer(struct timer *timer)
{
	return container_of(timer, struct redis_link, timer);
}

void redis_link_set_timer(struct redis_link *link, uint64_t delay_us)
{
	timer_start(&link->redis->reactor->timers, &link->timer, delay_us, on_timer);
}

uint64_t redis_link_backoff_us(struct redis_link *link)
{
	if (link->good_since_us != 0 && redis_now(link->redis) > link->good_since_us + GOOD_WHILE_US)
		link->trials = 0;
	link->good_since_us = 0;
	return redis_backoff_us(link->trials++);
}

struct redis_link *redis_link_create(struct redis *redis, const struct redis_link_options *options)
{
	struct redis_link *link = calloc(1, sizeof(*link));
	if (link == NULL)
		return NULL;
	link->redis = redis;
	link->options = *options;
	TAILQ_INIT(&link->parked);
	if (options->host != NULL)
		redis_link_move(link, options->host, options->port);
	if (options->name != NULL) {
		link->server = redis_server_hold(redis->shared, options->name);
		if (link->server == NULL) {
			free(link);
			return NULL;
		}
	}
	LIST_INSERT_HEAD(&redis->links, link, link);
	return link;
}

void redis_link_move(struct redis_link *link, const char *host, unsigned port)
{
	snprintf(link->host, sizeof(link->host), "%s", host);
	link->options.port = port;
}

static void fail_parked(struct redis_link *link)
{
	struct redis_slot *slot;
	while ((slot = TAILQ_FIRST(&link->parked)) != NULL)
		redis_slot_fail(slot); /* takes itself out */
}

void redis_link_set_state(struct redis_link *link, enum redis_link_state state)
{
	bool was_ready = redis_link_is_ready(link);
	link->state = state;
	if (link->server != NULL && redis_link_is_ready(link) != was_ready)
		metrics_move(link->redis->cells, was_ready ? -1 : 1, METRIC_REDIS_CONNECTIONS);
}

/* The one end of a connection, and of an attempt at one. */
static void link_lost(struct redis_link *link, const char *why)
{
	redis_link_set_state(link, REDIS_LINK_ST_IDLE);
	link->pinged_us = 0;
	link->probing = false;
	link->why = NULL;
	timer_stop(&link->redis->reactor->timers, &link->timer);
	if (link->retired || link->redis->stopping)
		return;
	if (link->server != NULL)
		redis_server_is_down(link->server, why);
	fail_parked(link);
	if (!link->retired)
		link->options.owner->on_lost(link, why);
}

static void on_context_gone(void *privdata)
{
	struct redis_link *link = privdata;
	const redisContext *context = &link->context->c;
	char why[192];
	bool connecting = link->state == REDIS_LINK_ST_CONNECTING;
	if (link->why != NULL)
		snprintf(why, sizeof(why), "%s", link->why);
	else if (link->gate.violation != NULL)
		snprintf(why, sizeof(why), "%s", link->gate.violation);
	else
		snprintf(why, sizeof(why), "%s: %s", connecting ? "it cannot be reached" : "the connection was lost",
			 context->errstr);
	task_drop(link->redis->reactor, &link->flush);
	link->redis->reactor->ops->unwatch(link->redis->reactor, &link->watch);
	link->context = NULL;
	redis_tls_end(link);
	link_lost(link, why);
}

void redis_link_close(struct redis_link *link, const char *why)
{
	if (link->lookup != NULL)
		lookup_abandon(link->lookup);
	link->lookup = NULL;
	if (link->why == NULL)
		link->why = why;
	if (link->context != NULL) {
		redis_link_set_state(link, REDIS_LINK_ST_CLOSING);
		redisAsyncFree(link->context); /* on_context_gone() comes from in here, or when a callback returns */
	} else if (link->state != REDIS_LINK_ST_IDLE) {
		link_lost(link, why);
	}
}

void redis_link_destroy(struct redis_link *link)
{
	struct reactor *reactor = link->redis->reactor;
	link->retired = true;
	redis_link_close(link, "it is not needed any more");
	fail_parked(link);
	task_drop(reactor, &link->flush);
	timer_stop(&reactor->timers, &link->timer);
	LIST_REMOVE(link, link);
	if (link->server != NULL)
		redis_server_drop(link->server);
	free(link);
}

void redis_link_retire(struct redis_link *link)
{
	link->retired = true;
	task_queue(link->redis->reactor, &link->redis->bury);
}

/* address: numeric; NULL = the socket. */
static void begin(struct redis_link *link, const char *address)
{
	redisAsyncContext *context = link->options.socket != NULL ? redisAsyncConnectUnix(link->options.socket)
								  : redisAsyncConnect(address, (int)link->options.port);
	redis_link_set_state(link, REDIS_LINK_ST_CONNECTING);
	if (context == NULL) {
		link_lost(link, "out of memory");
		return;
	}
	context->data = link;
	context->ev.data = link;
	link->context = context;
	context->ev.cleanup = on_context_gone;
	redis_link_io_attach(link);
	if (context->err != 0) {
		redisAsyncFree(context);
		return;
	}
	if (!redis_link_io_watch(link)) {
		link->why = "out of memory or descriptors";
		redisAsyncFree(context);
	}
}

/* The nth of a list of addresses, without brackets. */
static void pick_address(const char *list, unsigned nth, char picked[INET6_ADDRSTRLEN])
{
	unsigned count = 1;
	for (const char *at = list; *at != '\0'; at++)
		count += *at == ',';
	for (nth %= count; nth > 0; nth--)
		list = strchr(list, ',') + 1;
	list += *list == '[';
	snprintf(picked, INET6_ADDRSTRLEN, "%.*s", (int)strcspn(list, "],"), list);
}

static void on_address(void *context, const char *addresses, const char *why)
{
	struct redis_link *link = context;
	char address[INET6_ADDRSTRLEN];
	char text[192];
	link->lookup = NULL;
	if (addresses == NULL) {
		snprintf(text, sizeof(text), "its name is not known: %s", why);
		link_lost(link, text);
		return;
	}
	pick_address(addresses, link->connects, address);
	begin(link, address);
}

void redis_link_hurry(struct redis_link *link)
{
	if (link->state != REDIS_LINK_ST_IDLE || !timer_is_running(&link->timer) ||
	    link->timer.due_us <= redis_now(link->redis) + REDIS_BACKOFF_FIRST_US)
		return;
	link->trials = 0; /* if that fails it is down again, and nobody hurries it */
	redis_link_connect_later(link);
}

static bool is_numeric(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

void redis_link_connect(struct redis_link *link)
{
	if (link->connects++ > 0)
		metrics_count(link->redis->cells, METRIC_REDIS_RECONNECTS);
	link->why = NULL;
	redis_link_set_timer(link, link->redis->config->connect_us);
	if (link->options.socket != NULL || is_numeric(link->host)) {
		begin(link, link->host);
		return;
	}
	redis_link_set_state(link, REDIS_LINK_ST_RESOLVING);
	link->lookup = lookup_start(link->redis->lookups, link->host, on_address, link);
	if (link->lookup == NULL)
		link_lost(link, "no thread to look its name up");
}

void redis_link_connect_later(struct redis_link *link)
{
	redis_link_set_timer(link, redis_link_backoff_us(link));
}

/* What has to be written in front of the probe becomes less: the server takes it, and cannot answer yet. */
static bool writes_on(struct redis_link *link)
{
	size_t unsent = redis_link_unsent(link);
	bool less = unsent < link->unsent;
	link->unsent = unsent;
	return less;
}

static void on_timer(struct timer *timer)
{
	struct redis_link *link = link_of_timer(timer);
	switch (link->state) {
	case REDIS_LINK_ST_IDLE:
		if (link->options.owner->on_due != NULL)
			link->options.owner->on_due(link);
		else
			redis_link_connect(link);
		break;
	case REDIS_LINK_ST_RESOLVING:
		redis_link_close(link, "its name was not resolved in time");
		break;
	case REDIS_LINK_ST_CONNECTING:
		redis_link_close(link, "it cannot be reached in time");
		break;
	case REDIS_LINK_ST_SECURING:
		redis_link_close(link, "its TLS handshake was not over in time");
		break;
	case REDIS_LINK_ST_GREETING:
		redis_link_close(link, "it did not answer a greeting in time");
		break;
	case REDIS_LINK_ST_READY:
		if (link->pinged_us != 0 && writes_on(link))
			redis_link_set_timer(link, REDIS_PING_PATIENCE_US);
		else if (link->pinged_us != 0)
			redis_link_close(link, "it did not answer a PING for two seconds");
		else if (!link->probing && redis_now(link->redis) < link->heard_us + REDIS_PING_EVERY_US)
			redis_link_set_timer(link, REDIS_PING_EVERY_US);
		else
			redis_link_probe_now(link);
		break;
	case REDIS_LINK_ST_CLOSING:
		break;
	}
}

/* The greeting is over. why: what it does not serve for, as its answer to the probe says; NULL = it serves. */
void redis_link_greeted(struct redis_link *link, const char *why)
{
	struct redis_slot *slot;
	redis_link_set_state(link, REDIS_LINK_ST_READY);
	link->heard_us = redis_now(link->redis);
	if (link->server != NULL && why == NULL) {
		link->good_since_us = link->heard_us;
		redis_server_answered(link->server);
	} else if (link->server != NULL) {
		redis_server_is_down(link->server, why);
	}
	redis_link_set_timer(link, REDIS_PING_EVERY_US);
	if (why != NULL)
		redis_link_probe(link);
	link->options.owner->on_ready(link);
	while (redis_link_is_ready(link) && (slot = TAILQ_FIRST(&link->parked)) != NULL)
		if (!redis_slot_send(slot, link))
			redis_slot_fail(slot);
}
