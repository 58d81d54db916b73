/* SPDX-License-Identifier: MIT */
/*
 * Keys in Redis: one hash, PREFIX:keys, so that a cluster has all of it in one place and a script changes it in one
 * step.
 *
 *   @          the version of the store, which each change counts up
 *   ID         "VERSION RECORD" of a key
 *   @VERSION   the id of the key that changed in that version; gone once it changed again
 *
 * What is new is read from @VERSION on, all of it by HSCAN; neither holds Redis up for long.
 */
#include "service/access/key_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "lib/api_key.h"
#include "service/loop/redis_caller.h"

enum { NAME_MAX_BYTES = 256, NUMBER_MAX = 24 };

#define SCAN_COUNT_TEXT "100"
#define CHANGES_MOST_TEXT "100"

/* Returns the version up to which it has looked, the newest one, and id and record of each key that changed. */
static const char changes_text[] = "local newest = tonumber(redis.call('HGET', KEYS[1], '@') or '0')\n"
				   "local from = tonumber(ARGV[1])\n"
				   "local to = math.min(newest, from + tonumber(ARGV[2]))\n"
				   "local found = {to, newest}\n"
				   "for version = from + 1, to do\n"
				   "  local id = redis.call('HGET', KEYS[1], '@' .. string.format('%.0f', version))\n"
				   "  if id then\n"
				   "    found[#found + 1] = id\n"
				   "    found[#found + 1] = redis.call('HGET', KEYS[1], id)\n"
				   "  end\n"
				   "end\n"
				   "return found";

/* ARGV: id, the version of the record that is replaced or 0, the record, keys at most. Returns the new version; 0: the
 * record has another version. */
static const char put_text[] = "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
			       "local version = old and string.match(old, '^%d+') or '0'\n"
			       "if version ~= ARGV[2] then return 0 end\n"
			       "if not old and redis.call('HLEN', KEYS[1]) > 2 * tonumber(ARGV[4]) then return 0 end\n"
			       "local newest = redis.call('HINCRBY', KEYS[1], '@', 1)\n"
			       "local text = string.format('%.0f', newest)\n"
			       "if old then redis.call('HDEL', KEYS[1], '@' .. version) end\n"
			       "redis.call('HSET', KEYS[1], ARGV[1], text .. ' ' .. ARGV[3], '@' .. text, ARGV[1])\n"
			       "return newest";

static struct redis_script changes, put;
static pthread_once_t scripts = PTHREAD_ONCE_INIT;

static void init_scripts(void)
{
	redis_script_init(&changes, changes_text, true);
	redis_script_init(&put, put_text, false);
}

struct key_hash {
	struct key_store store; /* first */
	struct redis_caller caller;
	char name[NAME_MAX_BYTES];
	/* of the call that runs */
	key_store_visit visit;
	void *context;
	uint64_t seen, newest; /* versions */
	char cursor[NUMBER_MAX];
};

static struct key_hash *hash_of(struct key_store *store)
{
	return (struct key_hash *)store;
}

/* ---- one command, which is waited for ---- */

/* Takes over why a call failed. */
static bool settle(struct key_hash *hash, bool good)
{
	if (!good)
		snprintf(hash->store.why, KEY_STORE_WHY_MAX, "%s", hash->caller.why);
	return good;
}

/* script NULL: args are the command. */
static bool ask(struct key_hash *hash, const struct redis_script *script, const struct span *args, size_t count,
		redis_caller_read take)
{
	if (script != NULL)
		return settle(hash,
			      redis_caller_eval(&hash->caller, script, span_of(hash->name), args, count, take, hash));
	return settle(hash, redis_caller_send(&hash->caller, args, count, take, hash));
}

/* ---- reading ---- */

static bool read_version(struct span text, uint64_t *version)
{
	*version = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*version = *version * 10 + (unsigned)(text.at[i] - '0');
	}
	return text.len > 0 && text.len < NUMBER_MAX - 4;
}

/* A field of a key, as opposed to those of versions. */
static void visit_field(struct key_hash *hash, struct span field, struct span value)
{
	const char *space = value.len == 0 ? NULL : memchr(value.at, ' ', value.len);
	struct key_store_item item = {.id = field};
	if (field.len != API_KEY_ID || field.at[0] == '@' || space == NULL ||
	    !read_version((struct span){value.at, (size_t)(space - value.at)}, &item.version))
		return;
	item.record = (struct span){space + 1, value.len - (size_t)(space - value.at) - 1};
	hash->visit(hash->context, &item);
}

