/* SPDX-License-Identifier: MIT */
/*
 * A Redis Cluster: a map from hash slots to connections, one connection for each
 * master. The map comes from any node by CLUSTER SLOTS; MOVED corrects it at once
 * and has it read again. Until there is a map, and whenever no node of it
 * answers, the configured servers are asked.
 *
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 */
#include <stdio.h>
#include <stdlib.h>

#include "clients/redis/client.h"
#include "clients/redis/probe.h"
#include "lib/container.h"
#include "lib/random.h"

enum {
	HOPS_MAX = 5,
	NODES_MAX = 1024,
	MAP_PATIENCE_US = 2 * 1000 * 1000,
	MAP_SOON_US = 100 * 1000,  /* after a sign that it is old */
	MAP_AGAIN_US = 500 * 1000, /* while one of its nodes cannot be reached */
	MAP_EVERY_US = 60 * 1000 * 1000,
	TRY_AGAIN_US = 5 * 1000
};

struct cluster {
	struct redis *redis;
	struct redis_command question; /* CLUSTER SLOTS */
	struct redis_link *asked;
	unsigned turn; /* which node is asked next */
	struct timer refresh;
	bool known; /* there is a map */
	struct redis_link *map[REDIS_HASH_SLOTS];
};

static void refresh(struct cluster *cluster);

static void on_refresh_due(struct timer *timer)
{
	refresh(container_of(timer, struct cluster, refresh));
}

/* Reads the map in a while: half of it, and any part of the other half. */
static void refresh_in(struct cluster *cluster, uint64_t most_us)
{
	struct timers *timers = &cluster->redis->reactor->timers;
	uint64_t delay = most_us / 2 + random_u64() % (most_us / 2);
	if (!timer_is_running(&cluster->refresh) || cluster->refresh.due_us > timers_now(timers) + delay)
		timer_start(timers, &cluster->refresh, delay, on_refresh_due);
}

static void on_node_ready(struct redis_link *link)
{
	struct cluster *cluster = link->options.context;
	if (!cluster->known && !redis_is_pending(&cluster->question))
		refresh(cluster);
}

static void on_node_lost(struct redis_link *link, const char *why)
{
	(void)why;
	redis_link_connect_later(link);
	refresh_in(link->options.context, MAP_SOON_US);
}

static struct redis_link *find_node(struct redis *redis, const char *host, unsigned port)
{
	struct redis_link *link;
	LIST_FOREACH(link, &redis->links, link)
	if (!link->retired && link->options.port == port && strcmp(link->host, host) == 0)
		return link;
	return NULL;
}

/* The connection to an address, which is made when there is none. NULL: out of memory, or too many. */
static struct redis_link *need_node(struct cluster *cluster, const char *host, unsigned port)
{
	static const struct redis_link_owner owner = {.on_ready = on_node_ready, .on_lost = on_node_lost};
	const struct config_redis *config = cluster->redis->config;
	struct redis_link *link = find_node(cluster->redis, host, port);
	size_t count = 0;
	const struct redis_link *at;
	char name[REDIS_SERVER_NAME_MAX];
	if (link != NULL)
		return link;
	LIST_FOREACH(at, &cluster->redis->links, link)
	count++;
	if (count >= NODES_MAX)
		return NULL;
	redis_server_name(name, host, port);
	struct redis_link_options options = {.owner = &owner,
					     .context = cluster,
					     .host = host,
					     .port = port,
					     .user = config->user,
					     .password = config->password,
					     .node = true,
					     .name = name};
	link = redis_link_create(cluster->redis, &options);
	if (link != NULL)
		redis_link_connect(link);
	return link;
}

static bool need_seeds(struct cluster *cluster)
{
	const struct config_redis *config = cluster->redis->config;
	bool one = false;
	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_address *seed = &config->servers[i];
		one = need_node(cluster, seed->host, (unsigned)strtoul(seed->port, NULL, 10)) != NULL || one;
	}
	return one;
}

