/* SPDX-License-Identifier: MIT */
/* Records as JSON text, and as keys of the configuration are; key_record.h holds the contract. */
#include "service/access/key_record.h"

#include <inttypes.h>
#include <time.h>

#include "config/key_values.h"
#include "lib/json_write.h"
#include "service/access/key_limits.h"

enum { RECORD_DEPTH = 32, TIME_TEXT = 32 };

static const char *const states[] = {[CONFIG_KEY_ACTIVE] = "active", [CONFIG_KEY_REVOKED] = "revoked"};

static const char *const endpoints[] = {[CONFIG_ENDPOINT_CHAT] = "chat",
					[CONFIG_ENDPOINT_COMPLETIONS] = "completions",
					[CONFIG_ENDPOINT_EMBEDDINGS] = "embeddings",
					[CONFIG_ENDPOINT_FANOUT] = "fanout",
					[CONFIG_ENDPOINT_MODELS] = "models"};

/* ---- as a store keeps it ---- */

static void write_string(struct buf *out, const char *name, struct span text)
{
	if (text.at == NULL)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_write_string(out, text);
}

static void write_json(struct buf *out, const char *name, struct span json)
{
	if (json.at != NULL)
		buf_printf(out, ",\"%s\":%.*s", name, SPAN_ARG(json));
}

void key_record_write(const struct key_record *record, struct buf *out)
{
	buf_printf(out, "{\"form\":%d", KEY_RECORD_FORM);
	write_string(out, "name", record->name);
	write_string(out, "tenant", record->tenant);
	write_json(out, "models", record->models);
	write_json(out, "endpoints", record->endpoints);
	write_json(out, "networks", record->networks);
	write_string(out, "expires", record->expires);
	write_json(out, "labels", record->labels);
	write_json(out, "limits", record->limits);
	buf_printf(out, ",\"admin\":%s", record->admin ? "true" : "false");
	write_string(out, "state", span_of(states[record->state]));
	write_string(out, "hash", record->hash);
	if (record->former.at != NULL) {
		write_string(out, "former", record->former);
		buf_printf(out, ",\"former_until\":%" PRIu64, record->former_until_s);
	}
	buf_printf(out, ",\"created\":%" PRIu64 ",\"updated\":%" PRIu64 "}", record->created_s, record->updated_s);
}

/* What a record is read from. */
struct reading {
	struct json json;
	struct arena *arena;
	bool good;
};

static uint32_t member(struct reading *reading, const char *name, enum json_type type)
{
	uint32_t node = json_member(&reading->json, 0, name);
	if (node != JSON_NONE && json_type(&reading->json, node) != type)
		reading->good = false;
	return reading->good ? node : JSON_NONE;
}

static struct span read_string(struct reading *reading, const char *name)
{
	uint32_t node = member(reading, name, JSON_STRING);
	return node == JSON_NONE ? (struct span){NULL, 0} : json_string(&reading->json, node, reading->arena);
}

static struct span read_json(struct reading *reading, const char *name, enum json_type type)
{
	uint32_t node = member(reading, name, type);
	return node == JSON_NONE ? (struct span){NULL, 0} : json_raw(&reading->json, node);
}

static uint64_t read_number(struct reading *reading, const char *name)
{
	int64_t number = 0;
	uint32_t node = member(reading, name, JSON_NUMBER);
	if (node != JSON_NONE && (!json_int(&reading->json, node, &number) || number < 0))
		reading->good = false;
	return (uint64_t)number;
}

static enum config_key_state read_state(struct reading *reading)
{
	struct span word = read_string(reading, "state");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (word.at != NULL && span_is(word, states[i]))
			return (enum config_key_state)i;
	reading->good = false;
	return CONFIG_KEY_REVOKED;
}

static bool read_admin(struct reading *reading)
{
	uint32_t node = json_member(&reading->json, 0, "admin");
	return node != JSON_NONE && json_type(&reading->json, node) == JSON_TRUE;
}

