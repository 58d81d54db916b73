/* SPDX-License-Identifier: MIT */
/* Stored responses as Redis has them: only what was stored under a name is taken for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/responses/shared_record.h"

#define NAME "sluice:responses:{1}:resp_1"

static const struct shared_record record = {
    .tenant = SPAN_INIT("acme/search"),
    .id = SPAN_INIT("resp_1"),
    .answer = SPAN_INIT("{\"output\":[]}"),
    .input = SPAN_INIT("{\"role\":\"user\",\"content\":\"One\"}"),
};

static void encode(struct buf *out)
{
	buf_init(out, 4096);
	shared_record_encode(&record, SPAN(NAME), out);
	assert_false(buf_failed(out));
}

static void a_record_is_read_as_it_was_written(void **state)
{
	struct buf out;
	struct shared_record read;
	(void)state;
	encode(&out);
	assert_true(shared_record_decode(buf_span(&out), SPAN(NAME), &read));
	assert_true(span_equal(read.tenant, record.tenant) && span_equal(read.id, record.id));
	assert_true(span_equal(read.answer, record.answer) && span_equal(read.input, record.input));
	buf_fini(&out);
}

static void a_record_of_another_name_is_refused(void **state)
{
	struct buf out;
	struct shared_record read;
	(void)state;
	encode(&out);
	assert_false(shared_record_decode(buf_span(&out), SPAN("sluice:responses:{1}:resp_2"), &read));
	buf_fini(&out);
}

static void a_record_with_any_byte_changed_or_missing_is_refused(void **state)
{
	struct buf out;
	struct shared_record read;
	char bytes[4096];
	(void)state;
	encode(&out);
	size_t len = buf_len(&out);
	memcpy(bytes, buf_span(&out).at, len);
	buf_fini(&out);
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= 1;
		assert_false(shared_record_decode((struct span){bytes, len}, SPAN(NAME), &read));
		bytes[i] ^= 1;
		assert_false(shared_record_decode((struct span){bytes, i}, SPAN(NAME), &read));
	}
	assert_true(shared_record_decode((struct span){bytes, len}, SPAN(NAME), &read));
}

static void a_record_beyond_the_buffer_fails_with_it(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 40);
	shared_record_encode(&record, SPAN(NAME), &out);
	assert_true(buf_failed(&out));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_is_read_as_it_was_written),
	    cmocka_unit_test(a_record_of_another_name_is_refused),
	    cmocka_unit_test(a_record_with_any_byte_changed_or_missing_is_refused),
	    cmocka_unit_test(a_record_beyond_the_buffer_fails_with_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
