/* SPDX-License-Identifier: MIT */
/*
 * The tree is walked along the table of keys, values go where their rows say,
 * and what is wrong is collected until the end. Backends are complete before
 * plans are read, whatever the order in the file.
 */
#include "config/walk_internal.h"

#include <stdio.h>

#include "config/admin_check.h"
#include "config/auth_check.h"
#include "config/usage_check.h"
#include "config/keys.h"
#include "config/redis_check.h"
#include "config/suggest.h"

size_t walk_enter(struct walk *walk, struct span name)
{
	char shown[FINDING_VALUE_MAX];
	size_t len = strlen(walk->path);
	snprintf(walk->path + len, sizeof(walk->path) - len, "%s%s", len == 0 ? "" : ".", finding_value(name, shown));
	return len;
}

static size_t walk_enter_index(struct walk *walk, size_t index)
{
	size_t len = strlen(walk->path);
	snprintf(walk->path + len, sizeof(walk->path) - len, "[%zu]", index);
	return len;
}

void walk_leave(struct walk *walk, size_t len)
{
	walk->path[len] = '\0';
}

bool walk_expect(struct walk *walk, const struct tree_node *node, enum tree_kind kind, const struct key *key)
{
	return reader_expect(&walk->in, walk->path, node, kind, key);
}

void walk_defaults(struct walk *walk, enum key_owner which, void *owner)
{
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		struct value value;
		char expected[VALUE_EXPECTED_MAX];
		if (key->owner == which && key->standard != NULL &&
		    value_read(walk->in.arena, key, span_of(key->standard), "", &value, expected))
			reader_store(key, owner, &value);
	}
}

static void read_scalar(struct walk *walk, const struct key *key, const struct tree_node *node, void *owner)
{
	struct value value;
	if (reader_value(&walk->in, walk->path, key, node, &value))
		reader_store(key, owner, &value);
}

/* One text, a list of them, or nothing; into an array and its count beside it. */
static void read_texts(struct walk *walk, const struct key *key, const struct tree_node *node, void *owner)
{
	bool list = node->kind == TREE_LIST;
	if (node->kind == TREE_NULL)
		return;
	struct {
		const char **list;
		size_t count;
	} texts = {arena_zalloc(walk->in.arena, list ? node->count : 1, sizeof(char *)), 0};
	if (texts.list == NULL)
		return;
	for (const struct tree_node *at = list ? node->first : node; at != NULL; at = list ? at->next : NULL) {
		struct value value;
		size_t len = list ? walk_enter_index(walk, texts.count) : strlen(walk->path);
		if (reader_value(&walk->in, walk->path, key, at, &value))
			texts.list[texts.count] = value.string;
		texts.count++;
		walk_leave(walk, len);
	}
	memcpy((char *)owner + key->offset, &texts, sizeof(texts));
}

/* One address, a list of them, or nothing. */
static void read_servers(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	bool list = node->kind == TREE_LIST;
	if (node->kind == TREE_NULL)
		return;
	struct config_address *servers = arena_zalloc(walk->in.arena, list ? node->count : 1, sizeof(*servers));
	if (servers == NULL)
		return;
	size_t count = 0;
	for (const struct tree_node *at = list ? node->first : node; at != NULL; at = list ? at->next : NULL) {
		struct value value;
		size_t len = list ? walk_enter_index(walk, count) : strlen(walk->path);
		if (reader_value(&walk->in, walk->path, key, at, &value))
			servers[count] = (struct config_address){value.string, value.port};
		count++;
		walk_leave(walk, len);
	}
	walk->snapshot->config.redis.servers = servers;
	walk->snapshot->config.redis.server_count = count;
}

/* One struct of that size, a list of them, or nothing; into an array and its count beside it. */
static void read_made(struct walk *walk, const struct key *key, const struct tree_node *node, void *owner, size_t size)
{
	bool list = node->kind == TREE_LIST;
	if (node->kind == TREE_NULL)
		return;
	struct {
		char *list;
		size_t count;
	} made = {arena_zalloc(walk->in.arena, list ? node->count : 1, size), 0};
	if (made.list == NULL)
		return;
	for (const struct tree_node *at = list ? node->first : node; at != NULL; at = list ? at->next : NULL) {
		struct value value;
		size_t len = list ? walk_enter_index(walk, made.count) : strlen(walk->path);
		if (reader_value(&walk->in, walk->path, key, at, &value))
			memcpy(made.list + made.count * size, value.made, size);
		made.count++;
		walk_leave(walk, len);
	}
	memcpy((char *)owner + key->offset, &made, sizeof(made));
}

