/* SPDX-License-Identifier: MIT */
/* Each rule names the key that is wrong in the company of another, and what was expected. */
#include "config/redis_check.h"

#include <stdio.h>

/* A finding at a key of the section, when the section has it. */
static void redis_refuse(const struct reader *reader, const struct tree_node *node, const char *name, const char *text)
{
	char path[READER_PATH_MAX];
	const struct tree_node *key = tree_member(node, name);
	if (key != NULL && key->kind != TREE_NULL)
		findings_add(reader->findings, key->key_line, reader_path(path, "redis", span_of(name)), "%s", text);
}

static const char unused[] = "there is no Redis to use it with; expected servers or unix beside it";

/* Keys that mean nothing when nobody says where Redis is. */
static void check_unused(const struct reader *reader, const struct tree_node *node, const struct config_redis *redis)
{
	if (redis->mode != CONFIG_REDIS_SINGLE)
		redis_refuse(reader, node, "mode", unused);
	if (redis->database != 0)
		redis_refuse(reader, node, "database", unused);
	redis_refuse(reader, node, "master", unused);
	redis_refuse(reader, node, "user", unused);
	if (redis->password != NULL)
		redis_refuse(reader, node, "password", unused);
	if (redis->sentinel_password != NULL)
		redis_refuse(reader, node, "sentinel_password", unused);
}

static void check_sentinel(const struct reader *reader, const struct tree_node *node, const struct config_redis *redis)
{
	if (redis->mode == CONFIG_REDIS_SENTINEL) {
		if (tree_member(node, "master") == NULL)
			findings_add(reader->findings, node->key_line, "redis.master",
				     "missing; expected the name that the sentinels know the master by");
		return;
	}
	redis_refuse(reader, node, "master", "only sentinels know names of masters; expected mode: sentinel");
	if (redis->sentinel_password != NULL)
		redis_refuse(reader, node, "sentinel_password", "there are no sentinels; expected mode: sentinel");
}

/* A section without a key switches TLS on; one whose keys are all commented out does not. */
static void check_tls(const struct reader *reader, const struct tree_node *node, struct config_redis *redis)
{
	const struct tree_node *tls = tree_member(node, "tls");
	if (tls == NULL || tls->kind != TREE_MAPPING)
		return;
	redis->tls.used = true;
	redis->tls.line = tls->key_line;
	if (!config_redis_is_used(redis))
		redis_refuse(reader, node, "tls", unused);
	if (redis->socket != NULL)
		redis_refuse(reader, node, "tls", "a unix socket needs none; expected servers instead of it");
	if (redis->tls.certificate != NULL && redis->tls.key == NULL && tree_member(tls, "key") == NULL)
		findings_add(reader->findings, tls->key_line, "redis.tls.key",
			     "missing; expected the path of the certificate's key");
	if (redis->tls.key != NULL && redis->tls.certificate == NULL && tree_member(tls, "certificate") == NULL)
		findings_add(reader->findings, tls->key_line, "redis.tls.certificate",
			     "missing; expected the path of the key's certificate");
}

void redis_check(const struct reader *reader, const struct tree_node *node, struct config_redis *redis)
{
	if (node == NULL || node->kind != TREE_MAPPING)
		return;
	check_tls(reader, node, redis);
	if (!config_redis_is_used(redis)) {
		if (tree_member(node, "servers") == NULL && tree_member(node, "unix") == NULL)
			check_unused(reader, node, redis);
		return;
	}
	check_sentinel(reader, node, redis);
	if (redis->socket != NULL && redis->server_count != 0)
		redis_refuse(reader, node, "unix", "there are servers, too; expected only one of both");
	if (redis->socket != NULL && redis->mode != CONFIG_REDIS_SINGLE)
		redis_refuse(reader, node, "unix", "a socket leads to one server; expected servers, or mode: single");
	if (redis->server_count > 1 && redis->mode == CONFIG_REDIS_SINGLE)
		redis_refuse(reader, node, "servers", "these are several; expected one, or mode: cluster or sentinel");
	if (redis->mode == CONFIG_REDIS_CLUSTER && redis->database != 0)
		redis_refuse(reader, node, "database", "a cluster has only database 0; expected 0");
	if (redis->user != NULL && redis->password == NULL)
		redis_refuse(reader, node, "user", "there is no password; expected one beside it");
}
