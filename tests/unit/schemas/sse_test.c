/* SPDX-License-Identifier: MIT */
/* The SSE parser: the grammar, every split of a nasty stream, the cap, and what is copied. */
#include "schemas/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* SPAN() for static tables: a compound literal is no constant. */
/* Everything the grammar allows, in one stream. */
static const struct span nasty = SPAN_INIT("\xEF\xBB\xBF"
					   "data: first\n\n"
					   ": a comment\n"
					   "data: {\"a\":1}\n\n"
					   "data:no space\r\n\r\n"
					   "data:  two spaces\r\r"
					   "\n\n\r\n"
					   ": comment\r\n: another\r"
					   "event: named\ndata: x\n\n"
					   "data: one\ndata: two\r\ndata:\rdata\ndata:three\n\n"
					   "event: lost without data\n\n"
					   "id: 7\nretry: 10\n\n"
					   "data\n\n"
					   "data:\n\n"
					   "data: a\n: inside\nunknown: field\n\n"
					   "event: old\nevent: new\ndata: \xC3\xA9\xF0\x9F\x98\x80\n\n"
					   "data: \xEF\xBB\xBF bom inside\n\n"
					   "database: no\ndata : no\nDATA: no\n\n"
					   "data: cr\rdata: crlf\r\n\n"
					   "data: lf then cr\n\r"
					   "data: [DONE]\n\n"
					   "data: dropped at the end\n");

static const char nasty_events[] = "|first"
				   "|{\"a\":1}"
				   "|no space"
				   "| two spaces"
				   "named|x"
				   "|one~two~~~three"
				   "|"
				   "|"
				   "|a"
				   "new|\xC3\xA9\xF0\x9F\x98\x80"
				   "|\xEF\xBB\xBF bom inside"
				   "|cr~crlf"
				   "|lf then cr"
				   "|[DONE]";

static struct buf raws; /* the raw bytes of all events */

/* Writes an event as name|data, LF as ~, and notes its raw bytes. */
static void write_event(struct buf *out, const struct sse_event *event)
{
	buf_append(out, event->name);
	buf_append(out, SPAN("|"));
	for (size_t i = 0; i < event->data.len; i++)
		buf_append(out, event->data.at[i] == '\n' ? SPAN("~") : (struct span){event->data.at + i, 1});
	buf_append(&raws, event->raw);
}

/* Fails unless what came of the stream, and what is still kept, is the stream, but for its byte order mark. */
static void expect_every_byte(const struct sse_parser *parser)
{
	buf_append(&raws, buf_span(&parser->between));
	buf_append(&raws, buf_span(&parser->kept));
	assert_int_equal(buf_len(&raws), nasty.len - 3);
	assert_memory_equal(buf_span(&raws).at, nasty.at + 3, nasty.len - 3);
	buf_fini(&raws);
}

/* Feeds a piece from memory of its own, exact in size, and gone afterwards. */
static enum sse_result feed(struct sse_parser *parser, struct span piece, struct buf *out)
{
	char *copy = malloc(piece.len == 0 ? 1 : piece.len);
	memcpy(copy, piece.at, piece.len);
	struct span input = {copy, piece.len};
	struct sse_event event;
	enum sse_result result;
	while ((result = sse_next(parser, &input, &event)) == SSE_EVENT)
		write_event(out, &event);
	if (result == SSE_MORE)
		assert_int_equal(input.len, 0);
	free(copy);
	return result;
}

static void expect_events(const struct buf *out, const char *want)
{
	if (!span_is(buf_span(out), want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(out)), want);
}

static void the_nasty_stream_gives_its_events_at_once(void **state)
{
	(void)state;
	struct sse_parser parser;
	struct buf out;
	buf_init(&out, 4096);
	buf_fini(&raws);
	buf_init(&raws, 1 << 20);
	sse_init(&parser, 1000);
	assert_int_equal(feed(&parser, nasty, &out), SSE_MORE);
	expect_events(&out, nasty_events);
	expect_every_byte(&parser);
	sse_fini(&parser);
	buf_fini(&out);
}

static void every_split_gives_the_same_events(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= nasty.len; cut++) {
		struct sse_parser parser;
		struct buf out;
		buf_init(&out, 4096);
		buf_fini(&raws);
		buf_init(&raws, 1 << 20);
		sse_init(&parser, 1000);
		feed(&parser, (struct span){nasty.at, cut}, &out);
		feed(&parser, (struct span){nasty.at + cut, nasty.len - cut}, &out);
		expect_events(&out, nasty_events);
		expect_every_byte(&parser);
		sse_fini(&parser);
		buf_fini(&out);
	}
}

