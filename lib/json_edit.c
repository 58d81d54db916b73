/* SPDX-License-Identifier: MIT */
/* Splicing values into a document's own bytes; json_edit.h holds the contract. */
#include "lib/json_edit.h"

#include <assert.h>

struct json_edit json_edit_start(const struct json *json, struct buf *out)
{
	return (struct json_edit){.json = json, .out = out};
}

void json_edit_copy_to(struct json_edit *edit, size_t offset)
{
	assert(offset >= edit->done && offset <= edit->json->text.len);
	buf_append(edit->out, (struct span){edit->json->text.at + edit->done, offset - edit->done});
	edit->done = offset;
}

void json_edit_replace(struct json_edit *edit, uint32_t node)
{
	json_edit_copy_to(edit, edit->json->nodes[node].start);
	edit->done = edit->json->nodes[node].end;
}

static void append_key(struct json_edit *edit, const char *key)
{
	buf_append(edit->out, SPAN("\""));
	buf_append(edit->out, span_of(key));
	buf_append(edit->out, SPAN("\":"));
}

void json_edit_insert_first(struct json_edit *edit, uint32_t object, const char *key)
{
	size_t inside = (size_t)edit->json->nodes[object].start + 1;
	if (edit->done < inside)
		json_edit_copy_to(edit, inside);
	append_key(edit, key);
}

void json_edit_inserted(struct json_edit *edit, uint32_t object)
{
	if (edit->json->nodes[object].count > 0)
		buf_append(edit->out, SPAN(","));
}

void json_edit_insert_last(struct json_edit *edit, uint32_t object, const char *key)
{
	json_edit_copy_to(edit, (size_t)edit->json->nodes[object].end - 1);
	buf_append(edit->out, SPAN(","));
	append_key(edit, key);
}

void json_edit_finish(struct json_edit *edit)
{
	json_edit_copy_to(edit, edit->json->text.len);
}

struct span json_edit_rest(const struct json_edit *edit)
{
	return (struct span){edit->json->text.at + edit->done, edit->json->text.len - edit->done};
}