static bool take_changes(void *context, const struct redis_reply *reply)
{
	struct key_hash *hash = context;
	const struct redis_reply *elements = reply->elements;
	if (reply->kind != REDIS_ARRAY || reply->count < 2 || elements[0].kind != REDIS_INTEGER ||
	    elements[1].kind != REDIS_INTEGER)
		return false;
	for (size_t i = 2; i + 1 < reply->count; i += 2)
		if (elements[i].kind == REDIS_BYTES && elements[i + 1].kind == REDIS_BYTES)
			visit_field(hash, elements[i].text, elements[i + 1].text);
	hash->newest = (uint64_t)elements[1].integer;
	if (hash->newest >= hash->seen)
		hash->seen = (uint64_t)elements[0].integer;
	return true;
}

static bool read_changes(struct key_hash *hash)
{
	do {
		char since[NUMBER_MAX];
		snprintf(since, sizeof(since), "%" PRIu64, hash->seen);
		const struct span args[] = {span_of(since), SPAN(CHANGES_MOST_TEXT)};
		if (!ask(hash, &changes, args, 2, take_changes))
			return false;
	} while (hash->seen < hash->newest);
	return true;
}

static bool take_version(void *context, const struct redis_reply *reply)
{
	struct key_hash *hash = context;
	hash->newest = 0;
	return reply->kind == REDIS_NIL || (reply->kind == REDIS_BYTES && read_version(reply->text, &hash->newest));
}

static bool take_page(void *context, const struct redis_reply *reply)
{
	struct key_hash *hash = context;
	if (reply->kind != REDIS_ARRAY || reply->count != 2 || reply->elements[0].kind != REDIS_BYTES ||
	    reply->elements[1].kind != REDIS_ARRAY)
		return false;
	const struct redis_reply *page = &reply->elements[1];
	snprintf(hash->cursor, sizeof(hash->cursor), "%.*s", SPAN_ARG(reply->elements[0].text));
	for (size_t i = 0; i + 1 < page->count; i += 2)
		visit_field(hash, page->elements[i].text, page->elements[i + 1].text);
	return true;
}

/* What changes meanwhile has a version above the one that is asked for first, and is read next time. */
static bool read_all(struct key_hash *hash)
{
	const struct span version[] = {SPAN("HGET"), span_of(hash->name), SPAN("@")};
	if (!ask(hash, NULL, version, 3, take_version))
		return false;
	hash->seen = hash->newest;
	snprintf(hash->cursor, sizeof(hash->cursor), "0");
	do {
		char cursor[NUMBER_MAX];
		memcpy(cursor, hash->cursor, sizeof(cursor));
		const struct span page[] = {SPAN("HSCAN"), span_of(hash->name), span_of(cursor), SPAN("COUNT"),
					    SPAN(SCAN_COUNT_TEXT)};
		if (!ask(hash, NULL, page, 5, take_page))
			return false;
	} while (strcmp(hash->cursor, "0") != 0);
	return true;
}

static bool hash_read(struct key_store *store, uint64_t since, key_store_visit visit, void *context, uint64_t *version)
{
	struct key_hash *hash = hash_of(store);
	hash->visit = visit;
	hash->context = context;
	hash->seen = since;
	bool good = since == 0 ? read_all(hash) : read_changes(hash);
	*version = since != 0 && hash->newest < since ? hash->newest : hash->seen;
	return good;
}

/* ---- writing ---- */

static bool take_put(void *context, const struct redis_reply *reply)
{
	struct key_hash *hash = context;
	hash->newest = (uint64_t)reply->integer;
	return reply->kind == REDIS_INTEGER;
}

static enum key_store_put hash_put(struct key_store *store, const struct key_store_item *item, uint64_t *version)
{
	struct key_hash *hash = hash_of(store);
	char number[NUMBER_MAX], most[NUMBER_MAX];
	snprintf(number, sizeof(number), "%" PRIu64, item->version);
	snprintf(most, sizeof(most), "%d", KEY_STORE_KEYS_MAX);
	const struct span args[] = {item->id, span_of(number), item->record, span_of(most)};
	if (!ask(hash, &put, args, 4, take_put))
		return KEY_STORE_FAILED;
	*version = hash->newest;
	return hash->newest == 0 ? KEY_STORE_CONFLICT : KEY_STORE_DONE;
}

static void hash_destroy(struct key_store *store)
{
	struct key_hash *hash = hash_of(store);
	redis_caller_fini(&hash->caller);
	free(hash);
}

struct key_store *key_store_redis_create(const struct key_store_options *options)
{
	static const struct key_store_ops ops = {.read = hash_read, .put = hash_put, .destroy = hash_destroy};
	struct key_hash *hash = calloc(1, sizeof(*hash));
	if (hash == NULL)
		return NULL;
	pthread_once(&scripts, init_scripts);
	hash->store.ops = &ops;
	snprintf(hash->name, sizeof(hash->name), "%s:keys", options->config->redis.prefix);
	if (redis_caller_init(&hash->caller, options->redis, options->loop, options->wait_ms,
			      "the hash of keys is none of Sluice's"))
		return &hash->store;
	free(hash);
	return NULL;
}
