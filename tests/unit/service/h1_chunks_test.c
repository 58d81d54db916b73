/* SPDX-License-Identifier: MIT */
/* Chunked bodies: the same whatever pieces they come in, and never more than the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/http/h1_chunks.h"

enum { LIMIT = 100 };

/* Decodes text in pieces of size bytes. *used: bytes taken of it. */
static enum error_code decode(struct span text, size_t size, struct h1_chunks *chunks, struct buf *body, size_t *used)
{
	enum error_code error = ERROR_NONE;
	*chunks = (struct h1_chunks){.state = H1_CHUNKS_ST_SIZE};
	*used = 0;
	for (size_t have = 0; have < text.len && error == ERROR_NONE && chunks->state != H1_CHUNKS_ST_DONE;) {
		size_t taken;
		have = have + size < text.len ? have + size : text.len;
		error = h1_chunks_decode(chunks, (struct span){text.at + *used, have - *used}, LIMIT, body, &taken);
		*used += taken;
	}
	return error;
}

static void a_body_is_the_same_in_pieces_of_any_size(void **state)
{
	static const char text[] = "5;a=\"b;c\"\r\nhello\r\n00001\r\n,\r\nA\r\n0123456789\r\n0;x\r\nT: u\r\n\r\nGET /";
	(void)state;
	for (size_t size = 1; size < sizeof(text); size++) {
		struct h1_chunks chunks;
		struct buf body;
		size_t used;
		buf_init(&body, LIMIT);
		assert_int_equal(decode(SPAN(text), size, &chunks, &body, &used), ERROR_NONE);
		assert_int_equal(chunks.state, H1_CHUNKS_ST_DONE);
		assert_true(span_is(buf_span(&body), "hello,0123456789"));
		assert_string_equal(text + used, "GET /"); /* what follows is not touched */
		buf_fini(&body);
	}
}

static void check(const char *text, enum error_code want)
{
	for (size_t size = 1; size <= 64; size *= 8) {
		struct h1_chunks chunks;
		struct buf body;
		size_t used;
		buf_init(&body, LIMIT);
		enum error_code error = decode(span_of(text), size, &chunks, &body, &used);
		if (error != want)
			fail_msg("«%s» in pieces of %zu: %d", text, size, (int)error);
		buf_fini(&body);
	}
}

static void a_size_that_exceeds_the_limit_is_refused_before_its_data(void **state)
{
	(void)state;
	check("65\r\n", ERROR_BODY_TOO_LARGE);
	check("ffffffff\r\n", ERROR_BODY_TOO_LARGE);
	check("1\r\nx\r\n64\r\n", ERROR_BODY_TOO_LARGE);
	check("64\r\n", ERROR_NONE);
}

static void what_no_end_can_mend_is_refused_before_its_end(void **state)
{
	(void)state;
	check("g", ERROR_MALFORMED_HTTP);
	check("\r", ERROR_MALFORMED_HTTP);
	check(";", ERROR_MALFORMED_HTTP);
	check("1\r\nxx", ERROR_MALFORMED_HTTP);
	check("1\r\nx\n", ERROR_MALFORMED_HTTP);
	check("1\r\nx\r1", ERROR_MALFORMED_HTTP);
}

static void extensions_have_a_limit_together(void **state)
{
	struct h1_chunks chunks = {.state = H1_CHUNKS_ST_SIZE};
	struct buf body;
	enum error_code error = ERROR_NONE;
	size_t rounds = 0, taken;
	(void)state;
	buf_init(&body, LIMIT);
	while (error == ERROR_NONE && rounds < LIMIT) {
		static const char text[] = "1;0123456789012345678901234567890123456789012345678901234567890123456789"
					   "012345678901234567890123456789012345678901234567890123456789012345678901"
					   "012345678901234567890123456789012345678901234567890123456789012345678901"
					   "012345678901234567890123456789012345678901234567890123456789012345678901"
					   "\r\nx\r\n";
		error = h1_chunks_decode(&chunks, SPAN(text), LIMIT, &body, &taken);
		rounds++;
	}
	assert_int_equal(error, ERROR_MALFORMED_HTTP);
	assert_true(rounds > 10 && rounds < LIMIT);
	buf_fini(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_body_is_the_same_in_pieces_of_any_size),
	    cmocka_unit_test(a_size_that_exceeds_the_limit_is_refused_before_its_data),
	    cmocka_unit_test(what_no_end_can_mend_is_refused_before_its_end),
	    cmocka_unit_test(extensions_have_a_limit_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
