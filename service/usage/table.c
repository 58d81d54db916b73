/* SPDX-License-Identifier: MIT */
/* The bounded table of counts; table.h holds the contract. */
#include "service/usage/table.h"

#include <stdlib.h>

#include "lib/hash.h"

enum { FIRST_SIZE = 64 };

uint64_t usage_hash(struct span key, struct span tenant)
{
	return hash_mix(hash_bytes(HASH_START, key), hash_bytes(HASH_START, tenant));
}

void usage_table_init(struct usage_table *table, size_t most)
{
	*table = (struct usage_table){.most = most};
}

void usage_table_fini(struct usage_table *table)
{
	for (size_t i = 0; i < table->size; i++)
		free(table->slots[i]);
	free(table->slots);
	usage_table_init(table, table->most);
}

static size_t place_of(const struct usage_table *table, const struct usage_subject *subject)
{
	uint64_t hash = hash_mix(subject->hash ^ subject->day, (uintptr_t)subject->model);
	return hash_mix(hash, (uintptr_t)subject->target) & (table->size - 1);
}

static bool is_same(const struct usage_subject *a, const struct usage_subject *b)
{
	return a->hash == b->hash && a->day == b->day && a->model == b->model && a->target == b->target &&
	       span_equal(a->key, b->key) && span_equal(a->tenant, b->tenant);
}

/* Returns the slot of that subject, or an empty one for it. */
static struct usage_row **slot_of(const struct usage_table *table, const struct usage_subject *subject)
{
	size_t at = place_of(table, subject);
	while (table->slots[at] != NULL && !is_same(&table->slots[at]->subject, subject))
		at = (at + 1) & (table->size - 1);
	return &table->slots[at];
}

/* Keeps at least half of the slots empty. */
static bool make_room(struct usage_table *table)
{
	if (table->count * 2 < table->size)
		return true;
	struct usage_table larger = *table;
	larger.size = table->size == 0 ? FIRST_SIZE : table->size * 2;
	larger.slots = calloc(larger.size, sizeof(struct usage_row *));
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < table->size; i++)
		if (table->slots[i] != NULL)
			*slot_of(&larger, &table->slots[i]->subject) = table->slots[i];
	free(table->slots);
	*table = larger;
	return true;
}

static struct usage_row *create_row(const struct usage_subject *subject)
{
	struct usage_row *row = malloc(sizeof(*row) + subject->key.len + subject->tenant.len);
	if (row == NULL)
		return NULL;
	row->subject = *subject;
	row->counts = (struct usage_counts){{0}};
	row->subject.key.at = row->text;
	row->subject.tenant.at = row->text + subject->key.len;
	if (subject->key.len > 0)
		memcpy(row->text, subject->key.at, subject->key.len);
	if (subject->tenant.len > 0)
		memcpy(row->text + subject->key.len, subject->tenant.at, subject->tenant.len);
	return row;
}

/* Returns the row of that subject, or of USAGE_OTHER when there is room for no other; NULL: out of memory. */
static struct usage_row *find_row(struct usage_table *table, const struct usage_subject *subject)
{
	if (!make_room(table))
		return NULL;
	struct usage_row **slot = slot_of(table, subject);
	struct usage_subject other = *subject;
	if (*slot == NULL && table->count >= table->most) {
		other.key = SPAN(USAGE_OTHER);
		other.tenant = SPAN("");
		other.hash = usage_hash(other.key, other.tenant);
		slot = slot_of(table, &other);
	}
	if (*slot == NULL && (*slot = create_row(&other)) != NULL)
		table->count++;
	return *slot;
}

bool usage_table_add(struct usage_table *table, const struct usage_subject *subject, const struct usage_counts *counts)
{
	struct usage_row *row = find_row(table, subject);
	if (row == NULL)
		return false;
	for (size_t i = 0; i < USAGE_UNITS; i++)
		row->counts.of[i] += counts->of[i];
	return true;
}
