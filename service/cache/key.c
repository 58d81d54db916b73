/* SPDX-License-Identifier: MIT */
/* Keys of cached answers; key.h holds the contract. */
#include "service/cache/key.h"

#include <inttypes.h>
#include <openssl/evp.h>

#include "lib/hex.h"
#include "schemas/dialect.h"

enum { KEY_FORMAT = 2, KEY_PLAN_MOST = 1 << 20 };

void cache_key_write_plan(const struct config_plan *plan, struct buf *out)
{
	if (plan->combinator == NULL) {
		buf_printf(out, "%s@%s", plan->target, plan->backend->url);
		return;
	}
	buf_printf(out, "%s,%u,%u(", plan->combinator, plan->options.agree, (unsigned)plan->options.resume);
	for (size_t i = 0; i < plan->child_count; i++) {
		if (i > 0)
			buf_append(out, SPAN(" "));
		cache_key_write_plan(plan->children[i], out);
	}
	buf_append(out, SPAN(")"));
}

static bool add_part(EVP_MD_CTX *digest, struct span part)
{
	uint64_t len = part.len;
	unsigned char size[sizeof(len)];
	for (size_t i = 0; i < sizeof(len); i++)
		size[i] = (unsigned char)(len >> (8 * i));
	return EVP_DigestUpdate(digest, size, sizeof(size)) == 1 && EVP_DigestUpdate(digest, part.at, part.len) == 1;
}

static bool add_parts(EVP_MD_CTX *digest, const struct key_parts *parts)
{
	char format[8];
	struct buf plan;
	buf_init(&plan, KEY_PLAN_MOST);
	cache_key_write_plan(parts->model->plan, &plan);
	int len = snprintf(format, sizeof(format), "%d", KEY_FORMAT);
	bool added = !buf_failed(&plan) && add_part(digest, (struct span){format, (size_t)len}) &&
		     add_part(digest, parts->tenant) &&
		     add_part(digest, span_of(parts->request->dialect->endpoint_path(parts->request->endpoint))) &&
		     add_part(digest, span_of(parts->model->cache.revision)) && add_part(digest, buf_span(&plan)) &&
		     add_part(digest, parts->canonical);
	buf_fini(&plan);
	return added;
}

bool cache_key_combine(const struct cache_key *keys, size_t count, struct cache_key *key)
{
	unsigned size = 0;
	if (count == 1) {
		*key = keys[0];
		return true;
	}
	return EVP_Digest(keys, count * sizeof(*keys), key->bytes, &size, EVP_sha256(), NULL) == 1 &&
	       size == CACHE_KEY_SIZE;
}

bool cache_key_compute(const struct key_parts *parts, struct cache_key *key)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned size = 0;
	bool computed = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
			add_parts(digest, parts) && EVP_DigestFinal_ex(digest, key->bytes, &size) == 1 &&
			size == CACHE_KEY_SIZE;
	EVP_MD_CTX_free(digest);
	return computed;
}

void cache_key_text(const struct cache_key *key, char hex[2 * CACHE_KEY_SIZE + 1])
{
	for (size_t i = 0; i < CACHE_KEY_SIZE; i += HEX_EIGHT / 2) {
		const uint8_t *four = &key->bytes[i];
		hex_write_eight(hex + 2 * i,
				(uint32_t)four[0] << 24 | (uint32_t)four[1] << 16 | (uint32_t)four[2] << 8 | four[3]);
	}
	hex[2 * CACHE_KEY_SIZE] = '\0';
}

void cache_key_write(const struct cache_key *key, struct buf *out)
{
	char hex[2 * CACHE_KEY_SIZE + 1];
	cache_key_text(key, hex);
	buf_append(out, span_of(hex));
}

bool cache_key_read(struct span hex, struct cache_key *key)
{
	if (hex.len != 2 * (size_t)CACHE_KEY_SIZE)
		return false;
	for (size_t i = 0; i < CACHE_KEY_SIZE; i++) {
		int high = hex_value(hex.at[2 * i]), low = hex_value(hex.at[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		key->bytes[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}
