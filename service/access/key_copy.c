/* SPDX-License-Identifier: MIT */
/* Sorted arrays of counted keys; key_copy.h holds the contract. */
#include "service/access/key_copy.h"

#include <stdlib.h>

enum { KEY_ARENA_MAX = 2 * KEY_STORE_RECORD_MAX + (1 << 20) };

struct stored_key *stored_key_create(const struct key_store_item *item, struct buf *why)
{
	struct stored_key *key = calloc(1, sizeof(*key));
	if (key == NULL) {
		buf_printf(why, "out of memory");
		return NULL;
	}
	atomic_init(&key->references, 1);
	arena_init(&key->arena, KEY_ARENA_MAX);
	key->version = item->version;
	struct span record = arena_copy(&key->arena, item->record);
	bool read = record.at != NULL && key_record_read(record, &key->arena, &key->record);
	if (!read)
		buf_printf(why, "the key %.*s: its record is none of this version of Sluice", SPAN_ARG(item->id));
	if (read && key_record_resolve(item->id, &key->record, &key->arena, &key->key, &key->former, why)) {
		key->key.revision = key->version;
		return key;
	}
	stored_key_drop(key);
	return NULL;
}

struct stored_key *stored_key_hold(struct stored_key *key)
{
	if (key != NULL)
		atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
	return key;
}

void stored_key_drop(struct stored_key *key)
{
	if (key == NULL || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&key->arena);
	free(key);
}

/* ---- copies ---- */

static int compare_ids(const struct stored_key *a, const struct stored_key *b)
{
	return memcmp(a->key.hash->id, b->key.hash->id, API_KEY_ID);
}

/* Of one id, the later version comes first. */
static int compare(const void *a, const void *b)
{
	const struct stored_key *left = *(const struct stored_key *const *)a;
	const struct stored_key *right = *(const struct stored_key *const *)b;
	int order = compare_ids(left, right);
	return order != 0 ? order : (left->version < right->version) - (left->version > right->version);
}

/* Sorts, and drops what a later version replaces. Returns how many are left. */
static size_t sort_changes(struct stored_key **changes, size_t count)
{
	size_t kept = 0;
	if (count > 0)
		qsort(changes, count, sizeof(struct stored_key *), compare);
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && compare_ids(changes[kept - 1], changes[i]) == 0)
			stored_key_drop(changes[i]);
		else
			changes[kept++] = changes[i];
	}
	return kept;
}

static void drop_all(struct stored_key **keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		stored_key_drop(keys[i]);
}

struct key_copy *key_copy_create(const struct key_copy *before, struct stored_key **changes, size_t count)
{
	size_t old_count = before == NULL ? 0 : before->count, old = 0, new = 0;
	struct key_copy *copy = malloc(sizeof(*copy) + (old_count + count) * sizeof(struct stored_key *));
	if (copy == NULL) {
		drop_all(changes, count);
		return NULL;
	}
	atomic_init(&copy->references, 1);
	copy->count = 0;
	count = sort_changes(changes, count);
	while (old < old_count || new < count) {
		int order = old == old_count ? 1 : new == count ? -1 : compare_ids(before->keys[old], changes[new]);
		if (order < 0)
			copy->keys[copy->count++] = stored_key_hold(before->keys[old]);
		else
			copy->keys[copy->count++] = changes[new ++];
		old += order <= 0;
	}
	return copy;
}

struct key_copy *key_copy_hold(struct key_copy *copy)
{
	if (copy != NULL)
		atomic_fetch_add_explicit(&copy->references, 1, memory_order_relaxed);
	return copy;
}

void key_copy_drop(struct key_copy *copy)
{
	if (copy == NULL || atomic_fetch_sub_explicit(&copy->references, 1, memory_order_acq_rel) != 1)
		return;
	drop_all(copy->keys, copy->count);
	free(copy);
}

size_t key_copy_after(const struct key_copy *copy, struct span id)
{
	size_t from = 0, to = copy == NULL || id.len != API_KEY_ID ? 0 : copy->count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (memcmp(copy->keys[middle]->key.hash->id, id.at, API_KEY_ID) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct stored_key *key_copy_find(const struct key_copy *copy, struct span id)
{
	size_t after = key_copy_after(copy, id);
	if (after == 0 || memcmp(copy->keys[after - 1]->key.hash->id, id.at, API_KEY_ID) != 0)
		return NULL;
	return copy->keys[after - 1];
}