static void read_members(struct reading *reading, struct key_record *record)
{
	*record = (struct key_record){.name = read_string(reading, "name"),
				      .tenant = read_string(reading, "tenant"),
				      .models = read_json(reading, "models", JSON_ARRAY),
				      .endpoints = read_json(reading, "endpoints", JSON_ARRAY),
				      .networks = read_json(reading, "networks", JSON_ARRAY),
				      .expires = read_string(reading, "expires"),
				      .labels = read_json(reading, "labels", JSON_OBJECT),
				      .limits = read_json(reading, "limits", JSON_OBJECT),
				      .admin = read_admin(reading),
				      .state = read_state(reading),
				      .hash = read_string(reading, "hash"),
				      .former = read_string(reading, "former"),
				      .former_until_s = read_number(reading, "former_until"),
				      .created_s = read_number(reading, "created"),
				      .updated_s = read_number(reading, "updated")};
}

bool key_record_read(struct span text, struct arena *arena, struct key_record *record)
{
	struct arena scratch; /* of the nodes, which nobody needs later */
	struct json_error error;
	struct reading reading = {.arena = arena};
	arena_init(&scratch, 0);
	reading.good = json_parse(&reading.json, &scratch, text, RECORD_DEPTH, &error) &&
		       json_type(&reading.json, 0) == JSON_OBJECT;
	if (reading.good)
		reading.good = read_number(&reading, "form") == KEY_RECORD_FORM;
	if (reading.good)
		read_members(&reading, record);
	arena_fini(&scratch);
	return reading.good && record->name.at != NULL && record->hash.at != NULL && !arena_failed(arena);
}

/* ---- as operators see it ---- */

static void show_string(struct buf *out, const char *name, struct span text)
{
	buf_printf(out, ",\"%s\":", name);
	json_write_string_or_null(out, text);
}

static void show_json(struct buf *out, const char *name, struct span json)
{
	buf_printf(out, ",\"%s\":", name);
	buf_append(out, json.at == NULL ? SPAN("null") : json);
}

static void show_time(struct buf *out, const char *name, uint64_t seconds)
{
	char text[TIME_TEXT] = "";
	time_t at = (time_t)seconds;
	struct tm parts;
	if (seconds != 0 && gmtime_r(&at, &parts) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	show_string(out, name, text[0] == '\0' ? (struct span){NULL, 0} : span_of(text));
}

void key_record_show(struct span id, const struct key_record *record, uint64_t now_s, struct span secret,
		     struct buf *out)
{
	bool overlaps = record->former.at != NULL && now_s < record->former_until_s;
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, id);
	buf_append(out, SPAN(",\"object\":\"key\""));
	if (secret.at != NULL)
		show_string(out, "key", secret);
	show_string(out, "name", record->name);
	show_string(out, "tenant", record->tenant.at == NULL ? record->name : record->tenant);
	show_string(out, "state", span_of(states[record->state]));
	show_json(out, "models", record->models);
	show_json(out, "endpoints", record->endpoints);
	show_json(out, "networks", record->networks);
	buf_printf(out, ",\"admin\":%s", record->admin ? "true" : "false");
	show_string(out, "expires", record->expires);
	show_json(out, "labels", record->labels.at == NULL ? SPAN("{}") : record->labels);
	show_json(out, "limits", record->limits);
	show_time(out, "created", record->created_s);
	show_time(out, "updated", record->updated_s);
	show_time(out, "former_until", overlaps ? record->former_until_s : 0);
	buf_append(out, SPAN("}"));
}

/* ---- as keys of the configuration are ---- */

/* The strings of a JSON array, one after the other. */
struct strings {
	struct json json;
	struct arena scratch;
	size_t count;
};

/* False: it is no array of strings. */
static bool strings_open(struct strings *strings, struct span array)
{
	struct json_error error;
	arena_init(&strings->scratch, 0);
	strings->count = 0;
	if (array.at == NULL)
		return true;
	if (!json_parse(&strings->json, &strings->scratch, array, 1, &error) ||
	    json_type(&strings->json, 0) != JSON_ARRAY || strings->json.nodes[0].count == 0)
		return false;
	for (uint32_t at = json_first(&strings->json, 0); at != JSON_NONE; at = json_next(&strings->json, 0, at))
		if (json_type(&strings->json, at) != JSON_STRING)
			return false;
	strings->count = strings->json.nodes[0].count;
	return true;
}

/* All elements are scalars, so that each is one node. */
static struct span strings_at(struct strings *strings, size_t i)
{
	return json_string(&strings->json, (uint32_t)i + 1, &strings->scratch);
}

static void strings_close(struct strings *strings)
{
	arena_fini(&strings->scratch);
}