static void random_splits_give_the_same_events(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 3000; round++) {
		struct sse_parser parser;
		struct buf out;
		size_t most = (size_t)rand() % 40 + 1; /* 1: byte by byte */
		buf_init(&out, 4096);
		buf_fini(&raws);
		buf_init(&raws, 1 << 20);
		sse_init(&parser, 1000);
		for (size_t at = 0, size; at < nasty.len; at += size) {
			size = (size_t)rand() % most + 1;
			if (size > nasty.len - at)
				size = nasty.len - at;
			feed(&parser, (struct span){nasty.at + at, size}, &out);
		}
		expect_events(&out, nasty_events);
		expect_every_byte(&parser);
		sse_fini(&parser);
		buf_fini(&out);
	}
}

static void a_whole_event_is_not_copied(void **state)
{
	(void)state;
	struct sse_parser parser;
	struct sse_event event;
	struct span stream = SPAN("data: abc\n\nevent: e\r\ndata: def\r\n\r\n");
	struct span input = stream;
	sse_init(&parser, 100);
	assert_int_equal(sse_next(&parser, &input, &event), SSE_EVENT);
	assert_ptr_equal(event.data.at, stream.at + 6);
	assert_ptr_equal(event.raw.at, stream.at);
	assert_int_equal(event.raw.len, 11);
	assert_int_equal(sse_next(&parser, &input, &event), SSE_EVENT);
	assert_ptr_equal(event.data.at, stream.at + 27);
	assert_ptr_equal(event.raw.at, stream.at + 11);
	assert_int_equal(event.raw.len, stream.len - 11);
	assert_null(parser.kept.bytes);
	assert_null(parser.joined.bytes);
	assert_null(parser.between.bytes);
	sse_fini(&parser);
}

/* Comments, blank lines and blocks without data go with the next event, wherever the stream is cut. */
static void what_stands_between_goes_with_the_next_event(void **state)
{
	struct span stream = SPAN(": one\n\nid: 3\n\n: two\nevent: e\r\ndata: x\r\n\r\n");
	(void)state;
	for (size_t cut = 0; cut < stream.len; cut++) {
		struct sse_parser parser;
		struct sse_event event;
		struct span first = {stream.at, cut}, rest = {stream.at + cut, stream.len - cut};
		sse_init(&parser, 100);
		bool early = cut + 1 == stream.len; /* only the last line feed is still to come */
		assert_int_equal(sse_next(&parser, &first, &event), early ? SSE_EVENT : SSE_MORE);
		if (!early)
			assert_int_equal(sse_next(&parser, &rest, &event), SSE_EVENT);
		assert_int_equal(event.raw.len, early ? cut : stream.len);
		assert_memory_equal(event.raw.at, stream.at, event.raw.len);
		assert_memory_equal(event.raw.at + event.between, "event: e", 8);
		sse_fini(&parser);
	}
}

static void of_too_much_between_the_older_is_dropped(void **state)
{
	char comment[1001];
	struct sse_parser parser;
	struct sse_event event;
	struct span data = SPAN("data: x\n\n");
	(void)state;
	memset(comment, 'c', 1000);
	comment[0] = ':';
	comment[999] = '\n';
	sse_init(&parser, 2000);
	for (int i = 0; i < 200; i++) {
		struct span input = {comment, 1000};
		assert_int_equal(sse_next(&parser, &input, &event), SSE_MORE);
		assert_true(buf_len(&parser.between) <= SSE_BETWEEN_MOST);
	}
	assert_int_equal(sse_next(&parser, &data, &event), SSE_EVENT);
	assert_in_range(event.between, 1000, SSE_BETWEEN_MOST);
	assert_int_equal(event.between % 1000, 0);
	assert_true(span_is(event.data, "x"));
	sse_fini(&parser);
}

/* Much before an event in the same read, with little kept from the read before: nothing fails. */
static void too_much_before_an_event_is_dropped_with_what_was_kept(void **state)
{
	enum { BLANK = 100000 };
	struct sse_parser parser;
	struct sse_event event;
	struct span first = SPAN(": first\n");
	char *many = malloc(BLANK + 9);
	(void)state;
	assert_non_null(many);
	memset(many, '\n', BLANK);
	memcpy(many + BLANK, "data: x\n\n", 9);
	struct span rest = {many, BLANK + 9};
	sse_init(&parser, 1024);
	assert_int_equal(sse_next(&parser, &first, &event), SSE_MORE);
	assert_int_equal(sse_next(&parser, &rest, &event), SSE_EVENT);
	assert_true(span_is(event.data, "x"));
	assert_true(event.between <= SSE_BETWEEN_MOST);
	sse_fini(&parser);
	free(many);
}

