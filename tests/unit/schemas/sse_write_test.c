/* SPDX-License-Identifier: MIT */
/* Framing of events: what is written is read back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemas/sse.h"
#include "schemas/sse_write.h"

static void data_of_any_number_of_lines_survives(void **state)
{
	(void)state;
	static const char *const cases[] = {"{}", "a\nb", "\n", "a\n", "\na", " x", "a\n\nb"};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		struct sse_parser parser;
		struct sse_event event;
		buf_init(&out, 4096);
		sse_init(&parser, 4096);
		sse_write_event(&out, span_of(cases[i]));
		struct span input = buf_span(&out);
		assert_int_equal(sse_next(&parser, &input, &event), SSE_EVENT);
		assert_true(span_is(event.data, cases[i]));
		assert_int_equal(sse_next(&parser, &input, &event), SSE_MORE);
		sse_fini(&parser);
		buf_fini(&out);
	}
}

/* To readers a CR ends a line, too; it is white space of JSON. */
static void a_carriage_return_is_a_line_end(void **state)
{
	static const struct {
		const char *data, *written;
	} cases[] = {
	    {"{\r\"a\":1}", "data: {\ndata: \"a\":1}\n\n"}, {"{\r\n}\r", "data: {\ndata: }\n\n"}, {"\r", "data: \n\n"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		buf_init(&out, 4096);
		sse_write_event(&out, span_of(cases[i].data));
		assert_true(span_is(buf_span(&out), cases[i].written));
		buf_fini(&out);
	}
}

static void a_name_stands_before_the_data(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4096);
	sse_write_named(&out, "lane.delta", SPAN("a\nb"));
	assert_true(span_is(buf_span(&out), "event: lane.delta\ndata: a\ndata: b\n\n"));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(data_of_any_number_of_lines_survives),
	    cmocka_unit_test(a_carriage_return_is_a_line_end),
	    cmocka_unit_test(a_name_stands_before_the_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
