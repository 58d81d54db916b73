/* SPDX-License-Identifier: MIT */
/* Events for other replicas: what was written is read, and any bytes may be asked about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/random.h"
#include "schemas/openai/dialect.h"
#include "service/flights/flight_wire.h"

static const struct config_backend backend = {.dialect = "openai"};
static const struct config_plan large = {.target = "b/large", .backend = &backend};
static const struct config_plan small = {.target = "a/small", .backend = &backend};
static const struct config_plan *const children[] = {&large, &small};
static const struct config_plan plan = {.combinator = "fallback", .children = children, .child_count = 2};

static struct buf bytes;
static struct flight_wire wire;

static int set_up(void **state)
{
	(void)state;
	buf_init(&bytes, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&bytes);
	return 0;
}

static const struct event *passed(const struct event *event)
{
	buf_reset(&bytes);
	flight_wire_write(event, 41, &bytes);
	assert_false(buf_failed(&bytes));
	assert_true(flight_wire_read(buf_span(&bytes), &plan, &openai_dialect, &wire));
	assert_int_equal(wire.number, 41);
	assert_int_equal(wire.event.kind, event->kind);
	return &wire.event;
}

static void assert_span(struct span got, struct span want)
{
	assert_true(span_equal(got, want));
	assert_int_equal(got.at == NULL, want.at == NULL);
}

static struct event a_chunk(void)
{
	static const char raw[] = "data: {\"a\":1}\n\n";
	return (struct event){.kind = EVENT_CHUNK,
			      .target = &small,
			      .carries = CARRIES_CONTENT | CARRIES_NO_CHOICE,
			      .data = {raw + 6, 7},
			      .raw = {raw, sizeof(raw) - 1},
			      .total = -1,
			      .joined = true,
			      .usage = {12, -1, INT64_MAX, -1, -1}};
}

static void a_chunk_keeps_its_raw_bytes_and_the_data_within(void **state)
{
	struct event event = a_chunk();
	(void)state;
	const struct event *got = passed(&event);
	assert_ptr_equal(got->target, &small);
	assert_int_equal(got->carries, event.carries);
	assert_span(got->raw, event.raw);
	assert_span(got->data, event.data);
	assert_true(got->data.at == got->raw.at + 6);
	assert_int_equal(got->total, -1);
	assert_true(got->joined);
	assert_false(got->gathered);
	assert_memory_equal(&got->usage, &event.usage, sizeof(struct usage));
}

static void data_without_raw_bytes_and_absent_texts(void **state)
{
	struct event chunk = {.kind = EVENT_CHUNK, .data = SPAN("{}"), .gathered = true};
	struct event body = {.kind = EVENT_BODY, .data = SPAN(""), .total = 1 << 30};
	struct event end = {.kind = EVENT_END};
	(void)state;
	const struct event *got = passed(&chunk);
	assert_span(got->data, SPAN("{}"));
	assert_span(got->raw, (struct span){NULL, 0});
	assert_null(got->target);
	assert_true(got->gathered);
	got = passed(&body);
	assert_span(got->data, SPAN(""));
	assert_int_equal(got->total, 1 << 30);
	got = passed(&end);
	assert_span(got->data, (struct span){NULL, 0});
}

static void a_failure_tells_all_that_a_client_is_told(void **state)
{
	struct cause second = {
	    .loc = SPAN("[\"plan\",1,\"a/small\"]"), .message = SPAN("two"), .code = ERROR_UPSTREAM_DNS};
	struct cause first = {.next = &second,
			      .loc = SPAN("[\"plan\",0,\"b/large\"]"),
			      .message = SPAN("one"),
			      .code = ERROR_UPSTREAM_RESET};
	struct failure failure = {.code = ERROR_UPSTREAM_BUSY,
				  .status = 429,
				  .retryable = true,
				  .should_retry = true,
				  .message = SPAN("slow down"),
				  .body = SPAN("{\"error\":{}}"),
				  .retry_after = SPAN("7"),
				  .target = &large,
				  .causes = &first};
	struct event event = {.kind = EVENT_ERROR, .failure = &failure};
	(void)state;
	const struct failure *got = passed(&event)->failure;
	assert_int_equal(got->code, ERROR_UPSTREAM_BUSY);
	assert_int_equal(got->status, 429);
	assert_true(got->retryable && got->should_retry && !got->refused);
	assert_span(got->message, failure.message);
	assert_span(got->param, (struct span){NULL, 0});
	assert_span(got->body, failure.body);
	assert_span(got->retry_after, failure.retry_after);
	assert_ptr_equal(got->target, &large);
	assert_null(got->causes);
	assert_true(strstr(got->details.at, "two") != NULL && got->details.at[0] == '[');
}

static void a_target_that_is_not_in_the_plan_counts_as_several(void **state)
{
	static const struct config_plan other = {.target = "c/other", .backend = &backend};
	struct event event = a_chunk();
	(void)state;
	event.target = &other;
	assert_null(passed(&event)->target);
}

static void other_versions_and_every_cut_are_refused(void **state)
{
	struct event event = a_chunk();
	(void)state;
	passed(&event);
	struct span span = buf_span(&bytes);
	for (size_t len = 0; len < span.len; len++)
		assert_false(flight_wire_read((struct span){span.at, len}, &plan, &openai_dialect, &wire));
	((char *)(uintptr_t)span.at)[0]++;
	assert_false(flight_wire_read(span, &plan, &openai_dialect, &wire));
	((char *)(uintptr_t)span.at)[0]--;
	buf_append(&bytes, SPAN("x"));
	assert_false(flight_wire_read(buf_span(&bytes), &plan, &openai_dialect, &wire));
}

/* Under the sanitizers: nothing is read outside of what came. */
static void noise_leads_nowhere(void **state)
{
	struct event event = a_chunk();
	(void)state;
	for (int round = 0; round < 20000; round++) {
		passed(&event);
		size_t len = buf_len(&bytes);
		char *copy = malloc(len);
		memcpy(copy, buf_span(&bytes).at, len);
		for (int i = 0; i < 3; i++)
			copy[1 + random_u64() % (len - 1)] = (char)random_u64();
		if (flight_wire_read((struct span){copy, len}, &plan, &openai_dialect, &wire) &&
		    wire.event.data.at != NULL)
			assert_true(wire.event.data.at >= copy &&
				    wire.event.data.at + wire.event.data.len <= copy + len);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_chunk_keeps_its_raw_bytes_and_the_data_within, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(data_without_raw_bytes_and_absent_texts, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_failure_tells_all_that_a_client_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_target_that_is_not_in_the_plan_counts_as_several, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(other_versions_and_every_cut_are_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(noise_leads_nowhere, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
