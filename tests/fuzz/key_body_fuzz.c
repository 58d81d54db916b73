/* SPDX-License-Identifier: MIT */
/*
 * Bodies of /admin/keys and stored records: what a body is accepted for can be stored, read again byte for byte, and
 * means a key; a record that somebody else wrote is a key or is refused.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/access/key_edit.h"
#include "service/access/key_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID SPAN("4kQ9xYb2")
#define SUM SPAN("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")

static void check_record(const struct key_record *record)
{
	struct arena arena;
	struct buf text, again, why;
	struct key_record read;
	struct config_key key;
	const struct config_key_hash *former;
	arena_init(&arena, 0);
	buf_init(&text, KEY_STORE_RECORD_MAX);
	buf_init(&again, KEY_STORE_RECORD_MAX);
	buf_init(&why, KEY_STORE_WHY_MAX);
	key_record_write(record, &text);
	assert(!buf_failed(&text));
	assert(key_record_read(buf_span(&text), &arena, &read));
	key_record_write(&read, &again);
	assert(span_equal(buf_span(&text), buf_span(&again)));
	assert(key_record_resolve(ID, &read, &arena, &key, &former, &why));
	assert(key.tenant != NULL && key.identity[0] == '\n');
	buf_fini(&text);
	buf_fini(&again);
	buf_fini(&why);
	arena_fini(&arena);
}

static void check_body(struct span body)
{
	static const struct json_limits limits = {.depth = 64, .values = 100000};
	struct arena arena;
	struct findings findings;
	struct key_record record = {.hash = SUM, .created_s = 1};
	uint64_t overlap_s;
	arena_init(&arena, 0);
	struct key_edit edit = {.body = body, .limits = &limits, .arena = &arena, .findings = &findings};
	if (key_edit_create(&edit, &record))
		check_record(&record);
	else
		assert(findings.count > 0 && findings.list[0].code != ERROR_NONE);
	record = (struct key_record){.name = SPAN("before"), .tenant = SPAN("a/b"), .hash = SUM, .former = SUM};
	if (key_edit_change(&edit, &record))
		check_record(&record);
	else
		assert(findings.count > 0);
	if (key_edit_rotate(&edit, &overlap_s))
		assert(overlap_s <= 30 * 86400);
	arena_fini(&arena);
}

static void check_stored(struct span text)
{
	struct arena arena;
	struct buf why;
	struct key_record record;
	struct config_key key;
	const struct config_key_hash *former;
	arena_init(&arena, 0);
	buf_init(&why, KEY_STORE_WHY_MAX);
	if (key_record_read(text, &arena, &record) && key_record_resolve(ID, &record, &arena, &key, &former, &why))
		assert(key.name != NULL && key.tenant != NULL && key.hash != NULL);
	buf_fini(&why);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1); /* of the exact size, so that ASan sees a read behind it */
	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	check_body((struct span){copy, size});
	check_stored((struct span){copy, size});
	free(copy);
	return 0;
}
