/* SPDX-License-Identifier: MIT */
/*
 * Duplicate member names, found in linear time whoever wrote the document: a
 * few names are compared in pairs, many go through a hash set. The hash is a
 * polynomial over 2^61 - 1 at a secret random point: without knowing the point
 * nobody can prepare names that collide.
 */
#include "lib/json_internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/random.h"

enum { PAIRWISE_MEMBERS = 16, SMALL_SET_SLOTS = 128 };

static const uint64_t hash_prime = (UINT64_C(1) << 61) - 1;
static uint64_t hash_seeds[2]; /* the secret point, and a secret odd factor that spreads the result */
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void hash_setup(void)
{
	random_from_kernel(hash_seeds, 2);
	hash_seeds[0] = hash_seeds[0] % (hash_prime - 1000) + 500;
	hash_seeds[1] |= 1;
}

static uint64_t hash_step(uint64_t hash, unsigned char byte)
{
	__extension__ unsigned __int128 product = (unsigned __int128)hash * hash_seeds[0] + byte + 1;
	uint64_t folded = (uint64_t)(product & hash_prime) + (uint64_t)(product >> 61);
	return folded >= hash_prime ? folded - hash_prime : folded;
}

static uint64_t hash_key(const struct json *json, uint32_t key)
{
	uint64_t hash = 1;
	struct json_bytes bytes = json_bytes_of(json, key);
	for (int c = json_bytes_next(&bytes); c >= 0; c = json_bytes_next(&bytes))
		hash = hash_step(hash, (unsigned char)c);
	return hash * hash_seeds[1] >> 32;
}

static bool keys_equal(const struct json *json, uint32_t a, uint32_t b)
{
	const struct json_node *m = &json->nodes[a], *n = &json->nodes[b];
	if (!m->escaped && !n->escaped)
		return m->end - m->start == n->end - n->start &&
		       memcmp(json->text.at + m->start, json->text.at + n->start, m->end - m->start) == 0;
	struct json_bytes x = json_bytes_of(json, a), y = json_bytes_of(json, b);
	for (;;) {
		int c = json_bytes_next(&x);
		if (c != json_bytes_next(&y))
			return false;
		if (c < 0)
			return true;
	}
}

/* One bit of 64, the same for equal names: names with different ones need no comparison. An escaped name has all. */
static inline __attribute__((always_inline)) uint64_t key_mark(const struct json *json, uint32_t key)
{
	const struct json_node *n = &json->nodes[key];
	const unsigned char *text = (const unsigned char *)json->text.at;
	if (n->escaped)
		return UINT64_MAX;
	return UINT64_C(1) << ((n->end - n->start + 5u * text[n->start + 1] + 9u * text[n->end - 2]) & 63);
}

static enum json_unique find_in_pairs(const struct json *json, uint32_t object, uint32_t *key)
{
	uint32_t keys[PAIRWISE_MEMBERS];
	uint64_t marks = 0;
	uint32_t at = object + 1;
	for (uint32_t i = 0; i < json->nodes[object].count; i++) {
		uint64_t mark = key_mark(json, at);
		for (uint32_t j = 0; (marks & mark) != 0 && j < i; j++) {
			if (keys_equal(json, keys[j], at)) {
				*key = at;
				return JSON_DUPLICATE;
			}
		}
		marks |= mark;
		keys[i] = at;
		at = json->nodes[at + 1].after;
	}
	return JSON_UNIQUE;
}

/* slots: a power of two, zeroed; 0 = free, else a key's node (never the root, so never 0). */
static enum json_unique find_by_hash(const struct json *json, uint32_t object, uint32_t *slots, uint32_t mask,
				     uint32_t *key)
{
	uint32_t at = object + 1;
	for (uint32_t i = 0; i < json->nodes[object].count; i++) {
		uint32_t slot = (uint32_t)hash_key(json, at) & mask;
		for (; slots[slot] != 0; slot = (slot + 1) & mask) {
			if (keys_equal(json, slots[slot], at)) {
				*key = at;
				return JSON_DUPLICATE;
			}
		}
		slots[slot] = at;
		at = json->nodes[at + 1].after;
	}
	return JSON_UNIQUE;
}

/* Returns whether no two names have the same mark: most objects of streamed events end here. */
static bool are_marks_unique(const struct json *json, uint32_t object)
{
	const struct json_node *nodes = json->nodes;
	uint64_t marks = 0;
	for (uint32_t at = object + 1, end = nodes[object].after; at < end; at = nodes[at + 1].after) {
		uint64_t mark = key_mark(json, at);
		if ((marks & mark) != 0)
			return false;
		marks |= mark;
	}
	return true;
}

enum json_unique json_find_duplicate(const struct json *json, uint32_t object, uint32_t *key)
{
	uint32_t count = json->nodes[object].count;
	if (count <= 1)
		return JSON_UNIQUE;
	if (count <= PAIRWISE_MEMBERS)
		return are_marks_unique(json, object) ? JSON_UNIQUE : find_in_pairs(json, object, key);
	pthread_once(&hash_once, hash_setup);
	if (count <= SMALL_SET_SLOTS / 2) {
		uint32_t slots[SMALL_SET_SLOTS] = {0};
		return find_by_hash(json, object, slots, SMALL_SET_SLOTS - 1, key);
	}
	uint32_t size = SMALL_SET_SLOTS;
	while (size / 2 < count)
		size *= 2;
	/* Not from the arena: the set is done with before the next member is read. */
	uint32_t *slots = calloc(size, sizeof(*slots));
	if (slots == NULL)
		return JSON_UNKNOWN;
	enum json_unique result = find_by_hash(json, object, slots, size - 1, key);
	free(slots);
	return result;
}