/* A node that can be asked, each time another one; NULL = none. */
static struct redis_link *any_node(struct cluster *cluster)
{
	struct redis_link *link;
	unsigned ready = 0;
	LIST_FOREACH(link, &cluster->redis->links, link)
	ready += !link->retired && redis_link_is_ready(link);
	if (ready == 0)
		return NULL;
	unsigned nth = cluster->turn++ % ready;
	LIST_FOREACH(link, &cluster->redis->links, link)
	if (!link->retired && redis_link_is_ready(link) && nth-- == 0)
		return link;
	return NULL;
}

static void refresh(struct cluster *cluster)
{
	static const struct span slots[] = {{"CLUSTER", 7}, {"SLOTS", 5}};
	if (redis_is_pending(&cluster->question))
		return;
	cluster->asked = any_node(cluster);
	if (cluster->asked == NULL)
		need_seeds(cluster);
	if (cluster->asked == NULL ||
	    !redis_send_on(cluster->asked, &cluster->question, slots, 2, redis_now(cluster->redis) + MAP_PATIENCE_US))
		refresh_in(cluster, MAP_AGAIN_US);
}

/* One of the map's ranges: [first, last, [host, port, …], replicas…]. False: it is none. */
static bool read_range(struct cluster *cluster, const struct redis_reply *range, struct redis_link **map)
{
	char host[256];
	if (range->kind != REDIS_ARRAY || range->count < 3)
		return false;
	const struct redis_reply *first = &range->elements[0];
	const struct redis_reply *last = &range->elements[1];
	const struct redis_reply *node = &range->elements[2];
	if (first->kind != REDIS_INTEGER || last->kind != REDIS_INTEGER || first->integer < 0 ||
	    last->integer >= REDIS_HASH_SLOTS || node->kind != REDIS_ARRAY || node->count < 2)
		return false;
	struct span name = node->elements[0].text;
	int64_t port = node->elements[1].integer;
	if (port < 1 || port > 65535 || name.len >= sizeof(host) || span_is(name, "?"))
		return false;
	/* A node that does not know its own address is the one that was asked. */
	snprintf(host, sizeof(host), "%.*s", name.len == 0 ? 255 : (int)name.len,
		 name.len == 0 ? cluster->asked->host : name.at);
	struct redis_link *link = need_node(cluster, host, (unsigned)port);
	for (int64_t i = first->integer; link != NULL && i <= last->integer; i++)
		map[i] = link;
	return link != NULL;
}

static bool is_needed(const struct cluster *cluster, const struct redis_link *link)
{
	for (size_t i = 0; i < REDIS_HASH_SLOTS; i++)
		if (cluster->map[i] == link)
			return true;
	return false;
}

/* Those that the map does not need go, once nothing is in flight there. False: some stay for now. */
static bool retire_others(const struct cluster *cluster)
{
	bool done = true;
	struct redis_link *link;
	for (link = LIST_FIRST(&cluster->redis->links); link != NULL; link = LIST_NEXT(link, link)) {
		if (is_needed(cluster, link) || link->retired)
			continue;
		if (link->in_flight == 0)
			redis_link_retire(link);
		else
			done = false;
	}
	return done;
}

static bool all_ready(const struct cluster *cluster)
{
	const struct redis_link *link;
	LIST_FOREACH(link, &cluster->redis->links, link)
	if (!link->retired && !redis_link_is_ready(link))
		return false;
	return true;
}

static void on_map(struct redis_command *command, const struct redis_reply *reply)
{
	struct cluster *cluster = container_of(command, struct cluster, question);
	struct redis_link **map = calloc(REDIS_HASH_SLOTS, sizeof(struct redis_link *));
	size_t ranges = 0;
	bool settled = false;
	bool fits = map != NULL && reply->kind == REDIS_ARRAY;
	for (size_t i = 0; fits && i < reply->count; i++)
		ranges += read_range(cluster, &reply->elements[i], map);
	if (ranges != 0) {
		memcpy(cluster->map, map, sizeof(cluster->map));
		cluster->known = true;
		settled = retire_others(cluster) && all_ready(cluster);
	}
	free(map);
	refresh_in(cluster, settled ? MAP_EVERY_US : MAP_AGAIN_US);
}