static void report_unknown(struct walk *walk, const char *section, const struct tree_node *node)
{
	struct suggestion near = suggest(node->key);
	char hint[SUGGEST_TEXT_MAX];
	for (size_t i = 0; i < keys_count; i++)
		if (key_is_in(&keys_table[i], section))
			suggest_offer(&near, span_of(key_leaf(&keys_table[i])));
	findings_add(walk->in.findings, node->key_line, walk->path, "unknown key%s", suggest_text(&near, hint));
}

void walk_required(struct walk *walk, const char *section, const struct tree_node *node)
{
	char expected[VALUE_EXPECTED_MAX];
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		if ((key->flags & KEY_REQUIRED) == 0 || !key_is_in(key, section) ||
		    tree_member(node, key_leaf(key)) != NULL)
			continue;
		size_t len = walk_enter(walk, span_of(key_leaf(key)));
		findings_add(walk->in.findings, node->key_line, walk->path, "missing; expected %s",
			     value_expected(key, expected));
		walk_leave(walk, len);
	}
}

static void read_key(struct walk *walk, const struct key *key, const struct tree_node *node, void *owner);

void walk_section(struct walk *walk, const char *section, const struct tree_node *node, void *owner)
{
	reader_refuse_duplicates(&walk->in, walk->path, node);
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		size_t len = walk_enter(walk, at->key);
		const struct key *key = key_find(section, at->key);
		if (key == NULL)
			report_unknown(walk, section, at);
		else
			read_key(walk, key, at, owner);
		walk_leave(walk, len);
	}
	walk_required(walk, section, node);
}

/* An entry that is no mapping stands for the section's short key. */
static void read_entry(struct walk *walk, const char *section, const struct tree_node *node, void *owner)
{
	if (node->kind == TREE_MAPPING) {
		walk_section(walk, section, node, owner);
		return;
	}
	for (size_t i = 0; i < keys_count; i++)
		if ((keys_table[i].flags & KEY_SHORT) != 0 && key_is_in(&keys_table[i], section))
			read_scalar(walk, &keys_table[i], node, owner);
}

/* A list or mapping with at least one member. */
static bool expect_members(struct walk *walk, const struct key *key, const struct tree_node *node, enum tree_kind kind)
{
	char expected[VALUE_EXPECTED_MAX];
	if (!walk_expect(walk, node, kind, key))
		return false;
	if (node->count != 0)
		return true;
	findings_add(walk->in.findings, node->line, walk->path, "at least one is needed; expected %s",
		     value_expected(key, expected));
	return false;
}

static void read_listeners(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	if (!expect_members(walk, key, node, TREE_LIST))
		return;
	struct config_listener *listeners = arena_zalloc(walk->in.arena, node->count, sizeof(*listeners));
	if (listeners == NULL)
		return;
	size_t count = 0;
	for (const struct tree_node *at = node->first; at != NULL; at = at->next, count++) {
		size_t len = walk_enter_index(walk, count);
		listeners[count].line = at->line;
		walk_defaults(walk, KEY_OF_config_listener, &listeners[count]);
		read_entry(walk, "listen[]", at, &listeners[count]);
		walk_leave(walk, len);
	}
	walk->snapshot->config.listeners = listeners;
	walk->snapshot->config.listener_count = count;
}

/* Returns whether one value may stand in place of a section's mapping. */
static bool has_short(const char *section)
{
	for (size_t i = 0; i < keys_count; i++)
		if ((keys_table[i].flags & KEY_SHORT) != 0 && key_is_in(&keys_table[i], section))
			return true;
	return false;
}

