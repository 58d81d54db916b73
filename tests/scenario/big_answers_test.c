/* SPDX-License-Identifier: MIT */
/*
 * Whole answers of half a MiB to one MiB arrive complete and byte for byte. They
 * once became 502: an answer that was a little larger than what had been
 * reserved for reading it was taken for one that can't be understood.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

static const size_t sizes[] = {(512 << 10) - 1, 512 << 10, (512 << 10) + 1, 700000, 1000000, (1 << 20) - 1, 1 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Fills text up to size with numbered words, so that what is lost, doubled or moved is seen. */
static void fill(struct bytes *text, size_t size)
{
	for (unsigned i = 0; text->len < size; i++) {
		char word[16];
		size_t len = (size_t)snprintf(word, sizeof word, "%u ", i);
		bytes_append(text, word, len < size - text->len ? len : size - text->len);
	}
}

/* An answer of exactly size bytes, most of it one string. */
static void write_long_text(struct bytes *text, size_t size)
{
	static const char tail[] = "\"},\"finish_reason\":\"stop\"}]}";
	bytes_printf(text, "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{"
			   "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
	fill(text, size - strlen(tail));
	bytes_printf(text, "%s", tail);
}

/* An answer of exactly size bytes, most of it small values, which cost a reader the most. */
static void write_many_values(struct bytes *text, size_t size)
{
	static const char tail[] = "0]}";
	bytes_printf(text, "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{"
			   "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"x\"},"
			   "\"finish_reason\":\"stop\"}],\"x_values\":[");
	while (text->len + 2 <= size - strlen(tail))
		bytes_printf(text, "%zu,", text->len % 10);
	bytes_printf(text, "%s%s", text->len + strlen(tail) < size ? " " : "", tail);
}

/* The backend sends text with its length, or in chunks of 64 KiB. */
static void script_answer(struct backend *backend, const struct bytes *text, bool chunked)
{
	struct bytes wire = {0};
	bytes_printf(&wire, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n");
	if (!chunked)
		bytes_printf(&wire, "Content-Length: %zu\r\n", text->len);
	bytes_printf(&wire, chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
	for (size_t at = 0, len; at < text->len; at += len) {
		len = !chunked || text->len - at < 65536 ? text->len - at : 65536;
		if (chunked)
			bytes_printf(&wire, "%zx\r\n", len);
		bytes_append(&wire, text->at + at, len);
		if (chunked)
			bytes_printf(&wire, "\r\n");
	}
	if (chunked)
		bytes_printf(&wire, "0\r\n\r\n");
	backend_script(backend, (const struct step[]){SEND_BYTES(wire.at, wire.len), FIN});
	bytes_free(&wire);
}

static void check_sizes(void (*write)(struct bytes *text, size_t size), bool chunked)
{
	struct backend *backend = backend_start();
	struct sluice *sluice = sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: b/m\n",
					     backend_port(backend));
	for (size_t i = 0; i < SIZES; i++) {
		struct bytes text = {0};
		write(&text, sizes[i]);
		assert_int_equal(text.len, sizes[i]);
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer answer;
			script_answer(backend, &text, chunked);
			client_fetch_chat(sluice, via, "m", false, &answer);
			if (answer.status != 200 || !answer.ended)
				fail_msg("%zu bytes over %s: status %d, %s: %.300s", sizes[i], via_name(via),
					 answer.status, answer.ended ? "ended" : "cut", bytes_text(&answer.body));
			check_same(answer.body.at, answer.body.len, text.at, text.len);
			answer_free(&answer);
		}
		bytes_free(&text);
	}
	sluice_wait_idle(sluice);
}

static void a_long_text_with_its_length_arrives_byte_for_byte(void **state)
{
	(void)state;
	check_sizes(write_long_text, false);
}

static void a_long_text_in_chunks_arrives_byte_for_byte(void **state)
{
	(void)state;
	check_sizes(write_long_text, true);
}

static void many_small_values_arrive_byte_for_byte(void **state)
{
	(void)state;
	check_sizes(write_many_values, false);
}

/* Asks in every way for an answer that is no good and too long to be kept: its client must see that it is cut. */
static void check_cut(const struct bytes *text, const char *error)
{
	struct backend *backend = backend_start();
	struct sluice *sluice = sluice_start(
	    "backends:\n  b: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\nmodels:\n  m: b/m\n",
	    backend_port(backend));
	for (int chunked = 0; chunked < 2; chunked++) {
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer answer;
			script_answer(backend, text, chunked);
			client_fetch_chat(sluice, via, "m", false, &answer);
			assert_int_equal(answer.status, 200);
			assert_false(answer.ended);
			assert_true(answer.body.len < text->len || chunked);
			answer_free(&answer);
		}
	}
	assert_true(sluice_errors(sluice, error) == 2 * VIA_COUNT);
	sluice_wait_idle(sluice);
}

