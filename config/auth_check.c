/* SPDX-License-Identifier: MIT */
/* Keys, their pepper and the listeners in each other's company; auth_check.h lists the rules. */
#include "config/auth_check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEPPER_LEAST = 32, PLACE_MAX = 64 };

/* Names are resolved when the listener opens, which looks again (listener_bind.c). */
static bool may_be_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return host[0] != '\0' && strcmp(host, "*") != 0;
}

/* place: the listener's key. */
static void check_listener(const struct reader *reader, const struct config_listener *listener, const char *place)
{
	if (listener->host == NULL || may_be_loopback(listener->host))
		return;
	findings_add(reader->findings, listener->line, place,
		     "other machines may reach %s:%s, and nobody is asked for a key; expected \"keys\" (`sluice keys "
		     "create` makes one), a loopback address such as 127.0.0.1, or \"auth: none\" written in the file",
		     listener->host, listener->port);
}

/* The admin listener serves its page the API, too. */
static void check_listeners(const struct reader *reader, const struct config *config)
{
	char place[PLACE_MAX];
	for (size_t i = 0; i < config->listener_count; i++) {
		snprintf(place, sizeof(place), "listen[%zu]", i);
		check_listener(reader, &config->listeners[i], place);
	}
	check_listener(reader, &config->admin, "admin");
}

static void check_pepper(const struct reader *reader, const struct tree_node *root, const struct config *config)
{
	const struct tree_node *auth = tree_member(root, "auth");
	const struct secret_text *pepper = config->auth.pepper == NULL ? NULL : secret_text_hold(config->auth.pepper);
	unsigned line = auth != NULL ? tree_line(auth, "pepper") : tree_line(root, "keys");
	if (pepper == NULL)
		findings_add(reader->findings, line, "auth.pepper",
			     "missing; expected the secret of at least %d characters that the hashes of keys were made "
			     "with, such as ${file:pepper} or ${SLUICE_PEPPER}",
			     PEPPER_LEAST);
	else if (pepper->len < PEPPER_LEAST)
		findings_add(reader->findings, line, "auth.pepper",
			     "it has %zu characters; expected at least %d, such as `openssl rand -hex 32` prints",
			     pepper->len, PEPPER_LEAST);
	secret_text_drop(pepper);
}

static int compare_ids(const void *a, const void *b)
{
	const struct config_key *left = *(const struct config_key *const *)a;
	const struct config_key *right = *(const struct config_key *const *)b;
	int order = strcmp(left->hash->id, right->hash->id);
	return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

/* Sorts the keys by their ids, so that equal ones are neighbours. A key without a hash has a finding already. */
static void sort_keys(const struct reader *reader, struct config *config)
{
	const struct config_key **sorted = arena_zalloc(reader->arena, config->key_count + 1, sizeof(*sorted));
	size_t count = 0;
	for (size_t i = 0; sorted != NULL && i < config->key_count; i++)
		if (config->keys[i].hash != NULL)
			sorted[count++] = &config->keys[i];
	if (count > 0)
		qsort(sorted, count, sizeof(*sorted), compare_ids);
	for (size_t i = 1; i < count; i++) {
		const struct config_key *key = sorted[i], *other = sorted[i - 1];
		char place[READER_PATH_MAX];
		if (strcmp(key->hash->id, other->hash->id) == 0)
			findings_add(reader->findings, key->line, reader_path(place, "keys", span_of(key->name)),
				     "its id %s is that of %s at line %u, too; expected a key of its own",
				     key->hash->id, other->name, other->line);
	}
	config->keys_by_id = sorted;
}

/* A finding at a key of auth, or at auth itself when it lacks the key. */
static void refuse_store(const struct reader *reader, const struct tree_node *root, const char *name, const char *text)
{
	char place[READER_PATH_MAX];
	findings_add(reader->findings, tree_line(tree_member(root, "auth"), name),
		     reader_path(place, "auth", span_of(name)), "%s", text);
}

static void check_store(const struct reader *reader, const struct tree_node *root, const struct config *config)
{
	const struct config_auth *auth = &config->auth;
	if (auth->mode == CONFIG_AUTH_NONE && auth->store != CONFIG_STORE_NONE)
		refuse_store(reader, root, "store",
			     "nobody is asked for a key, as auth.mode is none; expected mode: keys, or no store");
	if (auth->store == CONFIG_STORE_SQLITE && auth->file == NULL)
		refuse_store(reader, root, "file", "missing; expected the path of the SQLite file, such as keys.db");
	if (auth->store != CONFIG_STORE_SQLITE && auth->file != NULL)
		refuse_store(reader, root, "file", "no store is in a file; expected store: sqlite beside it");
	if (auth->store == CONFIG_STORE_REDIS && !config_redis_is_used(&config->redis))
		refuse_store(reader, root, "store",
			     "it is redis, and there is none; expected servers or unix in \"redis\", or store: sqlite");
}

void auth_check(const struct reader *reader, const struct tree_node *root, struct config *config)
{
	struct config_auth *auth = &config->auth;
	bool stored = auth->store != CONFIG_STORE_NONE;
	bool keyed = config->key_count > 0 || stored;
	if (auth->mode == CONFIG_AUTH_UNSAID && (keyed || auth->issuer_count > 0))
		auth->mode = CONFIG_AUTH_KEYS;
	check_store(reader, root, config);
	if (auth->mode == CONFIG_AUTH_NONE && config->key_count > 0)
		findings_add(reader->findings, tree_line(tree_member(root, "auth"), "mode"), "auth",
			     "it is none, so that nobody asks for the %zu keys of the file; expected auth: keys, or no "
			     "keys",
			     config->key_count);
	if (auth->mode == CONFIG_AUTH_NONE && auth->issuer_count > 0)
		findings_add(reader->findings, tree_line(tree_member(root, "auth"), "mode"), "auth",
			     "it is none, so that nobody asks for tokens; expected mode: keys, or no \"jwt\"");
	if (auth->mode == CONFIG_AUTH_KEYS && !keyed && auth->issuer_count == 0)
		findings_add(reader->findings, tree_line(tree_member(root, "auth"), "mode"), "auth",
			     "it is keys, and there are none; expected at least one in \"keys\": `sluice keys create "
			     "--name NAME` makes it; a store of keys (auth.store), or an issuer of tokens in \"jwt\"");
	if (auth->mode == CONFIG_AUTH_UNSAID)
		check_listeners(reader, config);
	if (auth->mode == CONFIG_AUTH_KEYS && (keyed || auth->issuer_count == 0))
		check_pepper(reader, root, config);
	sort_keys(reader, config);
}