void walk_entry(struct walk *walk, const char *section, const struct tree_node *node, void *owner)
{
	const struct key as_section = {.path = section, .type = KEY_SECTION};
	if (node->kind == TREE_NULL)
		walk_required(walk, section, node); /* its keys are commented out */
	else if (node->kind == TREE_SCALAR && has_short(section))
		read_entry(walk, section, node, owner);
	else if (walk_expect(walk, node, TREE_MAPPING, &as_section))
		walk_section(walk, section, node, owner);
}

/* A certificate and its key, or a list of them of which the listener keeps the first itself. */
static void read_certificates(struct walk *walk, const struct key *key, const struct tree_node *node,
			      struct config_listener *listener)
{
	if (node->kind != TREE_LIST) {
		walk_entry(walk, key->path, node, listener);
		return;
	}
	struct config_listener *more = arena_zalloc(walk->in.arena, node->count, sizeof(*more));
	size_t count = 0;
	if (!expect_members(walk, key, node, TREE_LIST) || more == NULL)
		return;
	for (const struct tree_node *at = node->first; at != NULL; at = at->next, count++) {
		struct config_listener *pair = count == 0 ? listener : &more[count - 1];
		size_t len = walk_enter_index(walk, count);
		walk_entry(walk, key->path, at, pair);
		if (count > 0 && pair->tls_clients != NULL)
			findings_add(walk->in.findings, at->line, walk->path,
				     "clients is for all of the list; expected it in the first entry");
		walk_leave(walk, len);
	}
	listener->tls_more = more;
	listener->tls_more_count = count - 1;
}

/* A longest wait that nobody set is no shorter than the first one, unless that is so long that it must be a slip. */
enum { WAIT_PLAUSIBLE_US = 300000000 };

/* What no single value can tell. */
static void check_backend(struct walk *walk, const struct tree_node *node, struct config_backend *backend)
{
	const struct tree_node *breaker = tree_member(node, "breaker");
	if (breaker != NULL && tree_member(breaker, "wait_most") == NULL &&
	    backend->breaker.wait_us > backend->breaker.wait_most_us && backend->breaker.wait_us <= WAIT_PLAUSIBLE_US)
		backend->breaker.wait_most_us = backend->breaker.wait_us;
	if (breaker == NULL || backend->breaker.wait_us <= backend->breaker.wait_most_us)
		return;
	size_t len = walk_enter(walk, SPAN("breaker"));
	findings_add(walk->in.findings, breaker->key_line, walk->path,
		     "wait is longer than wait_most; expected the first wait to be the shortest");
	walk_leave(walk, len);
}

void walk_name(struct walk *walk, const struct tree_node *node, const char *what)
{
	if (!value_is_name(node->key))
		findings_add(walk->in.findings, node->key_line, walk->path,
			     "%s name is 1 to %d letters, digits, \".\", \"_\" and \"-\"", what, VALUE_NAME_MAX);
}

struct walk_entries walk_entries(struct walk *walk, const struct tree_node *node, size_t size, walk_entry_fn read)
{
	reader_refuse_duplicates(&walk->in, walk->path, node);
	char *list = arena_zalloc(walk->in.arena, node->count + 1, size);
	size_t count = 0;
	for (const struct tree_node *at = node->first; at != NULL && list != NULL; at = at->next, count++) {
		size_t len = walk_enter(walk, at->key);
		read(walk, at, list + count * size);
		walk_leave(walk, len);
	}
	return (struct walk_entries){list, count};
}

struct walk_entries walk_mapping(struct walk *walk, const struct key *key, const struct tree_node *node, size_t size,
				 walk_entry_fn read)
{
	if (node->kind == TREE_NULL || !walk_expect(walk, node, TREE_MAPPING, key))
		return (struct walk_entries){NULL, 0};
	return walk_entries(walk, node, size, read);
}

static void read_backend(struct walk *walk, const struct tree_node *node, void *entry)
{
	struct config_backend *backend = entry;
	backend->name = node->key.at;
	backend->line = node->key_line;
	walk_defaults(walk, KEY_OF_config_backend, backend);
	walk_name(walk, node, "a backend's");
	walk_entry(walk, "backends.*", node, backend);
	check_backend(walk, node, backend);
}

