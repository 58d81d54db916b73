/* SPDX-License-Identifier: MIT */
/*
 * Stored responses: a client goes on from an answer by its id, asks for it again, lists what it answered and has it
 * forgotten. Nobody else sees it, and it makes room for later ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/grammar/responses.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define RESPONSES "/v1/responses"

struct world {
	struct sim *sim;
	struct sluice *sluice;
};

static struct world start(const char *more)
{
	struct world world = {.sim =
				  sim_start((const char *const[]){"--tokens", "6", "--ttft", "0", "--itl", "0", NULL})};
	world.sluice = sluice_start("%s\nbackends: { s: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: s/one, cut: "
				    "'s/m;fault=reset_mid;after=2' }\n",
				    more, world.sim->port);
	return world;
}

/* Asks; members: of the request beside the model. */
static struct answer ask(const struct world *world, const char *members)
{
	char body[2048];
	struct answer answer;
	snprintf(body, sizeof body, "{\"model\":\"m\",%s}", members);
	client_fetch(world->sluice, VIA_H1, RESPONSES, body, &answer);
	return answer;
}

/* The id of a whole answer, or of a stream. */
static void id_of(const struct answer *answer, char id[64])
{
	const char *at = strstr(bytes_text(&answer->body), "\"id\":\"resp_");
	assert_non_null(at);
	snprintf(id, 64, "%.37s", at + 6);
}

/* Asks, and gives the id of the answer, which must be good. */
static void ask_well(const struct world *world, const char *members, char id[64])
{
	struct answer answer = ask(world, members);
	if (answer.status != 200)
		fail_msg("%s", bytes_text(&answer.body));
	id_of(&answer, id);
	answer_free(&answer);
}

/* Sends a request without a body. key: what the client shows; NULL = nothing. */
static struct answer send(const struct world *world, const char *method, const char *id, const char *tail,
			  const char *key)
{
	const struct h2_header headers[] = {{key == NULL ? NULL : "authorization", key}, {NULL, NULL}};
	char path[256];
	struct answer answer;
	snprintf(path, sizeof path, RESPONSES "/%s%s", id, tail);
	client_ask(world->sluice, VIA_H2, method, path, headers, NULL, &answer);
	return answer;
}

static bool is_stored(const struct world *world, const char *id)
{
	struct answer answer = send(world, "GET", id, "", NULL);
	bool stored = answer.status == 200;
	if (!stored)
		check_error(&answer, 404, "response_not_found");
	answer_free(&answer);
	return stored;
}

static void a_stored_answer_is_given_again_as_it_was(void **state)
{
	(void)state;
	struct world world = start("");
	char id[64];
	struct answer first = ask(&world, "\"input\":\"One\"");
	id_of(&first, id);
	struct answer again = send(&world, "GET", id, "", NULL);
	assert_int_equal(again.status, 200);
	check_same(again.body.at, again.body.len, first.body.at, first.body.len);
	answer_free(&again);
	answer_free(&first);
	/* of a stream it is the response that it ended with */
	first = ask(&world, "\"input\":\"One\",\"stream\":true");
	id_of(&first, id);
	again = send(&world, "GET", id, "", NULL);
	check_contains(&again.body, "\"status\":\"completed\"");
	check_contains(&first.body, bytes_text(&again.body));
	answer_free(&again);
	answer_free(&first);
}

static void a_conversation_goes_on_from_an_answer(void **state)
{
	(void)state;
	struct world world = start("");
	char first[64], second[64], third[64], members[512];
	ask_well(&world, "\"input\":\"One\",\"instructions\":\"Be brief\"", first);
	snprintf(members, sizeof members,
		 "\"input\":[{\"role\":\"user\",\"content\":\"Two\"}],\"stream\":true,\"previous_response_id\":\"%s\"",
		 first);
	ask_well(&world, members, second);
	snprintf(members, sizeof members, "\"input\":\"Three\",\"previous_response_id\":\"%s\"", second);
	struct answer answer = ask(&world, members);
	snprintf(members, sizeof members, "\"previous_response_id\":\"%s\"", second);
	check_contains(&answer.body, members);
	id_of(&answer, third);
	answer_free(&answer);
	/* the instructions of a turn are for that turn alone */
	sim_check_body(world.sim, "one",
		       "{\"role\":\"user\",\"content\":\"One\"},{\"role\":\"assistant\",\"content\":\"");
	sim_check_body(world.sim, "one",
		       "{\"role\":\"user\",\"content\":\"Two\"},{\"role\":\"assistant\",\"content\":\"");
	sim_check_body(world.sim, "one", "{\"role\":\"user\",\"content\":\"Three\"}]");
	/* each answer has all of its conversation */
	answer = send(&world, "DELETE", second, "", NULL);
	check_contains(&answer.body, "\"deleted\":true");
	answer_free(&answer);
	assert_false(is_stored(&world, second));
	snprintf(members, sizeof members, "\"input\":\"Four\",\"previous_response_id\":\"%s\"", third);
	ask_well(&world, members, first);
	snprintf(members, sizeof members, "\"input\":\"Four\",\"previous_response_id\":\"%s\"", second);
	answer = ask(&world, members);
	check_error(&answer, 400, "previous_response_not_found");
	check_contains(&answer.body, "\"param\":\"previous_response_id\"");
	answer_free(&answer);
	answer = send(&world, "DELETE", second, "", NULL);
	check_error(&answer, 404, "response_not_found");
	answer_free(&answer);
}

