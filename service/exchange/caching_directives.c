/* SPDX-License-Identifier: MIT */
/* What a client's Cache-Control means for what is kept; caching.h holds the contract. */
#include "lib/http_text.h"
#include "service/exchange/exchange_internal.h"

/* The largest age that is told apart: of a number with more digits it is as good as any. */
enum { AGE_DIGITS = 10 };

#define AGE_MOST INT64_C(2147483648)

/* Takes the next directive; a comma within quotes ends none. */
static struct span take_directive(struct span *rest)
{
	bool quoted = false;
	size_t len = 0;
	for (; len < rest->len && (quoted || rest->at[len] != ','); len++) {
		if (quoted && rest->at[len] == '\\' && len + 1 < rest->len)
			len++;
		else if (rest->at[len] == '"')
			quoted = !quoted;
	}
	struct span directive = http_trim((struct span){rest->at, len});
	size_t taken = len < rest->len ? len + 1 : len;
	*rest = (struct span){rest->at + taken, rest->len - taken};
	return directive;
}

/* A number of seconds, as a token or quoted (RFC 9111, section 5.2); what is none is no time at all. */
static int64_t read_seconds(struct span text)
{
	int64_t seconds = 0;
	if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"')
		text = (struct span){text.at + 1, text.len - 2};
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return 0;
		seconds = i < AGE_DIGITS ? seconds * 10 + (text.at[i] - '0') : AGE_MOST;
	}
	return seconds < AGE_MOST ? seconds : AGE_MOST;
}

/* The strictest of several counts. */
static void lower(int64_t *least, int64_t seconds)
{
	if (*least < 0 || seconds < *least)
		*least = seconds;
}

struct cache_directives cache_directives_read(struct span cache_control)
{
	struct cache_directives read = {.max_age_s = -1, .stale_s = -1};
	while (cache_control.len > 0) {
		struct span value = take_directive(&cache_control);
		struct span name = http_take(&value, '=');
		if (http_is_word(name, "no-cache"))
			read.no_cache = true;
		else if (http_is_word(name, "no-store"))
			read.no_store = true;
		else if (http_is_word(name, "only-if-cached"))
			read.only_if_cached = true;
		else if (http_is_word(name, "max-age"))
			lower(&read.max_age_s, read_seconds(http_trim(value)));
		else if (http_is_word(name, "stale-if-error"))
			lower(&read.stale_s, read_seconds(http_trim(value)));
	}
	return read;
}

/*
 * RFC 5861, section 4: what is older than the client, or the rule, wants may stand in for so much longer as the rule,
 * and the client, allow.
 */
enum caching_use caching_use_of(const struct caching *caching, const struct cache_hit *hit)
{
	const struct cache_directives *wants = &caching->directives;
	int64_t age_us = (int64_t)hit->age_us, fresh_us = age_us + hit->ttl_us;
	int64_t stale_us = (int64_t)caching->keeping.rule->stale_us;
	bool young = wants->max_age_s < 0 || age_us / CACHING_SECOND_US <= wants->max_age_s;
	if (young && hit->ttl_us > 0)
		return CACHING_USE_FRESH;
	if (wants->stale_s >= 0 && wants->stale_s * CACHING_SECOND_US < stale_us)
		stale_us = wants->stale_s * CACHING_SECOND_US;
	if (!young && wants->max_age_s * CACHING_SECOND_US < fresh_us)
		fresh_us = wants->max_age_s * CACHING_SECOND_US;
	return stale_us > 0 && age_us - fresh_us <= stale_us ? CACHING_USE_STALE : CACHING_USE_NOT;
}

void caching_ask_as_wanted(const struct caching *caching, struct shared_request *ask)
{
	const struct cache_directives *wants = &caching->directives;
	ask->keeping.renews = wants->no_cache || wants->max_age_s >= 0;
	ask->fresh |= ask->keeping.renews;
	ask->own = wants->no_cache || caching->on_own;
	ask->alone |= wants->no_cache;
	ask->by_bytes = caching->by_bytes;
	ask->options.deadline_us = 0; /* others may wait longer than the one who leads */
}
