/* SPDX-License-Identifier: MIT */
/*
 * Field tables: what a wire document may hold, declared once as constant rows.
 * Validation walks them here; typed decoders, OpenAPI and the reference pages
 * are to be made from the same rows, so a row is data and never code.
 *
 * Members that no row names pass. A member that is null counts as absent where
 * its row does not require it.
 */
#ifndef SLUICE_SCHEMAS_FIELD_H
#define SLUICE_SCHEMAS_FIELD_H

#include "lib/json.h"
#include "schemas/finding.h"

enum {
	FIELD_BOOLEAN = 1,
	FIELD_INTEGER = 2, /* a number without fraction and exponent, of any size unless bounded */
	FIELD_NUMBER = 4,  /* any number that a double can hold; integers included */
	FIELD_STRING = 8,
	FIELD_ARRAY = 16,
	FIELD_OBJECT = 32,
};

enum { FIELD_TABLE_ROWS = 64 }; /* most rows of one table */

struct field_table;

struct field {
	const char *name;             /* the member's name; NULL for the rule of elements */
	unsigned types;               /* FIELD_*: any of them */
	bool required;                /* must be there and not null */
	const char *unless;           /* a member whose presence stands in for this required one, or NULL */
	double min, max;              /* bounds of a number, both included; none when equal */
	size_t min_length;            /* bytes of a string, at least */
	size_t min_items;             /* elements of an array, at least */
	size_t max_items;             /* elements of an array, at most; 0 = no limit */
	const char *const *choices;   /* the only strings allowed, NULL-terminated; NULL = any string */
	const struct field *element;  /* the rule of an array's elements, or NULL */
	const struct field_table *of; /* the rule of an object's members, or NULL */
	const char *doc;              /* one line of documentation */
};

/* More rules for an object whose discriminating member has this value. */
struct field_variant {
	const char *value;
	const struct field_table *table;
};

struct field_table {
	const char *name; /* of the schema, for documents made from the table */
	const struct field *fields;
	size_t count;
	const char *by;                       /* the discriminating string member, or NULL */
	const struct field_variant *variants; /* values without a variant pass */
	size_t variant_count;
};

/*
 * Checks a document's root, an object or not, against table. False with
 * *finding filled on the first violation: members in document order, then what
 * is missing. Path and message go into the arena.
 */
bool field_check(const struct json *json, const struct field_table *table, struct arena *arena,
		 struct finding *finding);

#endif
