/* SPDX-License-Identifier: MIT */
/*
 * A master that sentinels name. One connection leads to the master; before it is
 * made, and made again, a sentinel is asked where the master is, on a connection
 * that lives for that question only. A server that does not call itself master
 * is not used.
 *
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */
#include <stdio.h>
#include <stdlib.h>

#include "clients/redis/client.h"
#include "lib/container.h"

enum { SENTINEL_PATIENCE_US = 1000 * 1000 };

struct sentinel {
	struct redis *redis;
	struct redis_link *master;
	struct redis_link *asked; /* the sentinel at hand; NULL = none */
	struct redis_command question;
	size_t next;  /* which one is asked next */
	size_t tried; /* this time */
};

static void ask_next(struct sentinel *sentinel);

/* The sentinel at hand is of no use any more. */
static void dismiss(struct sentinel *sentinel)
{
	redis_cancel(&sentinel->question);
	if (sentinel->asked != NULL)
		redis_link_retire(sentinel->asked);
	sentinel->asked = NULL;
}

/* It did not tell: another one, or all of them again in a while. */
static void give_up(struct sentinel *sentinel)
{
	dismiss(sentinel);
	sentinel->next++;
	if (++sentinel->tried < sentinel->redis->config->server_count) {
		ask_next(sentinel);
		return;
	}
	redis_server_is_down(sentinel->master->server, "no sentinel says where it is");
	redis_link_connect_later(sentinel->master);
}

static void on_address(struct redis_command *command, const struct redis_reply *reply)
{
	struct sentinel *sentinel = container_of(command, struct sentinel, question);
	char host[256];
	char port[8];
	bool told = reply->kind == REDIS_ARRAY && reply->count == 2 && reply->elements[0].kind == REDIS_BYTES &&
		    reply->elements[1].kind == REDIS_BYTES && reply->elements[0].text.len < sizeof(host) &&
		    reply->elements[1].text.len < sizeof(port);
	if (!told) {
		give_up(sentinel);
		return;
	}
	snprintf(host, sizeof(host), "%.*s", SPAN_ARG(reply->elements[0].text));
	snprintf(port, sizeof(port), "%.*s", SPAN_ARG(reply->elements[1].text));
	unsigned long number = strtoul(port, NULL, 10);
	if (host[0] == '\0' || number == 0 || number > 65535) {
		give_up(sentinel);
		return;
	}
	dismiss(sentinel);
	redis_link_move(sentinel->master, host, (unsigned)number);
	redis_link_connect(sentinel->master);
}

static void on_sentinel_ready(struct redis_link *link)
{
	struct sentinel *sentinel = link->options.context;
	const struct span question[] = {SPAN("SENTINEL"), SPAN("GET-MASTER-ADDR-BY-NAME"),
					span_of(sentinel->redis->config->master)};
	if (!redis_send_on(link, &sentinel->question, question, 3, redis_now(sentinel->redis) + SENTINEL_PATIENCE_US))
		give_up(sentinel);
}

static void on_sentinel_lost(struct redis_link *link, const char *why)
{
	(void)why;
	struct sentinel *sentinel = link->options.context;
	if (link == sentinel->asked)
		give_up(sentinel);
}

static void ask_next(struct sentinel *sentinel)
{
	static const struct redis_link_owner owner = {.on_ready = on_sentinel_ready, .on_lost = on_sentinel_lost};
	const struct config_redis *config = sentinel->redis->config;
	const struct config_address *address = &config->servers[sentinel->next % config->server_count];
	struct redis_link_options options = {.owner = &owner,
					     .context = sentinel,
					     .host = address->host,
					     .port = (unsigned)strtoul(address->port, NULL, 10),
					     .password = config->sentinel_password};
	sentinel->asked = redis_link_create(sentinel->redis, &options);
	if (sentinel->asked == NULL)
		redis_link_connect_later(sentinel->master);
	else
		redis_link_connect(sentinel->asked);
}

static void on_master_due(struct redis_link *link)
{
	struct sentinel *sentinel = link->options.context;
	sentinel->tried = 0;
	dismiss(sentinel);
	ask_next(sentinel);
}

static void on_master_ready(struct redis_link *link)
{
	(void)link;
}

static void on_master_lost(struct redis_link *link, const char *why)
{
	(void)why;
	redis_link_connect_later(link);
}

static bool sentinel_start(struct redis *redis)
{
	static const struct redis_link_owner owner = {
	    .on_ready = on_master_ready, .on_lost = on_master_lost, .on_due = on_master_due};
	const struct config_redis *config = redis->config;
	struct sentinel *sentinel = calloc(1, sizeof(*sentinel));
	redis->state = sentinel;
	if (sentinel == NULL)
		return false;
	*sentinel = (struct sentinel){.redis = redis, .question = {.on_reply = on_address}};
	struct redis_link_options options = {.owner = &owner,
					     .context = sentinel,
					     .host = "",
					     .user = config->user,
					     .password = config->password,
					     .database = config->database,
					     .master = true,
					     .name = config->master};
	sentinel->master = redis_link_create(redis, &options);
	if (sentinel->master != NULL)
		ask_next(sentinel);
	return sentinel->master != NULL;
}

static void sentinel_stop(struct redis *redis)
{
	struct sentinel *sentinel = redis->state;
	if (sentinel == NULL)
		return;
	redis_cancel(&sentinel->question);
	free(sentinel);
	redis->state = NULL;
}

static struct redis_link *sentinel_route(struct redis *redis, int hash_slot)
{
	(void)hash_slot;
	const struct sentinel *sentinel = redis->state;
	return sentinel->master;
}

static bool sentinel_on_error(struct redis_slot *slot, enum redis_effect effect, struct span text)
{
	const struct sentinel *sentinel = slot->redis->state;
	(void)text;
	if (effect == REDIS_EFFECT_READONLY && slot->at == sentinel->master)
		redis_link_close(slot->at, "READONLY: it is not the master any more");
	return false;
}

static size_t sentinel_masters(struct redis *redis, struct redis_link **masters, size_t most)
{
	const struct sentinel *sentinel = redis->state;
	if (most == 0)
		return 0;
	masters[0] = sentinel->master;
	return 1;
}

const struct redis_mode redis_sentinel = {sentinel_start, sentinel_stop, sentinel_route, sentinel_on_error,
					  sentinel_masters};
