/* SPDX-License-Identifier: MIT */
/*
 * The grammar of field tables. A .def file holds, for each table:
 *
 *   #define THIS openai_image_url
 *   TABLE
 *   ROW(text, url, .types = FIELD_STRING, .required = true, .example = …, .doc = …)
 *   END("ImageUrl", .doc = …)
 *   #undef THIS
 *
 * This header is included around it, several times by design: with FIELD_DEF_STRUCTS
 * defined the .def file becomes the structs (struct openai_image_url { struct
 * field_text url; };) and the declarations of the tables, with FIELD_DEF_TABLES
 * the tables themselves (openai_image_url_fields). A table stands before those that use it.
 * Tables that are never decoded need no structs: FIELD_DEF_NAMES declares them, FIELD_DEF_BARE_TABLES makes them.
 */
#include "schemas/field_index.h"

#undef TABLE
#undef ROW
#undef END
#undef FIELD_DEF_TABLE
#undef FIELD_PASTE
#undef FIELD_PASTE_NOW
#define FIELD_PASTE_NOW(a, b) a##b
#define FIELD_PASTE(a, b) FIELD_PASTE_NOW(a, b)

#define FIELD_DEF_TABLE(schema, struct_size, ...)                                            \
	static struct field_index FIELD_PASTE(THIS, _index);                                 \
	const struct field_table FIELD_PASTE(THIS, _fields) = {                              \
	    .name = (schema),                                                                \
	    .fields = FIELD_PASTE(THIS, _rows),                                              \
	    .count = sizeof(FIELD_PASTE(THIS, _rows)) / sizeof(FIELD_PASTE(THIS, _rows)[0]), \
	    .size = (struct_size),                                                           \
	    .index = &FIELD_PASTE(THIS, _index),                                             \
	    __VA_ARGS__,                                                                     \
	};

#if defined(FIELD_DEF_STRUCTS)
#define TABLE struct THIS {
#define ROW(as, member, ...) struct field_##as member;
#define END(...) \
	}        \
	;        \
	extern const struct field_table FIELD_PASTE(THIS, _fields);
#elif defined(FIELD_DEF_TABLES)
#define TABLE static const struct field FIELD_PASTE(THIS, _rows)[] = {
#define ROW(as, member, ...) \
	{.name = #member, .kind = FIELD_KIND_##as, .offset = offsetof(struct THIS, member), __VA_ARGS__},
#define END(schema, ...) \
	}                \
	;                \
	FIELD_DEF_TABLE(schema, sizeof(struct THIS), __VA_ARGS__)
#elif defined(FIELD_DEF_NAMES)
#define TABLE
#define ROW(...)
#define END(...) extern const struct field_table FIELD_PASTE(THIS, _fields);
#elif defined(FIELD_DEF_BARE_TABLES)
#define TABLE static const struct field FIELD_PASTE(THIS, _rows)[] = {
#define ROW(as, member, ...) {.name = #member, .kind = FIELD_KIND_##as, __VA_ARGS__},
#define END(schema, ...) \
	}                \
	;                \
	FIELD_DEF_TABLE(schema, 0, __VA_ARGS__)
#endif

/* Values of a row's members that are more than a number or a string. */
#undef CHOICES
#undef RULE
#undef VARIANTS
#define CHOICES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define RULE(...) (&(const struct field){__VA_ARGS__})
#define VARIANTS(...)                                            \
	.variants = (const struct field_variant[]){__VA_ARGS__}, \
	.variant_count = sizeof((const struct field_variant[]){__VA_ARGS__}) / sizeof(struct field_variant)
