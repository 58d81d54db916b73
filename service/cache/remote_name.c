/* SPDX-License-Identifier: MIT */
/* Names of keys in Redis; remote_name.h holds the contract. */
#include "service/cache/remote_name.h"

#include <assert.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "service/cache/key.h"
#include "service/cache/remote.h"

void remote_name_add(struct remote_name *name, struct span text)
{
	assert(name->len + text.len < REMOTE_NAME_SIZE);
	memcpy(name->text + name->len, text.at, text.len);
	name->len += text.len;
	name->text[name->len] = '\0';
}

/* ---- MODEL:TENANT:{KEY}, in hexadecimal ---- */

static void write_number(struct buf *text, bool has, uint64_t number)
{
	if (has)
		hex_append(text, number, HEX_SIZE);
	else
		buf_append(text, SPAN("*"));
}

void remote_wanted_write(const struct remote_wanted *wanted, struct buf *text)
{
	write_number(text, wanted->has_model, wanted->model);
	buf_append(text, SPAN(":"));
	write_number(text, wanted->has_tenant, wanted->tenant);
	buf_append(text, SPAN(":{"));
	if (wanted->has_key)
		cache_key_write(&wanted->key, text);
	else
		buf_append(text, SPAN("*"));
	buf_append(text, SPAN("}"));
}

/* Takes what is in front of the separator, and that. False when there is none. */
static bool take_part(struct span *text, char separator, struct span *part)
{
	const char *end = memchr(text->at, separator, text->len);
	if (end == NULL)
		return false;
	*part = (struct span){text->at, (size_t)(end - text->at)};
	*text = (struct span){end + 1, text->len - part->len - 1};
	return true;
}

static bool read_number(struct span part, bool *has, uint64_t *number)
{
	*has = !span_is(part, "*");
	return !*has || (part.len == HEX_SIZE && hex_read(part, number));
}

bool remote_wanted_read(struct span text, struct remote_wanted *wanted)
{
	struct span model, tenant, nothing, key;
	if (!take_part(&text, ':', &model) || !take_part(&text, ':', &tenant) || !take_part(&text, '{', &nothing) ||
	    !take_part(&text, '}', &key) || nothing.len > 0 || text.len > 0)
		return false;
	wanted->has_key = !span_is(key, "*");
	return read_number(model, &wanted->has_model, &wanted->model) &&
	       read_number(tenant, &wanted->has_tenant, &wanted->tenant) &&
	       (!wanted->has_key || cache_key_read(key, &wanted->key));
}

/* ---- names ---- */

struct remote_name remote_pattern(const struct remote *remote, const struct remote_wanted *wanted)
{
	struct remote_name name;
	struct buf text;
	buf_init_over(&text, name.text, REMOTE_NAME_SIZE - 1);
	buf_append(&text, span_of(remote_options_of(remote)->prefix));
	buf_append(&text, SPAN(":1:"));
	remote_wanted_write(wanted, &text);
	assert(!buf_failed(&text));
	name.len = buf_len(&text);
	name.text[name.len] = '\0';
	return name;
}

struct remote_name remote_answer_name(const struct remote *remote, const struct store_tags *tags,
				      const struct cache_key *key)
{
	const struct remote_wanted all = {.has_key = true,
					  .has_model = true,
					  .has_tenant = true,
					  .key = *key,
					  .model = remote_model(remote, tags->model),
					  .tenant = tags->tenant};
	return remote_pattern(remote, &all);
}

static const struct cache_models *models_of(const struct remote *remote)
{
	return remote_options_of(remote)->worker->cache->models;
}

uint64_t remote_model(const struct remote *remote, uint32_t model)
{
	return hash_bytes(HASH_START, span_of(models_of(remote)->names[model]));
}

bool remote_find_model(const struct remote *remote, uint64_t hash, uint32_t *model)
{
	for (*model = 0; *model < models_of(remote)->count; ++*model) {
		if (remote_model(remote, *model) == hash) {
			*model = models_of(remote)->first[*model];
			return true;
		}
	}
	return false;
}

bool remote_read_name(const struct remote *remote, struct span name, struct store_tags *tags)
{
	struct remote_wanted said;
	size_t before = strlen(remote_options_of(remote)->prefix) + strlen(":1:");
	if (name.len < before || !remote_wanted_read((struct span){name.at + before, name.len - before}, &said) ||
	    !said.has_model || !said.has_tenant || !remote_find_model(remote, said.model, &tags->model))
		return false;
	tags->tenant = said.tenant;
	return true;
}
