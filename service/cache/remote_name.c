/* SPDX-License-Identifier: MIT */
/* Names of keys in Redis; remote_name.h holds the contract. */
#include "service/cache/remote_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

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

static void add_number(struct buf *text, bool has, uint64_t number)
{
	if (has)
		hex_append(text, number, HEX_SIZE);
	else
		buf_append(text, SPAN("*"));
}

struct remote_name remote_pattern(const struct remote *remote, const struct remote_wanted *wanted)
{
	struct remote_name name;
	struct buf text;
	buf_init_over(&text, name.text, REMOTE_NAME_SIZE - 1);
	buf_append(&text, span_of(remote_options_of(remote)->prefix));
	buf_append(&text, SPAN(":1:"));
	add_number(&text, wanted->has_model, wanted->model);
	buf_append(&text, SPAN(":"));
	add_number(&text, wanted->has_tenant, wanted->tenant);
	buf_append(&text, SPAN(":{"));
	if (wanted->has_key)
		cache_key_write(&wanted->key, &text);
	else
		buf_append(&text, SPAN("*"));
	buf_append(&text, SPAN("}"));
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

uint64_t remote_model(const struct remote *remote, uint32_t model)
{
	return hash_bytes(HASH_START, span_of(remote_options_of(remote)->config->models[model].name));
}

bool remote_find_model(const struct remote *remote, uint64_t hash, uint32_t *model)
{
	for (*model = 0; *model < remote_options_of(remote)->config->model_count; ++*model) {
		if (remote_model(remote, *model) == hash)
			return true;
	}
	return false;
}

bool remote_read_name(const struct remote *remote, struct span name, struct store_tags *tags)
{
	char text[REMOTE_NAME_SIZE];
	size_t prefix = strlen(remote_options_of(remote)->prefix);
	uint64_t model = 0;
	if (name.len >= sizeof(text) || name.len <= prefix)
		return false;
	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	return sscanf(text + prefix, ":1:%16" SCNx64 ":%16" SCNx64 ":{", &model, &tags->tenant) == 2 &&
	       remote_find_model(remote, model, &tags->model);
}