/* All bytes that were announced came, and are no whole document: a client must not take them for one. */
static void an_answer_that_never_closes_falls_short_of_its_length(void **state)
{
	struct bytes text = {0};
	(void)state;
	write_long_text(&text, 3 << 20);
	text.len--;
	check_cut(&text, "upstream_truncated");
	bytes_free(&text);
}

/* The failure comes with the last bytes, after most of the answer was relayed. */
static void a_long_answer_that_ends_in_a_failure_is_cut_before_its_end(void **state)
{
	static const char *const ends[] = {
	    "\"},\"finish_reason\":\"error\"}]}",
	    "\"},\"finish_reason\":\"stop\",\"error\":{\"message\":\"out of memory\"}}]}",
	    "\",\"error\":\"out of memory\"},\"finish_reason\":\"stop\"}]}",
	    "\"},\"finish_reason\":\"stop\"}],\"error\":{\"message\":\"out of memory\"}}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct bytes text = {0};
		write_long_text(&text, 3 << 20);
		text.len -= strlen("\"},\"finish_reason\":\"stop\"}]}");
		bytes_append(&text, ends[i], strlen(ends[i]));
		check_cut(&text, "upstream_error");
		bytes_free(&text);
	}
}

/* A failure that is told before anything was relayed: another target answers. */
static void a_long_answer_that_begins_with_a_failure_is_replaced_by_another_target(void **state)
{
	struct backend *failing = backend_start(), *good = backend_start();
	struct bytes bad = {0}, text = {0};
	(void)state;
	struct sluice *sluice = sluice_start("backends:\n  a: { url: 'http://127.0.0.1:%d/v1' }\n"
					     "  b: { url: 'http://127.0.0.1:%d/v1' }\n"
					     "models:\n  m: { fallback: [a/m, b/m] }\n",
					     backend_port(failing), backend_port(good));
	bytes_printf(&bad, "{\"choices\":[{\"index\":0,\"finish_reason\":\"abort\",\"message\":{\"content\":\"");
	fill(&bad, 2 << 20);
	bytes_printf(&bad, "\"}}]}");
	write_long_text(&text, 2 << 20);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		script_answer(failing, &bad, false);
		script_answer(good, &text, false);
		client_fetch_chat(sluice, via, "m", false, &answer);
		assert_int_equal(answer.status, 200);
		assert_true(answer.ended);
		check_same(answer.body.at, answer.body.len, text.at, text.len);
		answer_free(&answer);
	}
	bytes_free(&bad);
	bytes_free(&text);
	sluice_wait_idle(sluice);
}

/* The words and the kind of the failure are those of the answer, although it is too long to be kept. */
static void a_long_answer_that_begins_with_a_failure_fails_for_its_own_reason(void **state)
{
	static const char *const errors[] = {
	    "{\"error\":{\"message\":\"This model's maximum context length is 4096 tokens.\",\"type\":"
	    "\"invalid_request_error\",\"code\":\"context_length_exceeded\"},\"x\":[",
	    "{\"choices\":[{\"index\":0,\"finish_reason\":\"error\",\"error\":{\"message\":"
	    "\"This model's maximum context length is 4096 tokens.\",\"code\":\"context_length_exceeded\"}}],\"x\":[",
	};
	struct backend *backend = backend_start();
	struct sluice *sluice = sluice_start(
	    "backends:\n  b: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\nmodels:\n  m: b/m\n",
	    backend_port(backend));
	(void)state;
	for (size_t i = 0; i < 2 * sizeof errors / sizeof *errors; i++) {
		struct bytes bad = {0};
		struct answer answer;
		bytes_printf(&bad, "%s", errors[i / 2]);
		if (i % 2 == 0) { /* one long value: it is read in the turn */
			bytes_printf(&bad, "\"");
			fill(&bad, 2 << 20);
			bytes_printf(&bad, "\"]}");
		} else { /* many: by a helper */
			while (bad.len < 2 << 20)
				bytes_printf(&bad, "1,");
			bytes_printf(&bad, "1]}");
		}
		script_answer(backend, &bad, i % 2 == 0);
		client_fetch_chat(sluice, VIA_H1, "m", false, &answer);
		assert_int_equal(answer.status, 400);
		check_contains(&answer.body, "maximum context length");
		check_contains(&answer.body, "context_length_exceeded");
		answer_free(&answer);
		bytes_free(&bad);
	}
	sluice_wait_idle(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_long_text_with_its_length_arrives_byte_for_byte),
	    SCENARIO(a_long_text_in_chunks_arrives_byte_for_byte),
	    SCENARIO(many_small_values_arrive_byte_for_byte),
	    SCENARIO(an_answer_that_never_closes_falls_short_of_its_length),
	    SCENARIO(a_long_answer_that_ends_in_a_failure_is_cut_before_its_end),
	    SCENARIO(a_long_answer_that_begins_with_a_failure_is_replaced_by_another_target),
	    SCENARIO(a_long_answer_that_begins_with_a_failure_fails_for_its_own_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
