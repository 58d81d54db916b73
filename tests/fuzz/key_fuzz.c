/* SPDX-License-Identifier: MIT */
/*
 * Keys and the fields that offer them: whatever comes, a key is one only when writing its parts anew gives the same
 * text, and an offer borrows from its field. The values of the file's keys are read from the same bytes.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/key_values.h"
#include "lib/api_key.h"
#include "service/access/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(struct span text)
{
	char check[API_KEY_CHECK];
	struct span id;
	if (!api_key_parse(text, &id))
		return;
	assert(text.len == API_KEY_LENGTH && api_key_is_id(id) && id.at == text.at + strlen(API_KEY_PREFIX));
	api_key_checksum((struct span){text.at, text.len - API_KEY_CHECK}, check);
	assert(memcmp(check, text.at + text.len - API_KEY_CHECK, API_KEY_CHECK) == 0);
}

static void check_offer(const char *name, struct span value)
{
	struct access_offer offer = {.broken = false};
	access_offer_field(&offer, (struct http_field){span_of(name), value});
	if (offer.key.at == NULL)
		return;
	assert(!offer.broken && offer.key.len > 0);
	assert(offer.key.at >= value.at && offer.key.at + offer.key.len <= value.at + value.len);
	check_key(offer.key);
	access_offer_field(&offer, (struct http_field){SPAN("x-api-key"), offer.key});
	assert(!offer.broken); /* it agrees with itself */
}

static void check_values(struct span text)
{
	struct arena arena;
	const void *made;
	const char *string;
	uint64_t seconds;
	arena_init(&arena, 0);
	if (key_value_hash(&arena, text, &made))
		assert(strlen(((const struct config_key_hash *)made)->id) == API_KEY_ID);
	if (key_value_network(&arena, text, &made))
		assert(((const struct config_network *)made)->bits <= 128);
	if (key_value_tenant(&arena, text, &string))
		assert(string[0] != '/' && string[text.len - 1] != '/');
	if (key_value_time(text, &seconds))
		assert(seconds > 0);
	key_value_pattern(&arena, text, &string);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1); /* of the exact size, so that ASan sees a read behind it */
	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	struct span text = {copy, size};
	check_key(text);
	check_offer("authorization", text);
	check_offer("x-api-key", text);
	check_values(text);
	free(copy);
	return 0;
}
