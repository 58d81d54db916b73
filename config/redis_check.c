/* SPDX-License-Identifier: MIT */
/* Each rule names the key that is wrong in the company of another, and what was expected. */
#include "config/redis_check.h"

#include <stdio.h>

/* A finding at a key of the section, when the section has it. */
static void refuse(const struct reader *reader, const struct tree_node *node, const char *name, const char *text)
{
	char path[READER_PATH_MAX];
	const struct tree_node *key = tree_member(node, name);
	if (key != NULL && key->kind != TREE_NULL)
		findings_add(reader->findings, key->key_line, reader_path(path, "redis", span_of(name)), "%s", text);
}

/* Keys that mean nothing when nobody says where Redis is. */
static void check_unused(const struct reader *reader, const struct tree_node *node, const struct config_redis *redis)
{
	static const char expected[] = "there is no Redis to use it with; expected servers or unix beside it";
	if (redis->mode != CONFIG_REDIS_SINGLE)
		refuse(reader, node, "mode", expected);
	if (redis->database != 0)
		refuse(reader, node, "database", expected);
	refuse(reader, node, "master", expected);
	refuse(reader, node, "user", expected);
	if (redis->password != NULL)
		refuse(reader, node, "password", expected);
	if (redis->sentinel_password != NULL)
		refuse(reader, node, "sentinel_password", expected);
}

static void check_sentinel(const struct reader *reader, const struct tree_node *node, const struct config_redis *redis)
{
	if (redis->mode == CONFIG_REDIS_SENTINEL) {
		if (tree_member(node, "master") == NULL)
			findings_add(reader->findings, node->key_line, "redis.master",
				     "missing; expected the name that the sentinels know the master by");
		return;
	}
	refuse(reader, node, "master", "only sentinels know names of masters; expected mode: sentinel");
	if (redis->sentinel_password != NULL)
		refuse(reader, node, "sentinel_password", "there are no sentinels; expected mode: sentinel");
}

void redis_check(const struct reader *reader, const struct tree_node *node, const struct config_redis *redis)
{
	if (node == NULL || node->kind != TREE_MAPPING)
		return;
	if (!config_redis_is_used(redis)) {
		if (tree_member(node, "servers") == NULL && tree_member(node, "unix") == NULL)
			check_unused(reader, node, redis);
		return;
	}
	check_sentinel(reader, node, redis);
	if (redis->socket != NULL && redis->server_count != 0)
		refuse(reader, node, "unix", "there are servers, too; expected only one of both");
	if (redis->socket != NULL && redis->mode != CONFIG_REDIS_SINGLE)
		refuse(reader, node, "unix", "a socket leads to one server; expected servers, or mode: single");
	if (redis->server_count > 1 && redis->mode == CONFIG_REDIS_SINGLE)
		refuse(reader, node, "servers", "these are several; expected one, or mode: cluster or sentinel");
	if (redis->mode == CONFIG_REDIS_CLUSTER && redis->database != 0)
		refuse(reader, node, "database", "a cluster has only database 0; expected 0");
	if (redis->user != NULL && redis->password == NULL)
		refuse(reader, node, "user", "there is no password; expected one beside it");
}