static void calls_of_tools_are_part_of_the_conversation(void **state)
{
	(void)state;
	struct world world = start("");
	char first[64], second[64], members[768];
	ask_well(
	    &world,
	    "\"input\":[{\"role\":\"user\",\"content\":\"How high?\"},{\"type\":\"function_call\",\"call_id\":\"c\","
	    "\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":"
	    "\"148\"}]",
	    first);
	snprintf(members, sizeof members, "\"input\":\"Sure?\",\"previous_response_id\":\"%s\"", first);
	ask_well(&world, members, second);
	sim_check_body(world.sim, "one",
		       "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"148\"},{\"role\":\"assistant\"");
}

static void input_items_are_listed_in_pages(void **state)
{
	(void)state;
	struct world world = start("");
	char first[64], second[64], members[512];
	ask_well(&world, "\"input\":\"One\"", first);
	snprintf(members, sizeof members,
		 "\"input\":[{\"id\":\"own\",\"role\":\"user\",\"content\":\"Two\"}],"
		 "\"previous_response_id\":\"%s\"",
		 first);
	ask_well(&world, members, second);
	struct answer answer = send(&world, "GET", second, "/input_items", NULL);
	check_contains(&answer.body, "{\"object\":\"list\",\"data\":[{\"id\":\"item_2\",\"type\":\"message\",\"role\":"
				     "\"user\",\"content\":\"Two\"},{\"id\":\"item_1\",");
	check_contains(&answer.body, "\"first_id\":\"item_2\",\"last_id\":\"item_0\",\"has_more\":false}");
	answer_free(&answer);
	answer = send(&world, "GET", second, "/input_items?order=asc&limit=2", NULL);
	check_contains(&answer.body, "\"first_id\":\"item_0\",\"last_id\":\"item_1\",\"has_more\":true}");
	answer_free(&answer);
	answer = send(&world, "GET", second, "/input_items?order=asc&limit=2&after=item_1", NULL);
	check_contains(&answer.body, "\"first_id\":\"item_2\",\"last_id\":\"item_2\",\"has_more\":false}");
	answer_free(&answer);
	answer = send(&world, "GET", second, "/input_items?order=asc&after=item_2", NULL);
	check_contains(&answer.body, "\"data\":[],\"first_id\":null,\"last_id\":null,\"has_more\":false}");
	answer_free(&answer);
	static const struct {
		const char *query;
		int status;
		const char *code;
	} wrong[] = {{"?after=item_3", 404, "response_not_found"},
		     {"?after=item_", 404, "response_not_found"},
		     {"?after=x", 404, "response_not_found"},
		     {"?limit=0", 400, "invalid_value"},
		     {"?order=up", 400, "invalid_value"}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char tail[64];
		snprintf(tail, sizeof tail, "/input_items%s", wrong[i].query);
		answer = send(&world, "GET", second, tail, NULL);
		check_error(&answer, wrong[i].status, wrong[i].code);
		answer_free(&answer);
	}
	answer = send(&world, "GET", "resp_none", "/input_items", NULL);
	check_error(&answer, 404, "response_not_found");
	answer_free(&answer);
}

static void what_is_not_to_be_stored_is_not(void **state)
{
	(void)state;
	struct world world = start("");
	char id[64];
	struct answer answer = ask(&world, "\"input\":\"One\",\"store\":false");
	check_contains(&answer.body, "\"store\":false");
	id_of(&answer, id);
	answer_free(&answer);
	assert_false(is_stored(&world, id));
	client_fetch(world.sluice, VIA_H1, RESPONSES, "{\"model\":\"cut\",\"input\":\"x\",\"stream\":true}", &answer);
	check_contains(&answer.body, "response.failed");
	id_of(&answer, id);
	answer_free(&answer);
	assert_false(is_stored(&world, id));
}

