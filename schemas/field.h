/* SPDX-License-Identifier: MIT */
/*
 * Field tables: what a document may hold, declared once as constant rows. From
 * the same rows come the typed struct, the decoder, all validation, the OpenAPI
 * schema and the reference page, so a row is data and never code.
 *
 * Tables are written in .def files (field_def.h tells how). Members that no row
 * names pass unless the table refuses them. A member that is null counts as
 * absent where its row does not require it.
 */
#ifndef SLUICE_SCHEMAS_FIELD_H
#define SLUICE_SCHEMAS_FIELD_H

#include "lib/json.h"
#include "schemas/finding.h"

/* What a value may be. */
enum {
	FIELD_BOOLEAN = 1,
	FIELD_INTEGER = 2, /* a number without a fractional part, of any size unless bounded; 1.0 is one */
	FIELD_NUMBER = 4,  /* any number; integers included */
	FIELD_STRING = 8,
	FIELD_ARRAY = 16,
	FIELD_OBJECT = 32,
};

/* How a member is kept in the typed struct: its struct is field_boolean, field_integer, … */
enum field_kind { FIELD_KIND_any, FIELD_KIND_boolean, FIELD_KIND_integer, FIELD_KIND_number, FIELD_KIND_text };

/* A decoded member. node: where its value is in the document; JSON_NONE when absent, value is then the default or 0. */
struct field_any {
	uint32_t node;
};

struct field_boolean {
	uint32_t node;
	bool value;
};

struct field_integer {
	uint32_t node;
	int64_t value; /* saturated: the document keeps what does not fit */
};

struct field_number {
	uint32_t node;
	double value;
};

struct field_text {
	uint32_t node;
	struct span value; /* decoded */
};

enum { FIELD_TABLE_ROWS = 64 }; /* most rows of one table */

/* Which strings hold what they mean, and do not refer to it. */
enum field_inside {
	FIELD_INSIDE_ALL,
	FIELD_INSIDE_URL,   /* a data: URL */
	FIELD_INSIDE_BYTES, /* a data: URL, or base64 */
};

struct field_table;
struct field_index;

struct field {
	const char *name;     /* the member's name; NULL for the rule of elements or values */
	unsigned types;       /* FIELD_*: any of them; 0 = the member must not be there, doc says why */
	enum field_kind kind; /* of the struct's member at offset */
	size_t offset;        /* bytes */
	bool required;        /* must be there, and not null unless nullable */
	bool nullable;        /* a required member, or an element, may be null */
	bool deprecated;      /* still works, better avoided */
	bool off;             /* a boolean may only be false */
	const char *unless;   /* a member whose presence stands in for this required one, or NULL */
	/* what a cache goes by */
	bool idle;        /* it has no effect on what is generated, or counts otherwise: no part of a cache's key */
	bool verbatim;    /* the order of members and the spelling of numbers in it may matter */
	bool wraps;       /* a string means the same as an array of it */
	unsigned outside; /* FIELD_*: values of these types refer to something outside of the document */
	enum field_inside inside;     /* which strings do not */
	const char *excludes;         /* a member that must not be there beside this one, or NULL */
	double min, max;              /* bounds of a number, both included; none when equal */
	size_t min_length;            /* characters of a string, at least */
	size_t max_length;            /* characters of a string, at most; 0 = no limit */
	size_t min_items;             /* elements of an array, at least */
	size_t max_items;             /* elements of an array, at most; 0 = no limit */
	const char *pattern;          /* a regular expression, both POSIX extended and ECMA 262, or NULL */
	const char *const *choices;   /* the only strings allowed, NULL-terminated; NULL = any string */
	const struct field *element;  /* the rule of an array's elements, or NULL */
	const struct field *values;   /* the rule of those members of an object that no table names, or NULL */
	const struct field_table *of; /* the rule of an object's members, or NULL */
	const struct field *strict;   /* types, bounds, choices and required for strict requests; NULL = these */
	const char *standard;         /* the default, as JSON text; NULL = none */
	const char *example;          /* as JSON text */
	const char *doc;              /* one line of documentation */
};

/* More rules for an object whose discriminating member has this value. */
struct field_variant {
	const char *value;
	const struct field_table *table;
};

struct field_table {
	const char *name;    /* of the schema, for documents made from the table */
	const char *doc;     /* one line */
	const char *example; /* of the whole, as JSON text, or NULL */
	const struct field *fields;
	size_t count;
	size_t size;                          /* bytes of the typed struct */
	bool refuse_unknown;                  /* a member that no row names is refused: for our own endpoints */
	const char *by;                       /* the discriminating string member, or NULL */
	const struct field_variant *variants; /* values without a variant pass */
	size_t variant_count;
	const char *const *plain;  /* values without a variant that are known, NULL-terminated; NULL = none */
	const char *const *known;  /* members without a row of which is known that they refer to nothing outside */
	struct field_index *index; /* finds rows quickly; NULL: they are looked through */
};

/*
 * Validates a document's root against table and decodes it. where: "body" or
 * "query", the head of each finding's location. into: the table's typed struct, or NULL;
 * complete only when nothing was found. Findings come in document order, then what is
 * missing, at most FINDINGS_MOST. True when nothing was found. Texts go into
 * the arena; when that is exhausted texts are {NULL,0}.
 */
bool field_read(const struct json *json, const struct field_table *table, const char *where, struct arena *arena,
		void *into, struct findings *findings);

/*
 * Validates a document that field_read() accepts by the strict rules of its rows as well. Same findings, nothing is
 * decoded.
 */
bool field_check_strict(const struct json *json, const struct field_table *table, const char *where,
			struct arena *arena, struct findings *findings);

/* The row that names the member whose key is at node, or NULL. */
const struct field *field_find(const struct json *json, const struct field_table *table, uint32_t key);

/*
 * Decodes the object at node, which was validated as part of its document, into the typed struct
 * of its table. With node JSON_NONE, or one that is no object: as if it were empty.
 */
void field_decode(const struct json *json, const struct field_table *table, uint32_t node, struct arena *arena,
		  void *into);

#endif
