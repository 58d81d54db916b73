/* SPDX-License-Identifier: MIT */
/* Answers that pass in pieces of every size, judged as the reader of kept answers judges them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/openai/answer_read.h"
#include "schemas/openai/failure_scan.h"

#define CHAT(choice) "{\"id\":\"x\",\"choices\":[" choice "],\"usage\":{\"error\":1}}"
#define SAID(more)                                                                                             \
	"{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a \\\"}\"" more "},\"finish_reason\":" \
	"\"stop\"}"

struct row {
	enum endpoint endpoint;
	const char *text;
};

static const struct row fine[] = {
    {ENDPOINT_CHAT, CHAT(SAID(""))},
    {ENDPOINT_CHAT, CHAT("{\"finish_reason\":null,\"error\":null,\"message\":{\"content\":\"error\"}}")},
    {ENDPOINT_CHAT, CHAT("{\"error\":\"\",\"message\":{\"error\":0,\"content\":\"x\"},\"finish_reason\":\"length\"}")},
    {ENDPOINT_CHAT, CHAT(SAID(",\"tool_calls\":[{\"error\":true,\"finish_reason\":\"error\"}]"))},
    {ENDPOINT_CHAT, CHAT(SAID("") "," SAID(""))},
    {ENDPOINT_CHAT, CHAT("{\"message\":{\"content\":\"x\"},\"err\\u00f6r\":true,\"finish_reason\":\"st\\u00f6p\\n\"}")},
    {ENDPOINT_CHAT, "{\"error\":false,\"choices\":[" SAID("") "]}"},
    {ENDPOINT_CHAT, "{\"detail\":{\"error\":{\"message\":\"deeper\"}},\"choices\":[" SAID("") "]}"},
    {ENDPOINT_COMPLETIONS, "{\"choices\":[{\"text\":\"error\",\"finish_reason\":\"stop\"}]}"},
    {ENDPOINT_EMBEDDINGS, "{\"data\":[{\"embedding\":[1,2],\"error\":1}],\"model\":\"m\"}"},
};

static const struct row failed[] = {
    {ENDPOINT_CHAT, CHAT("{\"message\":{\"content\":\"x\"},\"finish_reason\":\"error\"}")},
    {ENDPOINT_CHAT, CHAT("{\"finish_reason\" : \"abort\" ,\"message\":{\"content\":\"x\"}}")},
    {ENDPOINT_CHAT, CHAT(SAID("") ",{\"error\":{},\"message\":{\"content\":\"x\"}}")},
    {ENDPOINT_CHAT, CHAT("{\"error\":true,\"message\":{\"content\":\"x\"}}")},
    {ENDPOINT_CHAT, CHAT("{\"error\":\"out of memory, and more words than anybody needs\",\"message\":{}}")},
    {ENDPOINT_CHAT, CHAT(SAID(",\"error\":{\"code\":500}"))},
    {ENDPOINT_CHAT, CHAT("{\"delta\":{\"error\":1},\"message\":{\"content\":\"x\"}}")},
    {ENDPOINT_CHAT, "{\"choices\":[" SAID("") "],\"error\":{\"message\":\"late\"}}"},
    {ENDPOINT_COMPLETIONS, "{\"choices\":[{\"text\":\"x\",\"finish_reason\":\"error\"}]}"},
    {ENDPOINT_CHAT, CHAT("{\"message\":{\"content\":\"x\"},\"finish_reason\":\"\\u0065r\\u0072or\"}")},
    {ENDPOINT_CHAT, CHAT("{\"message\":{\"content\":\"x\"},\"\\u0065rror\":true}")},
    {ENDPOINT_CHAT, CHAT("{\"message\":{\"content\":\"x\"},\"\\u0066\\u0069\\u006e\\u0069\\u0073\\u0068\\u005f\\u0072"
			 "\\u0065\\u0061\\u0073\\u006f\\u006e\":\"error\"}")},
    {ENDPOINT_EMBEDDINGS, "{\"data\":[{\"embedding\":[1,2]}],\"error\":\"no\"}"},
};

static enum watch_step watch_in_pieces(struct openai_failure_scan *watch, const struct row *row, size_t piece)
{
	struct span all = span_of(row->text);
	enum watch_step watched = WATCH_FINE;
	openai_failure_scan_init(watch, row->endpoint);
	for (size_t at = 0; at < all.len && watched == WATCH_FINE; at += piece) {
		size_t len = all.len - at < piece ? all.len - at : piece;
		watched = openai_failure_scan_add(watch, (struct span){all.at + at, len});
	}
	return watched;
}

/* Returns whether the reader of kept answers finds a failure. */
static bool reader_finds_failure(const struct row *row)
{
	struct answer_reading answer;
	struct arena arena;
	arena_init(&arena, 0);
	assert_true(openai_answer_read(row->endpoint, span_of(row->text), &arena, &answer));
	bool found = (answer.carries & CARRIES_ERROR) != 0;
	arena_fini(&arena);
	return found;
}

static void a_good_answer_passes_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		assert_false(reader_finds_failure(&fine[i]));
		for (size_t piece = 1; piece <= strlen(fine[i].text); piece++) {
			struct openai_failure_scan watch;
			if (watch_in_pieces(&watch, &fine[i], piece) != WATCH_FINE ||
			    openai_failure_scan_end(&watch) != WATCH_FINE)
				fail_msg("%s in pieces of %zu", fine[i].text, piece);
		}
	}
}

static void a_failure_is_seen_wherever_the_reader_of_kept_answers_sees_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failed) / sizeof(failed[0]); i++) {
		assert_true(reader_finds_failure(&failed[i]));
		for (size_t piece = 1; piece <= strlen(failed[i].text); piece++) {
			struct openai_failure_scan watch;
			if (watch_in_pieces(&watch, &failed[i], piece) != WATCH_FAILED)
				fail_msg("%s in pieces of %zu", failed[i].text, piece);
		}
	}
}

static void an_answer_without_choices_or_without_its_end_is_not_whole(void **state)
{
	static const char *const texts[] = {"{\"choices\":[]}", "{\"object\":\"x\"}", "[{\"choices\":[{}]}]",
					    "{\"choices\":[{}]", "{\"other\":{\"choices\":[{}]}}"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct openai_failure_scan watch;
		struct row row = {ENDPOINT_CHAT, texts[i]};
		assert_int_equal(watch_in_pieces(&watch, &row, 3), WATCH_FINE);
		if (openai_failure_scan_end(&watch) == WATCH_FINE)
			fail_msg("%s", texts[i]);
	}
}

static void what_is_no_document_is_broken(void **state)
{
	struct openai_failure_scan watch;
	(void)state;
	openai_failure_scan_init(&watch, ENDPOINT_CHAT);
	assert_int_equal(openai_failure_scan_add(&watch, SPAN("{]")), WATCH_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_answer_passes_in_pieces_of_any_size),
	    cmocka_unit_test(a_failure_is_seen_wherever_the_reader_of_kept_answers_sees_it),
	    cmocka_unit_test(an_answer_without_choices_or_without_its_end_is_not_whole),
	    cmocka_unit_test(what_is_no_document_is_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
