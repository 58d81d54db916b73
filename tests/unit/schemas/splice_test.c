/* SPDX-License-Identifier: MIT */
/*
 * A property of every request that the tables accept: what a target is sent is
 * the client's own bytes but for the model's name and, where usage is asked
 * for, stream_options.include_usage. The expected bytes are put together here
 * from where the generator wrote those members, not by the code under test.
 */
#include "tests/generate/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "schemas/openai/request.h"

enum { DOCUMENTS = 20000, DOCUMENT_MOST = 1 << 20 };

struct place {
	size_t start, end; /* in the document; 0, 0 = not there */
};

/* Where the members stand that a splice may touch. */
struct places {
	struct place model, stream, options, usage, inner_usage;
};

static struct buf document, expected, spliced;
static struct places places;

static void on_member(void *context, unsigned depth, const char *name, size_t start, size_t end)
{
	struct place place = {start, end};
	(void)context;
	if (depth == 2 && strcmp(name, "include_usage") == 0)
		places.inner_usage = place; /* of the member that ends next at depth 1 */
	if (depth != 1)
		return;
	if (strcmp(name, "model") == 0) {
		places.model = place;
	} else if (strcmp(name, "stream") == 0) {
		places.stream = place;
	} else if (strcmp(name, "stream_options") == 0) {
		places.options = place;
		places.usage = places.inner_usage;
	}
	places.inner_usage = (struct place){0, 0};
}

static struct span text_at(struct place place)
{
	return (struct span){buf_span(&document).at + place.start, place.end - place.start};
}

static void copy_to(size_t *from, size_t to)
{
	buf_append(&expected, (struct span){buf_span(&document).at + *from, to - *from});
	*from = to;
}

static void expect_model(size_t *from, bool add_options)
{
	copy_to(from, places.model.start);
	buf_append(&expected, SPAN("\"the \\\"target\\\"\""));
	if (add_options)
		buf_append(&expected, SPAN(",\"stream_options\":{\"include_usage\":true}"));
	*from = places.model.end;
}

static void expect_options(size_t *from)
{
	bool empty = true;
	if (span_is(text_at(places.options), "null")) {
		copy_to(from, places.options.start);
		buf_append(&expected, SPAN("{\"include_usage\":true}"));
		*from = places.options.end;
	} else if (places.usage.end != 0) {
		copy_to(from, places.usage.start);
		buf_append(&expected, SPAN("true"));
		*from = places.usage.end;
	} else {
		copy_to(from, places.options.start + 1);
		for (size_t i = *from; i < places.options.end - 1; i++)
			empty = empty && strchr(" \t\r\n", buf_span(&document).at[i]) != NULL;
		buf_append(&expected, empty ? SPAN("\"include_usage\":true") : SPAN("\"include_usage\":true,"));
	}
}

static void expect_splice(bool ask_usage)
{
	size_t from = 0;
	bool asked = places.usage.end != 0 && span_is(text_at(places.usage), "true");
	bool ask = ask_usage && places.stream.end != 0 && span_is(text_at(places.stream), "true") && !asked;
	bool there = places.options.end != 0;
	buf_reset(&expected);
	if (ask && there && places.options.start < places.model.start)
		expect_options(&from);
	expect_model(&from, ask && !there);
	if (ask && there && places.options.start > places.model.start)
		expect_options(&from);
	copy_to(&from, buf_len(&document));
}

static void check_document(enum endpoint endpoint, struct generator *g)
{
	struct request request;
	struct findings findings;
	struct arena arena;
	uint64_t seed = g->state;
	arena_init(&arena, 0);
	buf_reset(&document);
	places = (struct places){0};
	generate_space(g);
	generate_object(g, openai_request_fields(endpoint), NULL);
	generate_space(g);
	if (!openai_request_decode(&request, endpoint, &arena, buf_span(&document), &JSON_DEPTH(64), &findings))
		fail_msg("seed %" PRIu64 ": %.*s is refused: %.*s", seed, SPAN_ARG(buf_span(&document)),
			 SPAN_ARG(findings.list[0].message));
	for (int ask = 0; ask < 2; ask++) {
		bool ask_usage = ask != 0 && endpoint != ENDPOINT_EMBEDDINGS;
		expect_splice(ask_usage);
		buf_reset(&spliced);
		const struct request_splice splice = {.model = SPAN("the \"target\""), .ask_usage = ask_usage};
		buf_append(&spliced, openai_request_splice(&request, &splice, &spliced));
		if (!span_equal(buf_span(&spliced), buf_span(&expected)))
			fail_msg("seed %" PRIu64 ":\n got %.*s\nwant %.*s", seed, SPAN_ARG(buf_span(&spliced)),
				 SPAN_ARG(buf_span(&expected)));
	}
	arena_fini(&arena);
}

static void check_endpoint(enum endpoint endpoint)
{
	const char *seed = getenv("SLUICE_SEED");
	struct generator g = {.state = seed == NULL ? (uint64_t)time(NULL) << 1 | 1 : strtoull(seed, NULL, 10),
			      .out = &document,
			      .on_member = on_member};
	print_message("SLUICE_SEED=%" PRIu64 "\n", g.state);
	for (size_t i = 0; i < DOCUMENTS; i++)
		check_document(endpoint, &g);
}

static void chat_requests_reach_a_target_byte_by_byte(void **state)
{
	(void)state;
	check_endpoint(ENDPOINT_CHAT);
}

static void completion_requests_reach_a_target_byte_by_byte(void **state)
{
	(void)state;
	check_endpoint(ENDPOINT_COMPLETIONS);
}

static void embedding_requests_reach_a_target_byte_by_byte(void **state)
{
	(void)state;
	check_endpoint(ENDPOINT_EMBEDDINGS);
}

static int setup(void **state)
{
	(void)state;
	buf_init(&document, DOCUMENT_MOST);
	buf_init(&expected, DOCUMENT_MOST);
	buf_init(&spliced, DOCUMENT_MOST);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&document);
	buf_fini(&expected);
	buf_fini(&spliced);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chat_requests_reach_a_target_byte_by_byte),
	    cmocka_unit_test(completion_requests_reach_a_target_byte_by_byte),
	    cmocka_unit_test(embedding_requests_reach_a_target_byte_by_byte),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
