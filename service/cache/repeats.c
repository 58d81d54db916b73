/* SPDX-License-Identifier: MIT */
/* A table with one place for each hash; repeats.h holds the contract. */
#include "service/cache/repeats.h"

#include <stdlib.h>

#include "lib/hash.h"

/* Of the bytes that a place may hold; all places together 1 MiB, once they are used. */
enum { REPEATS_PLACES = 64, REPEATS_MOST = 16384 };

struct place {
	struct repeat repeat; /* its spans are in bytes */
	uint64_t hash;
	char *bytes; /* NULL = nothing is here */
};

struct repeats {
	struct place places[REPEATS_PLACES];
	uint64_t lengths; /* a bit for each length that was noted, by its last six bits: spares most others the hash */
};

struct repeats *repeats_create(void)
{
	return calloc(1, sizeof(struct repeats));
}

void repeats_destroy(struct repeats *repeats)
{
	for (size_t i = 0; repeats != NULL && i < REPEATS_PLACES; i++)
		free(repeats->places[i].bytes);
	free(repeats);
}

static uint64_t length_bit(struct span body)
{
	return UINT64_C(1) << body.len % 64;
}

static uint64_t hash_of(enum endpoint endpoint, struct span tenant, struct span body)
{
	return hash_bytes(hash_bytes(hash_mix(HASH_START, endpoint), tenant), body);
}

const struct repeat *repeats_find(const struct repeats *repeats, enum endpoint endpoint, struct span tenant,
				  struct span body)
{
	if (repeats == NULL || tenant.len + body.len > REPEATS_MOST || (repeats->lengths & length_bit(body)) == 0)
		return NULL;
	uint64_t hash = hash_of(endpoint, tenant, body);
	const struct place *place = &repeats->places[hash % REPEATS_PLACES];
	const struct repeat *repeat = &place->repeat;
	bool same = place->bytes != NULL && place->hash == hash && repeat->endpoint == endpoint &&
		    span_equal(repeat->tenant, tenant) && span_equal(repeat->body, body);
	return same ? repeat : NULL;
}

void repeats_note(struct repeats *repeats, const struct repeat *repeat)
{
	size_t len = repeat->tenant.len + repeat->body.len;
	if (repeats == NULL || len == 0 || len > REPEATS_MOST)
		return;
	uint64_t hash = hash_of(repeat->endpoint, repeat->tenant, repeat->body);
	struct place *place = &repeats->places[hash % REPEATS_PLACES];
	char *bytes = malloc(len);
	if (bytes == NULL)
		return;
	free(place->bytes);
	if (repeat->tenant.len > 0)
		memcpy(bytes, repeat->tenant.at, repeat->tenant.len);
	if (repeat->body.len > 0)
		memcpy(bytes + repeat->tenant.len, repeat->body.at, repeat->body.len);
	*place = (struct place){.repeat = *repeat, .hash = hash, .bytes = bytes};
	place->repeat.tenant = (struct span){bytes, repeat->tenant.len};
	place->repeat.body = (struct span){bytes + repeat->tenant.len, repeat->body.len};
	repeats->lengths |= length_bit(repeat->body);
}