static bool resolve_models(struct span array, struct arena *arena, struct config_key *key)
{
	struct strings strings;
	bool good = strings_open(&strings, array);
	const char **models = good ? arena_zalloc(arena, strings.count + 1, sizeof(*models)) : NULL;
	good = models != NULL;
	for (size_t i = 0; good && i < strings.count; i++)
		good = key_value_pattern(arena, strings_at(&strings, i), &models[i]);
	key->models = models;
	key->model_count = strings.count;
	strings_close(&strings);
	return good;
}

static bool resolve_endpoints(struct span array, struct config_key *key)
{
	enum { COUNT = sizeof(endpoints) / sizeof(endpoints[0]) };
	struct strings strings;
	bool good = strings_open(&strings, array);
	for (size_t i = 0; good && i < strings.count; i++) {
		size_t word = 0;
		while (word < COUNT && !span_is(strings_at(&strings, i), endpoints[word]))
			word++;
		good = word < COUNT;
		key->endpoints |= 1u << word;
	}
	strings_close(&strings);
	return good;
}

static bool resolve_networks(struct span array, struct arena *arena, struct config_key *key)
{
	struct strings strings;
	bool good = strings_open(&strings, array);
	struct config_network *networks = good ? arena_zalloc(arena, strings.count + 1, sizeof(*networks)) : NULL;
	good = networks != NULL;
	for (size_t i = 0; good && i < strings.count; i++) {
		const void *made;
		good = key_value_network(arena, strings_at(&strings, i), &made);
		if (good)
			memcpy(&networks[i], made, sizeof(*networks));
	}
	key->networks = networks;
	key->network_count = strings.count;
	strings_close(&strings);
	return good;
}

/* The id names them: keys of a store may share a name. */
static bool resolve_limits(struct span id, struct span object, struct arena *arena, struct config_key *key)
{
	struct arena scratch;
	struct json json;
	struct json_error error;
	struct key_limits_wrong wrong;
	arena_init(&scratch, 0);
	key->limits.name = arena_printf(arena, "keys.%.*s", SPAN_ARG(id)).at;
	key->limits.overdraft = QUOTA_OVERDRAFT;
	bool good = object.at == NULL ||
		    (json_parse(&json, &scratch, object, RECORD_DEPTH, &error) && json_type(&json, 0) == JSON_OBJECT &&
		     key_limits_read(&json, 0, arena, &key->limits, &wrong));
	arena_fini(&scratch);
	return good && key->limits.name != NULL;
}

static const struct config_key_hash *resolve_hash(struct span id, struct span hex, struct arena *arena)
{
	const void *hash = NULL;
	struct span text = arena_printf(arena, "%.*s:%.*s", SPAN_ARG(id), SPAN_ARG(hex));
	return text.at != NULL && key_value_hash(arena, text, &hash) ? hash : NULL;
}

/* Says which value is none. */
static bool refuse(struct buf *why, struct span id, const char *name)
{
	buf_printf(why, "the key %.*s: its %s cannot be read", SPAN_ARG(id), name);
	return false;
}

bool key_record_resolve(struct span id, const struct key_record *record, struct arena *arena, struct config_key *key,
			const struct config_key_hash **former, struct buf *why)
{
	struct span tenant = record->tenant.at == NULL ? record->name : record->tenant;
	*key = (struct config_key){.name = arena_copy(arena, record->name).at,
				   .hash = resolve_hash(id, record->hash, arena),
				   .admin = record->admin,
				   .state = record->state};
	*former = record->former.at == NULL ? NULL : resolve_hash(id, record->former, arena);
	if (key->hash == NULL || (record->former.at != NULL && *former == NULL))
		return refuse(why, id, "hash");
	if (!key_value_tenant(arena, tenant, &key->tenant))
		return refuse(why, id, "tenant");
	if (!resolve_models(record->models, arena, key))
		return refuse(why, id, "models");
	if (!resolve_endpoints(record->endpoints, key))
		return refuse(why, id, "endpoints");
	if (!resolve_networks(record->networks, arena, key))
		return refuse(why, id, "networks");
	if (!resolve_limits(id, record->limits, arena, key))
		return refuse(why, id, "limits");
	if (record->expires.at != NULL && !key_value_time(record->expires, &key->expires_s))
		return refuse(why, id, "expires");
	key->identity = arena_printf(arena, "\n%s", key->tenant).at;
	return key->name != NULL && key->identity != NULL && !arena_failed(arena);
}