static void read_backends(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	if (!expect_members(walk, key, node, TREE_MAPPING))
		return;
	struct walk_entries entries = walk_entries(walk, node, sizeof(struct config_backend), read_backend);
	walk->snapshot->config.backends = entries.list;
	walk->snapshot->config.backend_count = entries.count;
}

static void read_key(struct walk *walk, const struct key *key, const struct tree_node *node, void *owner)
{
	switch (key->type) {
	case KEY_SECTION:
		walk_entry(walk, key->path, node, owner);
		break;
	case KEY_CERTIFICATES:
		read_certificates(walk, key, node, owner);
		break;
	case KEY_LISTENERS:
		read_listeners(walk, key, node);
		break;
	case KEY_BACKENDS:
		read_backends(walk, key, node);
		break;
	case KEY_MODELS:
		if (expect_members(walk, key, node, TREE_MAPPING))
			walk->plans = node;
		break;
	case KEY_PLAN:
		((struct config_model *)owner)->plan = plan_read(&walk->reader, node, walk->path);
		break;
	case KEY_CACHE_MODELS:
		if (node->kind != TREE_NULL && walk_expect(walk, node, TREE_MAPPING, key))
			walk->cache = node;
		break;
	case KEY_LISTENER:
		read_scalar(walk, key, node, owner);
		((struct config_listener *)(void *)((char *)owner + key->offset))->line = node->line;
		break;
	case KEY_WORDS:
		reader_words(&walk->in, walk->path, key, node, (unsigned *)(void *)((char *)owner + key->offset));
		break;
	case KEY_SERVERS:
		read_servers(walk, key, node);
		break;
	case KEY_KEYS:
		walk_keys(walk, key, node);
		break;
	case KEY_ISSUERS:
		walk_issuers(walk, key, node);
		break;
	case KEY_NETWORKS:
		read_made(walk, key, node, owner, sizeof(struct config_network));
		break;
	case KEY_RATES:
	case KEY_SPENDING:
		read_made(walk, key, node, owner, sizeof(struct config_rate));
		walk_rates(walk, node, (const struct config_rates *)(const void *)((char *)owner + key->offset));
		break;
	case KEY_QUOTAS:
		walk_quotas(walk, key, node);
		break;
	case KEY_SHARES:
		walk_shares(walk, key, node, owner);
		break;
	case KEY_TENANTS:
		walk_tenants(walk, key, node);
		break;
	case KEY_PRICES:
		walk_prices(walk, key, node);
		break;
	case KEY_PATTERNS:
	case KEY_TEXTS:
	case KEY_ORIGINS:
	case KEY_HOSTS:
		read_texts(walk, key, node, owner);
		break;
	default:
		read_scalar(walk, key, node, owner);
		break;
	}
}

static void read_file(struct walk *walk, const struct tree_node *root)
{
	static const struct key file = {.path = "", .type = KEY_SECTION};
	walk_defaults(walk, KEY_OF_config, &walk->snapshot->config);
	walk->snapshot->config.auth.mode = CONFIG_AUTH_UNSAID;
	if (root->kind != TREE_NULL && !walk_expect(walk, root, TREE_MAPPING, &file))
		return;
	walk_section(walk, file.path, root, &walk->snapshot->config);
	redis_check(&walk->in, tree_member(root, "redis"), &walk->snapshot->config.redis);
	admin_check(&walk->in, &walk->snapshot->config);
	auth_check(&walk->in, root, &walk->snapshot->config);
	usage_check(&walk->in, root, &walk->snapshot->config);
	if (walk->plans == NULL)
		return;
	size_t len = walk_enter(walk, SPAN("models"));
	walk_models(walk, walk->plans);
	walk_leave(walk, len);
	walk_caching(walk);
}

void walk_file(struct snapshot *snapshot, struct findings *findings, const char *directory,
	       const struct tree_node *root)
{
	struct walk walk = {.snapshot = snapshot,
			    .in = {.arena = &snapshot->arena,
				   .findings = findings,
				   .secrets = &snapshot->config.secrets,
				   .directory = directory}};
	read_file(&walk, root);
}
