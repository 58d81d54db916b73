/* SPDX-License-Identifier: MIT */
/*
 * Children of a tenant with shares of its limit, end to end: a sibling floods, and a child that asks for its share gets
 * all of it; what the child does not ask for, the sibling gets; together they never get more than the limit. In one
 * process, and over two replicas with a real Redis. The windows are so long that nothing falls free by time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"
#define BODY(model)                                                                                            \
	"{\"model\":\"" model "\",\"max_tokens\":10,\"messages\":[{\"role\":\"user\",\"content\":\"Rivers\"}]" \
	"}"

/* A share is a quarter: for each request of the child there is room for three others. */
enum { PARTS = 4, FLOOD = 5 };
static const size_t sizes[] = {1, 30, 300};

enum holder { CHILD, SIBLING, HOLDERS };
static const char *const tenants[HOLDERS] = {"acme/search/bot", "acme/crawl"};

struct world {
	struct sim *sim;
	size_t services;
	struct sluice *each[REPLICAS];
	char keys[HOLDERS][CLIENT_KEY_SIZE + 8]; /* as Authorization */
	size_t served[HOLDERS];
};

/* limits: of the quota. */
static struct world start(bool shared, const char *limits)
{
	struct world world = {.services = shared ? REPLICAS : 1};
	struct bytes rest = {0};
	char key[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE];
	bytes_printf(&rest, "auth: { pepper: '${SLUICE_PEPPER}' }\nkeys:\n");
	for (size_t i = 0; i < HOLDERS; i++) {
		client_key_make(i == CHILD ? "child" : "sibling", key, hash);
		snprintf(world.keys[i], sizeof world.keys[i], "Bearer %s", key);
		bytes_printf(&rest, "  %s: { hash: '%s', tenant: %s }\n", i == CHILD ? "child" : "sibling", hash,
			     tenants[i]);
	}
	bytes_printf(&rest,
		     "quotas: { acme: { tenant: acme, %s, on_loss: refuse, shares: { acme/search: 25%% } } }\n"
		     "models: { m: sim/one;tokens=10, gated: sim/gated;tokens=2;gate=0 }\ncache: { policy: off }\n",
		     limits);
	if (shared) {
		struct replicas replicas = replicas_start_with("", bytes_text(&rest));
		world.sim = replicas.sim;
		memcpy(world.each, replicas.each, sizeof world.each);
	} else {
		world.sim = sim_start(NULL);
		world.each[0] = sluice_start("backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n%s",
					     world.sim->port, bytes_text(&rest));
	}
	bytes_free(&rest);
	return world;
}

/* Asks once at each service in turn. */
static struct answer ask(struct world *world, size_t turn, enum holder holder, const char *method, const char *path,
			 const char *body)
{
	const struct h2_header headers[] = {{"authorization", world->keys[holder]}, {NULL, NULL}};
	struct answer answer;
	client_ask(world->each[turn % world->services], VIA_H1, method, path, headers, body, &answer);
	return answer;
}

static int ask_for(struct world *world, size_t turn, enum holder holder, const char *body)
{
	struct answer answer = ask(world, turn, holder, "POST", CHAT, body);
	int status = answer.status;
	if (status == 429)
		check_contains(&answer.body,
			       holder == CHILD ? "(acme, share of acme/search: 25%)" : "(acme, without a share)");
	else if (status != 200)
		fail_msg("status %d: %s", status, bytes_text(&answer.body));
	answer_free(&answer);
	world->served[holder] += status == 200;
	return status;
}

/* A crowd of both at once, one of the child's for so many of the sibling's. */
static void flood(struct world *world, const char *body, size_t child, size_t sibling, bool gated)
{
	size_t count = child + sibling, left = child;
	struct mass_job *jobs = mass_jobs(count, body);
	for (size_t i = 0; i < count; i++) {
		bool is_child = left > 0 && (i % FLOOD == FLOOD - 1 || count - i == left);
		left -= is_child;
		jobs[i].authorization = world->keys[is_child ? CHILD : SIBLING];
		jobs[i].service = (unsigned)(i / 2 % world->services);
	}
	struct mass mass = mass_crowd(world->each[0], jobs, count);
	mass.services = (unsigned)world->services;
	mass.others[0] = world->each[1];
	mass.gate = gated ? world->sim : NULL;
	if (gated) { /* all of them run at once */
		mass.via = VIA_H2;
		mass.streams = 50;
	}
	mass_run(&mass);
	for (size_t i = 0; i < count; i++) {
		const struct answer *answer = &jobs[i].answer;
		enum holder holder = jobs[i].authorization == world->keys[CHILD] ? CHILD : SIBLING;
		if (answer->status == 429)
			check_contains(&answer->body, "limit_reached");
		else if (answer->status != 200 || !answer->ended)
			fail_msg("request %zu: status %d: %s", i, answer->status, bytes_text(&answer->body));
		world->served[holder] += answer->status == 200;
	}
	mass_free_answers(&mass);
	free(jobs);
}

/* What one replica holds in spare the other one gets. */
static void use_up(struct world *world, size_t limit)
{
	struct patience patience = patience_for("the sibling to get what is not the child's");
	for (size_t turn = 0, refused = 0; refused < world->services || world->served[SIBLING] < limit; turn++) {
		bool served = ask_for(world, turn, SIBLING, BODY("m")) == 200;
		refused = served ? 0 : refused + 1;
		if (!served)
			patience_wait(&patience);
	}
}

/* What one replica holds of the share it returns in time, however slow the machine is. */
static void use_up_share(struct world *world, size_t size)
{
	struct patience patience = patience_for("the child to get its share");
	for (size_t turn = 0; world->served[CHILD] < size; turn++)
		if (ask_for(world, turn, CHILD, BODY("m")) == 429)
			patience_wait(&patience);
}

