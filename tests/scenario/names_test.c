/* SPDX-License-Identifier: MIT */
/*
 * Backends with a host name, against a resolver that obeys the scenario
 * (preload/fake_names.c): one that is slow holds nobody else up, and addresses
 * that change are followed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

/* From now on the name has that address ("-": it does not exist; "?": the resolver says nothing for now). */
static void set_name(const char *address)
{
	char path[160], next[176];
	snprintf(path, sizeof path, "%s/names", scenario_directory());
	snprintf(next, sizeof next, "%s.next", path);
	FILE *file = fopen(next, "w");
	assert_non_null(file);
	fprintf(file, "backend.test %s\n", address);
	fclose(file);
	assert_int_equal(rename(next, path), 0);
	setenv("SLUICE_TEST_NAMES", path, 1);
}

/* One worker: each looks names up for itself, so what one of them knows by now says nothing about another. */
/* connect: the limit of a connection, the lookup of its name included. */
static struct world start(const char *address, const char *connect)
{
	struct world world = {.sim = sim_start(NULL)};
	set_name(address);
	setenv("LD_PRELOAD", scenario_program("SLUICE_NAMES", "build/tests/scenario/fake_names.so"), 1);
	world.sluice =
	    sluice_start_workers(1,
				 "backends:\n"
				 "  named: { url: 'http://backend.test:%d/v1', resolve: 200ms, breaker: { enabled: "
				 "false }, timeouts: { connect: %s } }\n"
				 "  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
				 "models:\n"
				 "  named: named/count;tokens=4\n"
				 "  guarded: { fallback: [named/count;tokens=4, sim/count;tokens=4] }\n"
				 "  other: sim/count;tokens=4\n",
				 world.sim->port, connect, world.sim->port);
	unsetenv("LD_PRELOAD");
	return world;
}

static void fetch(const struct world *world, const char *model, int status, const char *code)
{
	struct answer answer;
	client_fetch_chat(world->sluice, VIA_H1, model, false, &answer);
	if (code == NULL)
		assert_int_equal(answer.status, status);
	else
		check_error(&answer, status, code);
	answer_free(&answer);
}

/* Row 3: while one name waits for its resolver, everything else is answered. */
static void a_slow_resolver_holds_up_nobody_else(void **state)
{
	enum { OTHERS = 50 };
	struct world world = start("?", "60s");
	struct client clients[VIA_COUNT];
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++)
		client_chat(&clients[via], world.sluice, via, "named", true);
	for (int i = 0; i < OTHERS; i++)
		fetch(&world, "other", 200, NULL);
	for (enum via via = 0; via < VIA_COUNT; via++)
		assert_int_equal(client_answer(&clients[via])->status, 0);
	set_name("127.0.0.1");
	for (enum via via = 0; via < VIA_COUNT; via++) {
		client_wait_end(&clients[via]);
		assert_int_equal(client_answer(&clients[via])->status, 200);
		client_close(&clients[via]);
	}
	assert_int_equal(sim_call_count(world.sim, ""), OTHERS + VIA_COUNT);
	sluice_wait_idle(world.sluice);
}

static void a_resolver_that_is_too_slow_fails_over(void **state)
{
	struct world world = start("?", "1s");
	double errors = sluice_errors(world.sluice, "upstream_dns");
	(void)state;
	fetch(&world, "named", 502, "upstream_dns");
	assert_true(sluice_errors(world.sluice, "upstream_dns") == errors + 1);
	assert_int_equal(sim_call_count(world.sim, ""), 0);
	fetch(&world, "guarded", 200, NULL);
	assert_int_equal(sim_call_count(world.sim, ""), 1);
	sluice_wait_idle(world.sluice);
}

/* Asks until the answer has that status. */
static void wait_for(const struct world *world, int status)
{
	struct patience patience = patience_for("the new address to be used");
	struct answer answer = {0};
	do {
		answer_free(&answer);
		patience_wait(&patience);
		client_fetch_chat(world->sluice, VIA_H2, "named", true, &answer);
	} while (answer.status != status);
	answer_free(&answer);
}

/* Row 48: nothing listens at the other address; a kept-alive connection to the old one is not used for ever. */
static void addresses_that_change_are_followed(void **state)
{
	struct world world = start("127.0.0.9", "60s");
	(void)state;
	fetch(&world, "named", 502, "upstream_connect");
	set_name("127.0.0.1");
	wait_for(&world, 200);
	size_t calls = sim_call_count(world.sim, "");
	set_name("127.0.0.9");
	wait_for(&world, 502);
	set_name("-"); /* addresses that are known outlive a name that is gone */
	fetch(&world, "named", 502, "upstream_connect");
	set_name("127.0.0.1");
	wait_for(&world, 200);
	assert_true(sim_call_count(world.sim, "") > calls);
	assert_true(sluice_errors(world.sluice, "upstream_connect") >= 3);
	assert_true(sluice_errors(world.sluice, "upstream_dns") == 0);
	sluice_wait_idle(world.sluice);
}

enum { NAMES = 50 };

/* Writes a configuration of NAMES backends with names that nobody knows. Returns its path. */
static const char *write_names(void)
{
	static char path[160];
	snprintf(path, sizeof path, "%s/check.yaml", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("listen: [127.0.0.1:0]\nmodels: { m: b0/m }\nbackends:\n", file);
	for (unsigned i = 0; i < NAMES; i++)
		fprintf(file, "  b%u: { url: 'http://b%u.invalid/v1' }\n", i, i);
	fclose(file);
	return path;
}

/* Lookups that nobody waited for were cut off when the check ended. */
static void a_check_of_the_configuration_looks_up_no_name(void **state)
{
	char asked[160];
	const char *arguments[] = {"--check", write_names(), NULL};
	struct bytes out = {0}, err = {0};
	(void)state;
	snprintf(asked, sizeof asked, "%s/asked", scenario_directory());
	setenv("SLUICE_TEST_ASKED", asked, 1);
	setenv("LD_PRELOAD", scenario_program("SLUICE_NAMES", "build/tests/scenario/fake_names.so"), 1);
	assert_int_equal(sluice_run(arguments, &out, &err), 0);
	unsetenv("LD_PRELOAD");
	assert_int_equal(access(asked, F_OK), -1);
	struct world world = start("127.0.0.1", "60s");
	fetch(&world, "named", 200, NULL);
	assert_int_equal(access(asked, F_OK), 0);
	unsetenv("SLUICE_TEST_ASKED");
	bytes_free(&out);
	bytes_free(&err);
	sluice_wait_idle(world.sluice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_slow_resolver_holds_up_nobody_else),
	    SCENARIO(a_resolver_that_is_too_slow_fails_over),
	    SCENARIO(addresses_that_change_are_followed),
	    SCENARIO(a_check_of_the_configuration_looks_up_no_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
