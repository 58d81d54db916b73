/* SPDX-License-Identifier: MIT */
/* Large batches of embeddings: megabytes of vectors from the cache, for clients that read and for those that do not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define PATH "/v1/embeddings"

enum { INPUTS = 2048, MIB = 1 << 20 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(void)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
				    "models: { m: sim/vec;itl=0, plain: sim/vec }\n"
				    "cache: { size: 256MiB, models: { plain: { policy: off } } }\n",
				    world.sim->port);
	return world;
}

/* Texts from number first on, count of them. The caller frees. */
static struct bytes batch_of(const char *model, size_t first, size_t count, const char *members)
{
	struct bytes body = {0};
	bytes_printf(&body, "{\"model\":\"%s\"%s,\"input\":[", model, members);
	for (size_t i = first; i < first + count; i++)
		bytes_printf(&body, "%s\"text %zu\"", i == first ? "" : ",", i);
	bytes_printf(&body, "]}");
	return body;
}

static void fetch(const struct world *world, enum via via, const struct bytes *body, const char *status,
		  struct answer *answer)
{
	client_fetch(world->sluice, via, PATH, bytes_text(body), answer);
	assert_int_equal(answer->status, 200);
	assert_true(answer->ended);
	if (status == NULL)
		return;
	char *told = answer_header(answer, "cache-status");
	if (told == NULL || strncmp(told, status, strlen(status)) != 0)
		fail_msg("cache-status is %s, not %s", told == NULL ? "absent" : told, status);
	free(told);
}

/* The same vectors, whatever is said beside them. */
static void check_same_vectors(const struct answer *answer, const struct answer *plain)
{
	const char *got = strstr(bytes_text(&answer->body), "\"data\":");
	const char *want = strstr(bytes_text(&plain->body), "\"data\":");
	const char *end = strstr(want, ",\"usage\":");
	check_same(got, (size_t)(end - want), want, (size_t)(end - want));
}

#define BASE64 ",\"encoding_format\":\"base64\",\"dimensions\":1536"

static void a_full_batch_comes_from_the_cache(void **state)
{
	struct world world = start();
	struct bytes half = batch_of("m", INPUTS / 2, INPUTS / 2, BASE64), all = batch_of("m", 0, INPUTS, BASE64);
	struct bytes uncached = batch_of("plain", 0, INPUTS, BASE64);
	struct answer answer, plain;
	(void)state;
	fetch(&world, VIA_H1, &uncached, NULL, &plain);
	assert_true(plain.body.len > 16 * MIB);
	fetch(&world, VIA_H2, &half, "sluice; fwd=miss", &answer);
	answer_free(&answer);
	fetch(&world, VIA_H1, &all, "sluice; fwd=partial", &answer);
	check_same_vectors(&answer, &plain);
	answer_free(&answer);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		fetch(&world, via, &all, "sluice; hit", &answer);
		check_same_vectors(&answer, &plain);
		answer_free(&answer);
	}
	assert_int_equal(sim_call_count(world.sim, "itl"), 2);
	answer_free(&plain);
	bytes_free(&half);
	bytes_free(&all);
	bytes_free(&uncached);
	sluice_wait_idle(world.sluice);
}

/* More than can be put together in memory: it comes as without a cache, whatever is there of it. */
static void what_is_too_large_to_put_together_still_comes(void **state)
{
	static const char numbers[] = ",\"dimensions\":1536";
	struct world world = start();
	struct bytes few = batch_of("m", 0, 2, numbers), all = batch_of("m", 0, INPUTS, numbers);
	struct answer answer, first;
	(void)state;
	fetch(&world, VIA_H1, &all, "sluice; fwd=miss", &first);
	assert_true(first.body.len > 33 * MIB);
	assert_true(sluice_metric(world.sluice, "sluice_cache_answers_total{model=\"m\",result=\"too_large\"}") ==
		    INPUTS);
	fetch(&world, VIA_H1, &few, "sluice; fwd=miss", &answer);
	answer_free(&answer);
	fetch(&world, VIA_H2, &all, "sluice; fwd=bypass", &answer);
	check_same_vectors(&answer, &first);
	answer_free(&answer);
	answer_free(&first);
	bytes_free(&few);
	bytes_free(&all);
	sluice_wait_idle(world.sluice);
}

/* What they are to be given waits in the cache, which has it anyway, not in buffers of their own. */
static void clients_that_do_not_read_hold_little(void **state)
{
	enum { CLIENTS = 8, GROWTH_MOST = 16 * MIB };
	struct world world = start();
	struct bytes all = batch_of("m", 0, INPUTS, BASE64);
	struct h1 slow[CLIENTS] = {0};
	struct answer answer;
	(void)state;
	fetch(&world, VIA_H1, &all, "sluice; fwd=miss", &answer);
	answer_free(&answer);
	fetch(&world, VIA_H1, &all, "sluice; hit", &answer);
	size_t before = proc_rss(world.sluice->proc);
	for (int i = 0; i < CLIENTS; i++) {
		wire_open_narrow(&slow[i].wire, world.sluice->port, NULL);
		h1_post(&slow[i], PATH, "", bytes_text(&all));
		h1_wait_head(&slow[i]);
	}
	check_memory("eight clients that do not read", before, proc_rss(world.sluice->proc), GROWTH_MOST);
	for (int i = 0; i < CLIENTS; i++) {
		if (i % 2 == 0) {
			h1_wait_end(&slow[i]);
			check_same(slow[i].answer.body.at, slow[i].answer.body.len, answer.body.at, answer.body.len);
		}
		h1_close(&slow[i]);
	}
	answer_free(&answer);
	bytes_free(&all);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_full_batch_comes_from_the_cache),
	    SCENARIO(what_is_too_large_to_put_together_still_comes),
	    SCENARIO(clients_that_do_not_read_hold_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