/* ---- a flood beside a child ---- */

static void check_flood(bool shared, const char *unit, size_t amount)
{
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char limits[64];
		size_t size = sizes[i];
		snprintf(limits, sizeof limits, "%s: %zu/hour", unit, size * PARTS * amount);
		struct world world = start(shared, limits);
		assert_int_equal(ask_for(&world, 0, CHILD, BODY("m")), 200);
		flood(&world, BODY("m"), size - 1, size * FLOOD, false);
		if (shared)
			use_up_share(&world, size);
		assert_int_equal(world.served[CHILD], size);
		use_up(&world, size * (PARTS - 1));
		for (size_t turn = 0; turn < world.services; turn++)
			assert_int_equal(ask_for(&world, turn, CHILD, BODY("m")), 429);
		assert_int_equal(world.served[SIBLING], size * (PARTS - 1));
		assert_int_equal(sim_call_count(world.sim, "one"), size * PARTS);
	}
}

static void a_child_gets_its_share_of_requests_beside_a_flood(void **state)
{
	(void)state;
	check_flood(false, "requests", 1);
}

static void a_child_gets_its_share_of_tokens_beside_a_flood(void **state)
{
	(void)state;
	check_flood(false, "output_tokens", 10);
}

static void replicas_give_a_child_its_share_of_requests_beside_a_flood(void **state)
{
	(void)state;
	check_flood(true, "requests", 1);
}

static void replicas_give_a_child_its_share_of_tokens_beside_a_flood(void **state)
{
	(void)state;
	check_flood(true, "output_tokens", 10);
}

/* ---- places ---- */

static void check_places(bool shared)
{
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char limits[64];
		size_t size = sizes[i];
		snprintf(limits, sizeof limits, "concurrent: %zu", size * PARTS);
		struct world world = start(shared, limits);
		assert_int_equal(ask_for(&world, 0, CHILD, BODY("m")), 200);
		sluice_wait_idle(world.each[0]); /* its place is free */
		world.served[CHILD] = 0;
		flood(&world, BODY("gated"), size, size * FLOOD, true);
		if (shared) { /* some places may be held by the other replica; who still waits for it gets one that
				 falls free */
			assert_in_range(world.served[CHILD], size / 2, size);
			assert_in_range(world.served[SIBLING], size / 2, size * FLOOD);
		} else {
			assert_int_equal(world.served[CHILD], size);
			assert_int_equal(world.served[SIBLING], size * (PARTS - 1));
		}
		assert_in_range(sim_stat(world.sim, "most_open"), 1, size * PARTS);
	}
}

static void a_child_has_its_share_of_places_beside_a_flood(void **state)
{
	(void)state;
	check_places(false);
}

static void replicas_give_a_child_its_share_of_places_beside_a_flood(void **state)
{
	(void)state;
	check_places(true);
}

/* ---- what is lent, and what clients read ---- */

static double share_number(struct world *world, enum holder holder, const char *member)
{
	struct answer answer = ask(world, 0, holder, "GET", "/v1/limits?model=m", NULL);
	assert_int_equal(answer.status, 200);
	cJSON *root = cJSON_Parse(bytes_text(&answer.body));
	const cJSON *limit = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "data"), 0);
	assert_non_null(limit);
	double number = cJSON_GetNumberValue(cJSON_GetObjectItem(limit, member));
	cJSON_Delete(root);
	answer_free(&answer);
	return number;
}

static void what_a_child_does_not_ask_for_is_lent(void **state)
{
	(void)state;
	for (int shared = 0; shared < 2; shared++) {
		struct world world = start(shared, "requests: 40/hour");
		assert_int_equal(share_number(&world, CHILD, "share"), 10);
		assert_int_equal(share_number(&world, SIBLING, "share"), 0);
		assert_int_equal(share_number(&world, SIBLING, "remaining"), 40);
		use_up(&world, 40);
		for (size_t turn = 0; turn < world.services; turn++) /* it is gone for an hour */
			assert_int_equal(ask_for(&world, turn, CHILD, BODY("m")), 429);
		assert_int_equal(sim_call_count(world.sim, "one"), 40);
	}
}

static void limits_tell_what_is_left_for_whom(void **state)
{
	(void)state;
	struct world world = start(false, "requests: 40/hour");
	struct answer answer = ask(&world, 0, CHILD, "POST", CHAT, BODY("m"));
	check_header(&answer, "x-ratelimit-limit-requests", "40");
	check_header(&answer, "x-ratelimit-remaining-requests", "39");
	answer_free(&answer);
	answer = ask(&world, 0, SIBLING, "POST", CHAT, BODY("m"));
	check_header(&answer, "x-ratelimit-limit-requests", "40");
	check_header(&answer, "x-ratelimit-remaining-requests", "29"); /* nine are kept for the child */
	answer_free(&answer);
	assert_int_equal(share_number(&world, SIBLING, "remaining"), 29);
	assert_int_equal(share_number(&world, CHILD, "remaining"), 38);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_child_gets_its_share_of_requests_beside_a_flood),
	    SCENARIO(a_child_gets_its_share_of_tokens_beside_a_flood),
	    SCENARIO(replicas_give_a_child_its_share_of_requests_beside_a_flood),
	    SCENARIO(replicas_give_a_child_its_share_of_tokens_beside_a_flood),
	    SCENARIO(a_child_has_its_share_of_places_beside_a_flood),
	    SCENARIO(replicas_give_a_child_its_share_of_places_beside_a_flood),
	    SCENARIO(what_a_child_does_not_ask_for_is_lent),
	    SCENARIO(limits_tell_what_is_left_for_whom),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
