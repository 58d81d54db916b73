/* SPDX-License-Identifier: MIT */
/*
 * Editing a document that was read: its bytes go to a buffer as they are, but
 * for what the caller puts in or replaces, in document order.
 *
 *   struct json_edit edit = json_edit_start(json, out);
 *   json_edit_replace(&edit, node);   then append the new value to out
 *   json_edit_insert_first(&edit, object, key);   then append its value
 *   json_edit_finish(&edit);
 */
#ifndef SLUICE_LIB_JSON_EDIT_H
#define SLUICE_LIB_JSON_EDIT_H

#include "lib/buf.h"
#include "lib/json.h"

struct json_edit {
	const struct json *json;
	struct buf *out;
	size_t done; /* bytes of the document dealt with */
};

/* json: borrows; out: borrows. All failures are the buffer's sticky failure. */
struct json_edit json_edit_start(const struct json *json, struct buf *out);

/* Copies up to the value at node and leaves it out; the caller appends what stands for it. */
void json_edit_replace(struct json_edit *edit, uint32_t node);

/*
 * Opens the place of a new first member of the object at node: copies up to and
 * with its brace, appends the key (which needs no escape) and the colon. After
 * the value, json_edit_inserted() appends the comma that the object's own
 * members need.
 */
void json_edit_insert_first(struct json_edit *edit, uint32_t object, const char *key);
void json_edit_inserted(struct json_edit *edit, uint32_t object);

/* As above, but a new last member of an object that is not empty: copies up to its closing brace. Nothing to close. */
void json_edit_insert_last(struct json_edit *edit, uint32_t object, const char *key);

/* Copies up to the byte at offset. */
void json_edit_copy_to(struct json_edit *edit, size_t offset);

/* Copies the rest. */
void json_edit_finish(struct json_edit *edit);

/* Instead of copying it: the rest, which lies in the document. */
struct span json_edit_rest(const struct json_edit *edit);

#endif
