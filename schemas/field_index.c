/* SPDX-License-Identifier: MIT */
/*
 * A small open-addressing table of row numbers per field table. Rows are wide
 * and their names lie elsewhere, so looking through them costs two cache lines
 * each; this costs two in all, mostly. Not a hash that an attacker could not
 * fill: it holds our own names only, and a foreign name ends at a free slot.
 */
#include "schemas/field_index.h"

#include "schemas/field.h"

enum index_state { INDEX_ST_NONE, INDEX_ST_BEING_MADE, INDEX_ST_READY };

static unsigned slot_of(struct span name)
{
	if (name.len == 0)
		return 0;
	unsigned first = (unsigned char)name.at[0], last = (unsigned char)name.at[name.len - 1];
	return ((unsigned)name.len * 13 + first * 5 + last * 9) % FIELD_INDEX_SLOTS;
}

static bool is_named(const struct field *row, struct span name)
{
	return strncmp(row->name, name.at, name.len) == 0 && row->name[name.len] == '\0';
}

static void make(struct field_index *index, const struct field_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		unsigned slot = slot_of(span_of(table->fields[i].name));
		while (index->slots[slot] != 0)
			slot = (slot + 1) % FIELD_INDEX_SLOTS;
		index->slots[slot] = (unsigned char)(i + 1);
		size_t length = strlen(table->fields[i].name);
		index->lengths[slot] = (unsigned char)(length < 256 ? length : 0);
		index->required |= (uint64_t)table->fields[i].required << i;
		index->excluding |= (uint64_t)(table->fields[i].excludes != NULL) << i;
	}
	atomic_store_explicit(&index->state, INDEX_ST_READY, memory_order_release);
}

/* One thread makes it; others that come meanwhile go without. */
static bool is_ready(struct field_index *index, const struct field_table *table)
{
	int state = atomic_load_explicit(&index->state, memory_order_acquire);
	if (state == INDEX_ST_READY)
		return true;
	if (state == INDEX_ST_BEING_MADE || !atomic_compare_exchange_strong(&index->state, &state, INDEX_ST_BEING_MADE))
		return false;
	make(index, table);
	return true;
}

static const struct field *find_in_rows(const struct field_table *table, struct span name)
{
	for (size_t i = 0; i < table->count; i++)
		if (is_named(&table->fields[i], name))
			return &table->fields[i];
	return NULL;
}

const struct field_index *field_index_of(const struct field_table *table)
{
	return table->index != NULL && is_ready(table->index, table) ? table->index : NULL;
}

const struct field *field_index_find(const struct field_table *table, struct span name)
{
	if (table->index == NULL || !is_ready(table->index, table))
		return find_in_rows(table, name);
	for (unsigned slot = slot_of(name); table->index->slots[slot] != 0; slot = (slot + 1) % FIELD_INDEX_SLOTS) {
		const struct field *row = &table->fields[table->index->slots[slot] - 1];
		size_t length = table->index->lengths[slot];
		if (length == 0 ? is_named(row, name) : length == name.len && memcmp(row->name, name.at, length) == 0)
			return row;
	}
	return NULL;
}
