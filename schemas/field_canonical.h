/* SPDX-License-Identifier: MIT */
/*
 * A document in one form for all that mean the same, as its field tables say: members in one order, numbers by value,
 * no white space, one way of escaping. Where a table's row is verbatim, and wherever no table says what a value means,
 * the order of members and the spelling of numbers stay: a backend may show them to its model.
 */
#ifndef SLUICE_SCHEMAS_FIELD_CANONICAL_H
#define SLUICE_SCHEMAS_FIELD_CANONICAL_H

#include "lib/buf.h"
#include "schemas/field.h"

/* Returns true for a member of the outermost object that is left out; key: its node. */
typedef bool field_canonical_skip(const struct json *json, uint32_t key, const void *context);

/*
 * Appends the document's root, validated by that table, without what skip names, without idle members, and without
 * those of its own rows that are null, which count as absent. scratch: for keys and strings. Failures are the buffer's
 * and the arena's sticky ones.
 */
void field_write_canonical(const struct json *json, const struct field_table *table, field_canonical_skip *skip,
			   const void *context, struct arena *scratch, struct buf *out);

#endif