static bool cluster_start(struct redis *redis)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));
	redis->state = cluster;
	if (cluster == NULL)
		return false;
	cluster->redis = redis;
	cluster->question.on_reply = on_map;
	return need_seeds(cluster);
}

static void cluster_stop(struct redis *redis)
{
	struct cluster *cluster = redis->state;
	if (cluster == NULL)
		return;
	redis_cancel(&cluster->question);
	timer_stop(&redis->reactor->timers, &cluster->refresh);
	free(cluster);
	redis->state = NULL;
}

static struct redis_link *cluster_route(struct redis *redis, int hash_slot)
{
	struct cluster *cluster = redis->state;
	if (hash_slot >= 0)
		return cluster->map[hash_slot];
	return cluster->known ? any_node(cluster) : NULL;
}

/* "MOVED 3999 127.0.0.1:6381": to the node named there; without a host it is the one that said so, on another port. */
static struct redis_link *read_redirection(struct cluster *cluster, const struct redis_slot *slot, struct span text,
					   unsigned *hash_slot)
{
	char copy[320];
	char host[256];
	unsigned port = 0;
	if (text.len >= sizeof(copy))
		return NULL;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	char *colon = strrchr(copy, ':');
	char *space = strrchr(copy, ' ');
	if (colon == NULL || space == NULL || space > colon || sscanf(copy, "%*s %u", hash_slot) != 1 ||
	    *hash_slot >= REDIS_HASH_SLOTS || sscanf(colon + 1, "%u", &port) != 1 || port == 0 || port > 65535)
		return NULL;
	*colon = '\0';
	snprintf(host, sizeof(host), "%s", space[1] == '\0' ? slot->at->host : space + 1);
	return need_node(cluster, host, port);
}

static bool redirect(struct redis_slot *slot, bool ask, struct span text)
{
	struct cluster *cluster = slot->redis->state;
	unsigned hash_slot = 0;
	if (++slot->hops > HOPS_MAX)
		return false;
	struct redis_link *link = read_redirection(cluster, slot, text, &hash_slot);
	if (link == NULL || redis_server_state(link->server) == REDIS_SERVER_ST_DOWN)
		return false;
	if (!ask) {
		cluster->map[hash_slot] = link;
		refresh_in(cluster, MAP_SOON_US);
	}
	slot->asking = ask;
	return redis_slot_send(slot, link);
}

static void suspect(struct redis_slot *slot, struct span text)
{
	static const char unserved[] = "Hash slot not served";
	refresh_in(slot->redis->state, MAP_SOON_US);
	if (slot->at->server == NULL || memmem(text.at, text.len, unserved, sizeof(unserved) - 1) != NULL)
		return; /* the others are served */
	redis_server_is_down(slot->at->server, redis_error_of(text)->why);
	redis_link_probe(slot->at);
}

static bool cluster_on_error(struct redis_slot *slot, enum redis_effect effect, struct span text)
{
	switch (effect) {
	case REDIS_EFFECT_MOVED:
	case REDIS_EFFECT_ASK:
		return redirect(slot, effect == REDIS_EFFECT_ASK, text);
	case REDIS_EFFECT_TRYAGAIN:
		if (++slot->hops > HOPS_MAX)
			return false;
		redis_slot_pause(slot, (uint64_t)TRY_AGAIN_US << slot->hops);
		return true;
	case REDIS_EFFECT_CLUSTER_DOWN:
		suspect(slot, text);
		return false;
	case REDIS_EFFECT_READONLY:
		refresh_in(slot->redis->state, MAP_SOON_US);
		return false;
	default:
		return false;
	}
}

static size_t cluster_masters(struct redis *redis, struct redis_link **masters, size_t most)
{
	const struct cluster *cluster = redis->state;
	size_t count = 0;
	for (size_t i = 0; i < REDIS_HASH_SLOTS; i++) {
		bool seen = cluster->map[i] == NULL;
		for (size_t j = 0; !seen && j < count; j++)
			seen = masters[j] == cluster->map[i];
		if (!seen && count < most)
			masters[count++] = cluster->map[i];
	}
	return count;
}

const struct redis_mode redis_cluster = {cluster_start, cluster_stop, cluster_route, cluster_on_error, cluster_masters};