/* What feeding in pieces of a size ends with. */
static enum sse_result result_in_pieces(struct span stream, size_t cap, size_t piece)
{
	struct sse_parser parser;
	struct buf out;
	enum sse_result result = SSE_MORE;
	buf_init(&out, 4096);
	buf_fini(&raws);
	buf_init(&raws, 1 << 20);
	sse_init(&parser, cap);
	for (size_t at = 0; at < stream.len && result == SSE_MORE; at += piece) {
		size_t size = piece < stream.len - at ? piece : stream.len - at;
		result = feed(&parser, (struct span){stream.at + at, size}, &out);
		assert_true(parser.kept.capacity <= (cap < 512 ? 512 : cap));
	}
	sse_fini(&parser);
	buf_fini(&out);
	return result;
}

static void the_cap_is_exact_however_the_input_is_cut(void **state)
{
	(void)state;
	static const struct {
		struct span stream;
		size_t size; /* of the largest block */
	} rows[] = {
	    {SPAN_INIT("data: x\n\ndata: 0123456789\n\ndata: x\n\n"), 18},
	    {SPAN_INIT("data: x\n\ndata: 0123456789"), 16},
	    {SPAN_INIT(": 01234567890123456789\n\ndata: x\n\n"), 23},
	    {SPAN_INIT("data: x\n: 0123456789\n\n"), 22},
	    {SPAN_INIT("data: a\r\ndata: 01234567\r\n\r\n"), 26},
	    {SPAN_INIT("event: 0123456789\n\n"), 19},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t piece = 1; piece <= rows[i].stream.len; piece++) {
			assert_int_equal(result_in_pieces(rows[i].stream, rows[i].size, piece), SSE_MORE);
			assert_int_equal(result_in_pieces(rows[i].stream, rows[i].size - 1, piece), SSE_TOO_LARGE);
		}
	}
}

static void a_parser_that_refused_stays_refusing(void **state)
{
	(void)state;
	struct sse_parser parser;
	struct buf out;
	buf_init(&out, 100);
	sse_init(&parser, 10);
	assert_int_equal(feed(&parser, SPAN("data: ok\n\ndata: 0123456789"), &out), SSE_TOO_LARGE);
	expect_events(&out, "|ok");
	assert_int_equal(feed(&parser, SPAN("\n\ndata: y\n\n"), &out), SSE_TOO_LARGE);
	expect_events(&out, "|ok");
	sse_fini(&parser);
	buf_fini(&out);
}

/* A backend that sends keep-alives without blank lines for hours must not fill the cap. */
static void keep_alive_comments_do_not_add_up(void **state)
{
	(void)state;
	struct sse_parser parser;
	struct buf out;
	buf_init(&out, 100);
	sse_init(&parser, 20);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(feed(&parser, SPAN(": keep"), &out), SSE_MORE);
		assert_int_equal(feed(&parser, SPAN("-alive\n: x\r"), &out), SSE_MORE);
	}
	feed(&parser, SPAN("data: x\n\n"), &out);
	expect_events(&out, "|x");
	sse_fini(&parser);
	buf_fini(&out);
}

static double seconds_for(struct span stream, size_t piece)
{
	clock_t start = clock();
	result_in_pieces(stream, 4 << 20, piece);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Each would take minutes if anything were searched twice. */
static void hostile_streams_cost_linear_time(void **state)
{
	(void)state;
	size_t size = 1 << 20;
	char *bytes = malloc(size);
	memset(bytes, 'x', size);
	assert_true(seconds_for((struct span){bytes, size}, 1) < 5);
	memset(bytes, '\r', size);
	assert_true(seconds_for((struct span){bytes, size}, size) < 5);
	for (size_t i = 0; i < size; i++)
		bytes[i] = "a\r"[i % 2];
	assert_true(seconds_for((struct span){bytes, size}, size) < 5);
	assert_true(seconds_for((struct span){bytes, size}, 3) < 5);
	for (size_t i = 0; i < size; i++)
		bytes[i] = "id\r\r"[i % 4];
	assert_true(seconds_for((struct span){bytes, size}, size) < 5);
	memset(bytes, '\t', size);
	assert_true(seconds_for((struct span){bytes, size}, size) < 5);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_nasty_stream_gives_its_events_at_once),
	    cmocka_unit_test(every_split_gives_the_same_events),
	    cmocka_unit_test(random_splits_give_the_same_events),
	    cmocka_unit_test(a_whole_event_is_not_copied),
	    cmocka_unit_test(what_stands_between_goes_with_the_next_event),
	    cmocka_unit_test(of_too_much_between_the_older_is_dropped),
	    cmocka_unit_test(too_much_before_an_event_is_dropped_with_what_was_kept),
	    cmocka_unit_test(the_cap_is_exact_however_the_input_is_cut),
	    cmocka_unit_test(a_parser_that_refused_stays_refusing),
	    cmocka_unit_test(keep_alive_comments_do_not_add_up),
	    cmocka_unit_test(hostile_streams_cost_linear_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
