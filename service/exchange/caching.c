/* SPDX-License-Identifier: MIT */
/* The fields of HTTP that are about the cache; caching.h holds the contract. */
#include "service/exchange/caching.h"

#include "lib/decimal.h"
#include "lib/etag.h"
#include "lib/hex.h"
#include "lib/http_text.h"

/* ---- Cache-Control ---- */

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
static void caching_lower(int64_t *least, int64_t seconds)
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
			caching_lower(&read.max_age_s, read_seconds(http_trim(value)));
		else if (http_is_word(name, "stale-if-error"))
			caching_lower(&read.stale_s, read_seconds(http_trim(value)));
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

void caching_ask_as_wanted(struct caching *caching, struct shared_request *ask)
{
	const struct cache_directives *wants = &caching->directives;
	ask->keeping.renews = wants->no_cache || wants->max_age_s >= 0;
	ask->fresh |= ask->keeping.renews;
	ask->own = wants->no_cache || caching->on_own;
	ask->by_bytes = caching->by_bytes;
	caching->start.alone |= wants->no_cache;
}

/* ---- the head of the answer ---- */

/* What was appended since start. */
static struct span text_since(const struct buf *text, size_t start)
{
	struct span all = buf_span(text);
	return (struct span){all.at + start, all.len - start};
}

static struct span caching_write_tag(struct caching_tag tag, struct buf *text)
{
	size_t start = buf_len(text);
	buf_append(text, SPAN("\""));
	hex_append(text, tag.keys, HEX_SIZE);
	buf_append(text, SPAN("-"));
	hex_append(text, tag.digests, HEX_SIZE);
	const char tail[] = {'-', tag.form, '"'};
	buf_append(text, (struct span){tail, sizeof(tail)});
	return text_since(text, start);
}

/* Tags are compared weakly. */
bool caching_is_unchanged(const struct caching *caching, struct span if_none_match)
{
	char room[CACHING_TAG_SIZE];
	struct buf text;
	buf_init_over(&text, room, sizeof(room));
	return if_none_match.len > 0 && etag_matches(if_none_match, caching_write_tag(caching->tag, &text));
}

static void add_field(struct caching_fields *fields, struct span name, struct span value)
{
	fields->list[fields->count++] = (struct http_field){name, value};
}

static void add_age(const struct caching *caching, struct caching_fields *fields, struct buf *text)
{
	size_t start = buf_len(text);
	decimal_append_signed(text, caching->age_s);
	add_field(fields, SPAN("age"), text_since(text, start));
}

static void add_tag(const struct caching *caching, struct caching_fields *fields, struct buf *text)
{
	size_t start = buf_len(text);
	buf_append(text, SPAN("W/"));
	caching_write_tag(caching->tag, text);
	add_field(fields, SPAN("etag"), text_since(text, start));
}

/* Why a target was asked (RFC 9211, section 2.2). */
static struct span caching_forward(const struct caching *caching)
{
	if (caching->directives.no_cache)
		return SPAN("request");
	if (caching->forward.at != NULL)
		return caching->forward;
	return caching->stale != NULL ? SPAN("stale") : SPAN("miss");
}

/* Cache-Status (RFC 9211). */
static void add_status(const struct caching *caching, enum cache_result how, struct caching_fields *fields,
		       struct buf *text)
{
	size_t start = buf_len(text);
	if (how == CACHE_RESULT_BYPASS) {
		buf_append(text, SPAN("sluice; fwd=bypass"));
	} else if (how == CACHE_RESULT_MISS || how == CACHE_RESULT_PARTIAL || how == CACHE_RESULT_COLLAPSED) {
		buf_append(text, SPAN("sluice; fwd="));
		buf_append(text, caching_forward(caching));
		if (how == CACHE_RESULT_COLLAPSED)
			buf_append(text, SPAN("; collapsed"));
	} else {
		buf_append(text, SPAN("sluice; hit; ttl="));
		decimal_append_signed(text, caching->ttl_s);
	}
	add_field(fields, SPAN("cache-status"), text_since(text, start));
}

void caching_tell(const struct caching *caching, enum cache_result how, struct caching_fields *fields)
{
	struct buf text;
	bool hit = how == CACHE_RESULT_HIT || how == CACHE_RESULT_STALE;
	fields->count = 0;
	buf_init_over(&text, fields->text, sizeof(fields->text));
	if (how == CACHE_RESULT_NONE)
		return;
	if (hit || how == CACHE_RESULT_PARTIAL)
		add_age(caching, fields, &text);
	if (hit)
		add_tag(caching, fields, &text);
	add_status(caching, how, fields, &text);
}

void caching_close(struct caching *caching)
{
	if (caching->search != NULL) {
		cache_fetch_cancel(&caching->search->fetch);
		cache_hit_drop(&caching->search->fetch.hit); /* a limit refused it, or the client left before */
	}
	store_value_drop(caching->stale);
}
