/* SPDX-License-Identifier: MIT */
/* A worker's client: its life, and the mode of one server, the simplest. */
#include <stdlib.h>

#include "clients/http/dns_lookup.h"
#include "clients/redis/client.h"
#include "lib/container.h"

/* The one connection's owner: it is made again whenever it is lost. */
static void on_single_ready(struct redis_link *link)
{
	(void)link;
}

static void on_single_lost(struct redis_link *link, const char *why)
{
	(void)why;
	redis_link_connect_later(link);
}

static bool single_start(struct redis *redis)
{
	static const struct redis_link_owner owner = {.on_ready = on_single_ready, .on_lost = on_single_lost};
	const struct config_redis *config = redis->config;
	const struct config_address *address = config->server_count == 0 ? NULL : &config->servers[0];
	char name[REDIS_SERVER_NAME_MAX];
	if (address != NULL)
		redis_server_name(name, address->host, (unsigned)strtoul(address->port, NULL, 10));
	struct redis_link_options options = {.owner = &owner,
					     .socket = config->socket,
					     .host = address == NULL ? NULL : address->host,
					     .port = address == NULL ? 0 : (unsigned)strtoul(address->port, NULL, 10),
					     .user = config->user,
					     .password = config->password,
					     .database = config->database,
					     .name = address == NULL ? config->socket : name};
	struct redis_link *link = redis_link_create(redis, &options);
	redis->state = link;
	if (link != NULL)
		redis_link_connect(link);
	return link != NULL;
}

static void single_stop(struct redis *redis)
{
	redis->state = NULL; /* the link goes with all others */
}

static struct redis_link *single_route(struct redis *redis, int hash_slot)
{
	(void)hash_slot;
	return redis->state;
}

static bool single_on_error(struct redis_slot *slot, enum redis_effect effect, struct span text)
{
	(void)text;
	if (effect == REDIS_EFFECT_MOVED || effect == REDIS_EFFECT_ASK || effect == REDIS_EFFECT_CLUSTER_DOWN)
		redis_warn_once(slot->redis->shared, REDIS_WARN_CLUSTER,
				"redis is a node of a cluster; redis.mode should be cluster");
	return false;
}

static size_t single_masters(struct redis *redis, struct redis_link **masters, size_t most)
{
	if (most == 0)
		return 0;
	masters[0] = redis->state;
	return 1;
}

const struct redis_mode redis_single = {single_start, single_stop, single_route, single_on_error, single_masters};

static void on_bury(struct task *task)
{
	struct redis *redis = container_of(task, struct redis, bury);
	struct redis_link *link;
	struct redis_link *next;
	for (link = LIST_FIRST(&redis->links); link != NULL; link = next) {
		next = LIST_NEXT(link, link);
		if (link->retired)
			redis_link_destroy(link);
	}
}

struct redis *redis_create(struct redis_shared *shared, struct reactor *reactor, struct metrics_cells *cells)
{
	static const struct redis_mode *const modes[] = {[CONFIG_REDIS_SINGLE] = &redis_single,
							 [CONFIG_REDIS_CLUSTER] = &redis_cluster,
							 [CONFIG_REDIS_SENTINEL] = &redis_sentinel};
	struct redis *redis = calloc(1, sizeof(*redis));
	if (redis == NULL)
		return NULL;
	redis->shared = shared;
	redis->config = shared->config;
	redis->mode = modes[shared->config->mode];
	redis->reactor = reactor;
	redis->cells = cells;
	redis->bury.run = on_bury;
	LIST_INIT(&redis->slots);
	LIST_INIT(&redis->scans);
	LIST_INIT(&redis->links);
	redis->lookups = lookups_create(reactor);
	if (redis->lookups == NULL) {
		free(redis);
		return NULL;
	}
	if (!redis->mode->start(redis)) {
		redis_destroy(redis);
		return NULL;
	}
	return redis;
}

void redis_destroy(struct redis *redis)
{
	struct redis_link *link;
	struct redis_slot *slot;
	struct redis_slot *next;
	if (redis == NULL)
		return;
	redis->stopping = true;
	redis_scans_stop(redis);
	for (slot = LIST_FIRST(&redis->slots); slot != NULL; slot = next) {
		next = LIST_NEXT(slot, link);
		if (slot->command != NULL)
			redis_cancel(slot->command);
	}
	redis->mode->stop(redis);
	while ((link = LIST_FIRST(&redis->links)) != NULL)
		redis_link_destroy(link); /* NOLINT(clang-analyzer-unix.Malloc): it unlinks itself */
	task_drop(redis->reactor, &redis->bury);
	lookups_destroy(redis->lookups);
	free(redis);
}

bool redis_readable(const struct redis *redis)
{
	struct redis *of = (struct redis *)redis;
	const struct redis_link *link = redis->mode->route(of, -1);
	return link != NULL && redis_link_is_ready(link) && redis_server_is_up(link->server);
}

bool redis_writable(const struct redis *redis)
{
	struct redis *of = (struct redis *)redis;
	const struct redis_link *link = redis->mode->route(of, -1);
	return link != NULL && redis_link_is_ready(link) && redis_server_may_write(link->server, redis_now(of));
}
