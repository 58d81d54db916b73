/* SPDX-License-Identifier: MIT */
/* Names of keys in Redis; remote_name.h holds the contract. */
#include "service/cache/remote_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/hash.h"
#include "service/cache/key.h"
#include "service/cache/remote.h"

enum { NAME_NUMBER_SIZE = 24 };

void remote_name_add(struct remote_name *name, struct span text)
{
	assert(name->len + text.len < REMOTE_NAME_SIZE);
	memcpy(name->text + name->len, text.at, text.len);
	name->len += text.len;
	name->text[name->len] = '\0';
}

struct remote_name remote_answer_name(const struct remote *remote, const struct store_tags *tags,
				      const struct cache_key *key)
{
	struct remote_name name = {.len = 0};
	char hex[2 * CACHE_KEY_SIZE + 1];
	cache_key_text(key, hex);
	int len = snprintf(name.text, REMOTE_NAME_SIZE, "%s:1:%016" PRIx64 ":%016" PRIx64 ":{%s}",
			   remote_options_of(remote)->prefix, remote_model(remote, tags->model), tags->tenant, hex);
	assert(len > 0 && len < REMOTE_NAME_SIZE);
	name.len = (size_t)len;
	return name;
}

struct remote_name remote_pattern(const struct remote *remote, const struct remote_wanted *wanted)
{
	struct remote_name pattern = {.len = 0};
	char number[NAME_NUMBER_SIZE], hex[2 * CACHE_KEY_SIZE + 1];
	remote_name_add(&pattern, span_of(remote_options_of(remote)->prefix));
	remote_name_add(&pattern, SPAN(":1:"));
	snprintf(number, sizeof(number), "%016" PRIx64, wanted->model);
	remote_name_add(&pattern, wanted->has_model ? span_of(number) : SPAN("*"));
	remote_name_add(&pattern, SPAN(":"));
	snprintf(number, sizeof(number), "%016" PRIx64, wanted->tenant);
	remote_name_add(&pattern, wanted->has_tenant ? span_of(number) : SPAN("*"));
	remote_name_add(&pattern, SPAN(":{"));
	cache_key_text(&wanted->key, hex);
	remote_name_add(&pattern, wanted->has_key ? span_of(hex) : SPAN("*"));
	remote_name_add(&pattern, SPAN("}"));
	return pattern;
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
