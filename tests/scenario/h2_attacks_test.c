/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 clients that make the service work or hold memory for nothing, frame by
 * frame: rows 29 and 32 to 34 of the fault table, and the classes of
 * CVE-2023-44487 and CVE-2025-8671. Each is stopped, and a neighbour on another
 * connection is answered meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/frames.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

struct world {
	struct sim *sim;
	struct sluice *sluice;
	struct h1 neighbour;
	size_t rss; /* before the attack */
};

static void check_neighbour(struct world *world)
{
	h1_post(&world->neighbour, "/v1/chat/completions", "", chat_body("m", false));
	h1_wait_end(&world->neighbour);
	assert_int_equal(world->neighbour.answer.status, 200);
	h1_next(&world->neighbour);
}

static void start(struct world *world, const char *limits)
{
	*world = (struct world){.sim = sim_start(NULL)};
	world->sluice =
	    sluice_start_workers(1,
				 "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: sim/count\n"
				 "limits: { %s }\n",
				 world->sim->port, limits);
	h1_open(&world->neighbour, world->sluice->port, false);
	check_neighbour(world);
	sim_reset(world->sim);
	world->rss = proc_rss(world->sluice->proc);
}

static void finish(struct world *world)
{
	check_neighbour(world);
	h1_close(&world->neighbour);
	sluice_wait_idle(world->sluice);
	sluice_wait_rest(world->sluice, world->rss, 4 << 20);
}

/* Sends what put appends for each of ten further streams, and reads what is there. Returns how many streams there are
 * now. */
static unsigned repeat(struct frames *frames, unsigned count, void (*put)(struct bytes *text, unsigned id))
{
	struct bytes text = {0};
	for (unsigned end = count + 10; count < end; count++)
		put(&text, 2 * count + 1);
	frames_send(frames, &text);
	bytes_free(&text);
	frames_read(frames);
	return count;
}

/* The same until the peer closes: it allows so many a second, so a number alone would be a question of speed. */
static void repeat_until_closed(struct frames *frames, unsigned count, void (*put)(struct bytes *text, unsigned id))
{
	uint64_t until_us = clock_us() + (uint64_t)HANG_GUARD_MS * 1000;
	while (!frames->closed) {
		count = repeat(frames, count, put);
		if (clock_us() > until_us)
			fail_msg("%u were sent, and the connection is still open", count);
	}
}

static void check_calmed(struct frames *frames)
{
	frames_wait_closed(frames);
	assert_true(frames->goaway);
	assert_int_equal(frames->goaway_code, H2_ENHANCE_YOUR_CALM);
	frames_close(frames);
}

static void put_request_that_must_be_reset(struct bytes *text, unsigned id)
{
	const char *body = chat_body("m", false);
	frame_put_head(text, id, 0, "POST", "/v1/chat/completions", (long)strlen(body));
	frame_put(text, FRAME_DATA, FRAME_END_STREAM, id, body, strlen(body));
	frame_put_window(text, id, 0x7fffffff);
}

static void row_34_resets_that_the_peer_provokes_are_charged_and_reach_no_backend(void **state)
{
	enum { CALLS_MOST = 30 };
	struct world world;
	struct frames frames;
	(void)state;
	start(&world, "body: 1MiB");
	frames_open(&frames, world.sluice->port, 65535);
	repeat_until_closed(&frames, 0, put_request_that_must_be_reset);
	check_calmed(&frames);
	if (sim_call_count(world.sim, "") > CALLS_MOST)
		fail_msg("%u calls reached the backend", (unsigned)sim_call_count(world.sim, ""));
	finish(&world);
}

static void put_wrong_length(struct bytes *text, unsigned id)
{
	frame_put_head(text, id, 0, "POST", "/v1/chat/completions", 100);
	frame_put(text, FRAME_DATA, FRAME_END_STREAM, id, "{}", 2);
}