static void with_no_room_nothing_is_stored_and_that_is_named(void **state)
{
	(void)state;
	struct world world = start("responses: { size: 0 }");
	char id[64];
	struct answer answer = ask(&world, "\"input\":\"One\",\"store\":true");
	assert_string_equal(answer_header(&answer, "x-sluice-dropped"), "store");
	check_contains(&answer.body, "\"store\":false");
	id_of(&answer, id);
	answer_free(&answer);
	assert_false(is_stored(&world, id));
	answer = ask(&world, "\"input\":\"One\",\"previous_response_id\":\"resp_x\"");
	check_error(&answer, 400, "previous_response_not_found");
	answer_free(&answer);
	ask_well(&world, "\"input\":\"One\"", id); /* who does not ask for it hears nothing */
}

static void other_clients_do_not_see_an_answer(void **state)
{
	(void)state;
	struct world world = start("");
	char id[64];
	ask_well(&world, "\"input\":\"One\"", id);
	struct answer answer = send(&world, "GET", id, "", "Bearer somebody");
	check_error(&answer, 404, "response_not_found");
	answer_free(&answer);
	answer = send(&world, "DELETE", id, "", "Bearer somebody");
	check_error(&answer, 404, "response_not_found");
	answer_free(&answer);
	assert_true(is_stored(&world, id));
}

static void an_answer_from_the_cache_is_stored_under_its_own_id(void **state)
{
	(void)state;
	struct world world = start("cache: { policy: always }");
	char first[64], second[64];
	ask_well(&world, "\"input\":\"One\"", first);
	ask_well(&world, "\"input\":\"One\"", second);
	assert_int_equal(sim_call_count(world.sim, "one"), 1);
	assert_string_not_equal(first, second);
	assert_true(is_stored(&world, first) && is_stored(&world, second));
}

static void the_oldest_answers_of_a_tenant_make_room(void **state)
{
	(void)state;
	struct world world = start("responses: { tenant_size: 8KiB }");
	char first[64], last[64];
	ask_well(&world, "\"input\":\"One\"", first);
	for (int i = 0; i < 12; i++)
		ask_well(&world, "\"input\":\"One\"", last);
	assert_false(is_stored(&world, first));
	assert_true(is_stored(&world, last));
}

/* Chains of many clients at once, over all workers. */
static void each_of_many_conversations_goes_on_by_itself(void **state)
{
	enum { CHAINS = 100, TURNS = 3 };
	(void)state;
	struct world world = start("");
	static char ids[CHAINS][64];
	for (int turn = 0; turn < TURNS; turn++) {
		struct mass_job *jobs = mass_jobs(CHAINS, "");
		static char bodies[CHAINS][512];
		for (size_t i = 0; i < CHAINS; i++) {
			snprintf(bodies[i], sizeof bodies[i], "{\"model\":\"m\",\"input\":\"turn %d of %zu\"%s%.37s%s}",
				 turn, i, turn == 0 ? "" : ",\"previous_response_id\":\"", ids[i],
				 turn == 0 ? "" : "\"");
			jobs[i].path = RESPONSES;
			jobs[i].body = bodies[i];
		}
		struct mass mass = mass_crowd(world.sluice, jobs, CHAINS);
		mass_run(&mass);
		for (size_t i = 0; i < CHAINS; i++) {
			assert_int_equal(jobs[i].answer.status, 200);
			id_of(&jobs[i].answer, ids[i]);
		}
		mass_free_answers(&mass);
		free(jobs);
	}
	for (size_t i = 0; i < CHAINS; i++) {
		struct answer answer = send(&world, "GET", ids[i], "/input_items?order=asc", NULL);
		for (int turn = 0; turn < TURNS; turn++) {
			char said[64];
			snprintf(said, sizeof said, "\"turn %d of %zu\"", turn, i);
			check_contains(&answer.body, said);
		}
		check_contains(&answer.body, "\"last_id\":\"item_4\"");
		answer_free(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_stored_answer_is_given_again_as_it_was),
	    SCENARIO(a_conversation_goes_on_from_an_answer),
	    SCENARIO(calls_of_tools_are_part_of_the_conversation),
	    SCENARIO(input_items_are_listed_in_pages),
	    SCENARIO(what_is_not_to_be_stored_is_not),
	    SCENARIO(with_no_room_nothing_is_stored_and_that_is_named),
	    SCENARIO(other_clients_do_not_see_an_answer),
	    SCENARIO(an_answer_from_the_cache_is_stored_under_its_own_id),
	    SCENARIO(the_oldest_answers_of_a_tenant_make_room),
	    SCENARIO(each_of_many_conversations_goes_on_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
