/* SPDX-License-Identifier: MIT */
/*
 * What a bad backend can cost: rows 14, 15 and 18 of the fault table. A line
 * without end and a compressed bomb must not cost memory; bytes that dribble
 * must not keep a dead stream alive.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum { GROWTH_MOST = 16 << 20, ROUNDS = 5 };

/* The high-water mark of a program's memory, bytes. */
static size_t peak_rss(const struct proc *proc)
{
	char path[64];
	size_t kilobytes = 0;
	struct bytes text = {0};
	snprintf(path, sizeof path, "/proc/%d/status", (int)proc->pid);
	assert_true(bytes_read_file(&text, path));
	const char *line = strstr(bytes_text(&text), "VmHWM:");
	assert_non_null(line);
	assert_int_equal(sscanf(line, "VmHWM: %zu", &kilobytes), 1);
	bytes_free(&text);
	return kilobytes * 1024;
}

static struct sluice *start(const struct sim *sim)
{
	return sluice_start(
	    "backends:\n"
	    "  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "  hasty: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false }, timeouts: { idle: 300ms } }\n"
	    "limits: { event: 1MiB }\n"
	    "models:\n"
	    "  good: sim/count;tokens=5\n"
	    "  line: sim/count;long_line;bytes=100m\n"
	    "  bomb: sim/count;gzip_bomb;bytes=4m\n"
	    "  dribble: hasty/count;slow_bytes;itl=1ms;tokens=20;token_bytes=2000\n",
	    sim->port, sim->port);
}

/* Runs rounds of one bad model on every way in; memory never rises far above where a good answer left it. */
static void check_bounded(const char *model, const char *code)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim);
	struct answer answer;
	client_fetch_chat(sluice, VIA_H1, "good", true, &answer);
	answer_free(&answer);
	size_t before = peak_rss(sluice->proc);
	for (int round = 0; round < ROUNDS; round++) {
		for (enum via via = 0; via < VIA_COUNT; via++) {
			client_fetch_chat(sluice, via, model, true, &answer);
			if (answer.status == 200)
				check_sse_error(&answer.body, code);
			else
				check_error(&answer, 502, code);
			answer_free(&answer);
		}
	}
	check_memory(model, before, peak_rss(sluice->proc), GROWTH_MOST);
	sim_wait_idle(sim);
	sluice_wait_base(sluice);
}

static void row_14_a_line_of_100_mb_does_not_cost_memory(void **state)
{
	(void)state;
	check_bounded("line", "upstream_too_large");
}

static void row_18_a_bomb_does_not_cost_memory(void **state)
{
	(void)state;
	check_bounded("bomb", "upstream_encoding");
}

/*
 * One byte each millisecond: an event takes two seconds, the idle limit is 300
 * ms. The backend is never silent, and must be found idle all the same.
 */
static void row_15_only_complete_events_reset_the_idle_timer(void **state)
{
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = start(sim);
	(void)state;
	for (enum via via = VIA_H1; via <= VIA_H2; via += VIA_H2) {
		struct answer answer;
		client_fetch_chat(sluice, via, "dribble", true, &answer);
		assert_int_equal(answer.status, 200);
		check_sse_error(&answer.body, "upstream_idle");
		answer_free(&answer);
	}
	sim_wait_idle(sim);
	sluice_wait_base(sluice);
}

/* Headers without end: curl alone would read on for ever. */
static void row_20_headers_without_end_are_cut(void **state)
{
	static const struct step script[] = {SEND("HTTP/1.1 200 OK\r\n"),
					     FLOOD("X-More: 0123456789012345678901\r\n", 1000000), SCRIPT_END};
	struct backend *backend = backend_start();
	struct answer answer;
	(void)state;
	backend_script(backend, script);
	struct sluice *sluice = sluice_start(
	    "backends:\n  b: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\nmodels:\n  m: b/m\n",
	    backend_port(backend));
	for (enum via via = 0; via < VIA_COUNT; via++) {
		client_fetch_chat(sluice, via, "m", true, &answer);
		check_error(&answer, 502, "upstream_protocol");
		answer_free(&answer);
		backend_wait_left(backend, via);
	}
	sluice_wait_base(sluice);
}

/*
 * An event of a million values, in few bytes: everybody who handles it reads it within a turn. Six of them, and the
 * breaker is closed still, since the backend works.
 */
static void an_event_of_too_many_values_is_refused_and_no_failure_of_the_backend(void **state)
{
	enum { VALUES = 1000000 };
	struct bytes wire = {0};
	struct backend *backend = backend_start();
	struct sluice *sluice = sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: b/m\n",
					     backend_port(backend));
	(void)state;
	bytes_printf(&wire, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
			    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"x\":[0");
	for (int i = 1; i < VALUES; i++)
		bytes_append(&wire, ",0", 2);
	bytes_printf(&wire, "]}}]}\n\n");
	backend_script(backend, (const struct step[]){SEND_BYTES(wire.at, wire.len), FIN});
	for (int i = 0; i < 6; i++) {
		struct answer answer;
		client_fetch_chat(sluice, (enum via)(i % VIA_COUNT), "m", true, &answer);
		check_error(&answer, 502, "upstream_too_large");
		check_contains(&answer.body, "at most 131072 values");
		answer_free(&answer);
	}
	assert_int_equal(sluice_metric(sluice, "sluice_breaker_state{target=\"b/m\"}"), 0);
	bytes_free(&wire);
	sluice_wait_base(sluice);
}

/* A stream in answer to a request for a whole answer, larger than one may be: nothing is wrong with the backend. */
static void a_stream_that_is_too_large_to_be_converted_is_no_failure_of_the_backend(void **state)
{
	struct bytes wire = {0};
	struct backend *backend = backend_start();
	struct sluice *sluice =
	    sluice_start("limits: { event: 64KiB }\n"
			 "backends:\n  b: { url: 'http://127.0.0.1:%d/v1', breaker: { consecutive: 3 } }\n"
			 "models:\n  m: b/m\n",
			 backend_port(backend));
	(void)state;
	bytes_printf(&wire, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
	for (int i = 0; i < 100; i++)
		bytes_printf(&wire, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%01000d\"}}]}\n\n", i);
	bytes_printf(&wire, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
			    "data: [DONE]\n\n");
	backend_script(backend, (const struct step[]){SEND_BYTES(wire.at, wire.len), FIN});
	for (int i = 0; i < 6; i++) {
		struct answer answer;
		client_fetch_chat(sluice, (enum via)(i % VIA_COUNT), "m", false, &answer);
		check_error(&answer, 502, "upstream_too_large");
		check_contains(&answer.body, "limits.event: 65536 bytes");
		answer_free(&answer);
	}
	assert_int_equal(sluice_metric(sluice, "sluice_breaker_state{target=\"b/m\"}"), 0);
	bytes_free(&wire);
	sluice_wait_base(sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(row_14_a_line_of_100_mb_does_not_cost_memory),
	    SCENARIO(row_18_a_bomb_does_not_cost_memory),
	    SCENARIO(row_15_only_complete_events_reset_the_idle_timer),
	    SCENARIO(an_event_of_too_many_values_is_refused_and_no_failure_of_the_backend),
	    SCENARIO(a_stream_that_is_too_large_to_be_converted_is_no_failure_of_the_backend),
	    SCENARIO(row_20_headers_without_end_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