static void bodies_of_another_length_than_told_are_charged(void **state)
{
	struct world world;
	struct frames frames;
	(void)state;
	start(&world, "body: 1MiB");
	frames_open(&frames, world.sluice->port, 65535);
	repeat_until_closed(&frames, 0, put_wrong_length);
	check_calmed(&frames);
	assert_int_equal(sim_call_count(world.sim, ""), 0);
	finish(&world);
}

/* One field of 4,000 bytes into the table, then blocks of its index: each decodes to 64 MB. */
static void row_33_a_head_that_decodes_to_megabytes_ends_the_connection(void **state)
{
	enum { VALUE = 4000, INDICES = 16000, BLOCKS = 4096, TAKEN_MOST = 8 << 20 };
	static char value[VALUE], indices[INDICES];
	struct bytes block = {0}, text = {0}, bombs = {0};
	struct world world;
	struct frames frames;
	size_t sent = 0;
	(void)state;
	start(&world, "body: 1MiB");
	frames_open(&frames, world.sluice->port, 65535);
	memset(value, 'v', sizeof value);
	memset(indices, 0xbe, sizeof indices); /* index 62: the newest of the table */
	bytes_append(&block,
		     "\x82\x86\x84\x41\x01"
		     "a\x40\x01x\x7f\xa1\x1e",
		     12); /* GET http / a; x: 127 + 33 + 30 * 128 */
	bytes_append(&block, value, sizeof value);
	frame_put(&text, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, 1, block.at, block.len);
	frames_send(&frames, &text);
	frames_wait(&frames, FRAME_HEADERS, 1); /* an answer, of whatever status: the table holds the field */
	assert_false(frames.closed);
	for (unsigned i = 0; i < BLOCKS && !frames.closed; i++) {
		bombs.len = 0;
		frame_put(&bombs, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, 2 * i + 3, indices,
			  sizeof indices);
		if (frames_send(&frames, &bombs))
			sent += bombs.len;
		frames_read(&frames);
	}
	check_calmed(&frames);
	if (sent > TAKEN_MOST)
		fail_msg("%zu bytes of bombs were taken", sent);
	finish(&world);
	bytes_free(&block);
	bytes_free(&text);
	bytes_free(&bombs);
}

static void put_large_head(struct bytes *text, unsigned id)
{
	static char field[2 + 1 + 3 + 1400];
	struct bytes block = {0};
	bytes_append(&block,
		     "\x82\x86\x84\x41\x01"
		     "a",
		     6);
	memcpy(field, "\x00\x01x\x7f\xf9\x09", 6); /* x: 127 + 121 + 9 * 128 = 1400 bytes */
	memset(field + 6, 'v', 1400);
	bytes_append(&block, field, 6 + 1400);
	frame_put(text, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, id, block.at, block.len);
	bytes_free(&block);
}

static void heads_that_are_refused_for_their_size_are_charged(void **state)
{
	struct world world;
	struct frames frames;
	(void)state;
	start(&world, "header_list: 1KiB");
	frames_open(&frames, world.sluice->port, 65535);
	unsigned count = 0;
	while (count < 100)
		count = repeat(&frames, count, put_large_head);
	frames_wait(&frames, FRAME_HEADERS, count);
	assert_int_equal(frames.seen[FRAME_HEADERS], count); /* some are answered, each by 431 */
	repeat_until_closed(&frames, count, put_large_head);
	check_calmed(&frames);
	finish(&world);
}

