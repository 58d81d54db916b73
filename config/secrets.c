/* SPDX-License-Identifier: MIT */
/* Secrets that may be read again; secrets.h holds the contract. */
#include "config/secrets.h"

#include <string.h>

#include "config/config.h"
#include "config/expand.h"
#include "config/values.h"

enum { READ_MAX = 1 << 20 };

struct secret *config_secrets_add(struct config_secret **list, struct arena *arena, const char *place, struct span raw,
				  struct span text, const char *directory)
{
	struct config_secret *added = arena_zalloc(arena, 1, sizeof(*added));
	if (added == NULL)
		return NULL;
	added->place = arena_copy(arena, span_of(place)).at;
	added->raw = raw.at == NULL ? raw : arena_copy(arena, raw);
	added->directory = directory;
	if (added->place == NULL || (raw.at != NULL && added->raw.at == NULL))
		return NULL;
	added->secret = secret_create(text);
	if (added->secret == NULL)
		return NULL;
	added->next = *list;
	*list = added;
	return added->secret;
}

void config_secrets_drop(struct config_secret *list)
{
	for (; list != NULL; list = list->next)
		secret_drop(list->secret);
}

bool config_secrets_may_change(const struct config *config)
{
	bool may = false;
	for (const struct config_secret *at = config->secrets; at != NULL; at = at->next)
		may = may || at->raw.at != NULL;
	return may;
}

static enum config_secret_change use(const struct config_secret *secret, struct span text, struct buf *why)
{
	if (text.len == 0) {
		buf_printf(why, "it is empty now");
		return CONFIG_SECRET_BAD;
	}
	if (!value_is_secret(text)) {
		buf_printf(why, "got a value that is not shown; expected visible ASCII characters without spaces");
		return CONFIG_SECRET_BAD;
	}
	if (secret_is(secret->secret, text))
		return CONFIG_SECRET_SAME;
	if (strcmp(secret->place, "auth.pepper") == 0)
		return CONFIG_SECRET_FIXED;
	if (secret_replace(secret->secret, text))
		return CONFIG_SECRET_NEW;
	buf_printf(why, "out of memory");
	return CONFIG_SECRET_BAD;
}

enum config_secret_change config_secret_read(const struct config_secret *secret, struct buf *why)
{
	enum config_secret_change change = CONFIG_SECRET_BAD;
	struct expansion text;
	struct arena arena;
	arena_init(&arena, READ_MAX);
	if (expand(&arena, secret->raw, secret->directory, &text)) {
		change = use(secret, text.text, why);
		explicit_bzero((char *)text.text.at, text.text.len);
	} else {
		buf_printf(why, "%s", text.problem);
	}
	arena_fini(&arena);
	return change;
}