/* Bodies without an end: what one connection can have in memory is bounded, and the end comes by 408 or 503. */
static void row_32_bodies_that_never_end_hold_bounded_memory_for_a_bounded_time(void **state)
{
	enum { STREAMS = 60, BODY = 3 << 20, MOST = 40 << 20 };
	struct world world;
	struct h2 h2;
	struct h2_stream *streams[STREAMS];
	(void)state;
	start(&world, "body_stall: 3s");
	check_neighbour(&world);
	size_t before = proc_rss(world.sluice->proc);
	char *body = malloc(BODY + 1);
	memset(body, ' ', BODY);
	body[BODY] = '\0';
	h2_open(&h2, world.sluice->port, 0);
	h2.silent = h2.withhold = true;
	for (int i = 0; i < STREAMS; i++)
		streams[i] = h2_post(&h2, "/v1/chat/completions", body);
	size_t peak = 0;
	while (streams[0]->answer.status == 0) {
		size_t rss = proc_rss(world.sluice->proc);
		peak = rss > peak ? rss : peak;
		check_neighbour(&world);
		h2_pump(&h2);
		wire_wait(&h2.wire, 20);
	}
	check_memory("bodies", before, peak, MOST);
	for (int i = 0; i < STREAMS; i++) {
		h2_wait_body(&h2, streams[i], 1);
		if (streams[i]->answer.status != 408 && streams[i]->answer.status != 503)
			fail_msg("stream %d: %d", i, streams[i]->answer.status);
	}
	assert_int_equal(streams[0]->answer.status, 408);
	check_error(&streams[0]->answer, 408, "request_timeout");
	h2_close(&h2);
	free(body);
	finish(&world);
}

/* Many bodies at once on one connection all arrive, though they have no room together. */
static void bodies_that_have_no_room_together_arrive_one_after_the_other(void **state)
{
	enum { STREAMS = 20, BODY = 3 << 20 };
	struct world world;
	struct h2 h2;
	struct h2_stream *streams[STREAMS];
	(void)state;
	start(&world, "bodies: 8MiB");
	struct bytes body = {0};
	char *blanks = malloc(BODY);
	memset(blanks, ' ', BODY);
	bytes_append(&body, blanks, BODY);
	bytes_printf(&body, "%s", chat_body("m", false));
	h2_open(&h2, world.sluice->port, 0);
	h2.silent = true;
	for (int i = 0; i < STREAMS; i++)
		streams[i] = h2_post(&h2, "/v1/chat/completions", bytes_text(&body));
	for (int i = 0; i < STREAMS; i++) {
		h2_wait_end(&h2, streams[i]);
		if (streams[i]->answer.status != 200)
			fail_msg("stream %d: %d %s", i, streams[i]->answer.status,
				 bytes_text(&streams[i]->answer.body));
	}
	h2_close(&h2);
	bytes_free(&body);
	free(blanks);
	finish(&world);
}

static void put_document_request(struct bytes *text, unsigned id)
{
	frame_put_head(text, id, FRAME_END_STREAM, "GET", "/openapi.json", -1);
}

static void row_29_answers_that_are_not_read_share_their_bytes_and_are_cut_off(void **state)
{
	enum { STREAMS = 250, MOST = 32 << 20 };
	struct world world;
	struct frames frames;
	struct answer answer;
	(void)state;
	start(&world, "stalled: 2s");
	sluice_get(world.sluice, "/openapi.json", &answer);
	assert_true(answer.body.len * STREAMS > MOST * 2);
	answer_free(&answer);
	size_t before = proc_rss(world.sluice->proc);
	frames_open(&frames, world.sluice->port, 0);
	for (unsigned count = 0; count < STREAMS;)
		count = repeat(&frames, count, put_document_request);
	frames_wait(&frames, FRAME_HEADERS, STREAMS);
	check_memory("answers", before, proc_rss(world.sluice->proc), MOST);
	check_neighbour(&world);
	frames_wait(&frames, FRAME_RST_STREAM, STREAMS);
	assert_false(frames.closed);
	assert_int_equal(frames.seen[FRAME_DATA], 0);
	frames_close(&frames);
	finish(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(row_34_resets_that_the_peer_provokes_are_charged_and_reach_no_backend),
	    SCENARIO(bodies_of_another_length_than_told_are_charged),
	    SCENARIO(row_33_a_head_that_decodes_to_megabytes_ends_the_connection),
	    SCENARIO(heads_that_are_refused_for_their_size_are_charged),
	    SCENARIO(row_32_bodies_that_never_end_hold_bounded_memory_for_a_bounded_time),
	    SCENARIO(bodies_that_have_no_room_together_arrive_one_after_the_other),
	    SCENARIO(row_29_answers_that_are_not_read_share_their_bytes_and_are_cut_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
