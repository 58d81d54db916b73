/* SPDX-License-Identifier: MIT */
/*
 * Stored responses with a real Redis between two replicas: either replica goes on from a response of the other, and
 * what one deletes is gone at both. While Redis is away, each replica serves what it stored itself, and says so of the
 * rest.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

#define RESPONSES "/v1/responses"
#define MODELS "models: { m: sim/one }\ncache: { models: { m: { policy: off } } }\n"

enum { ID_SIZE = 64 };

static struct answer ask(const struct replicas *world, int replica, const char *members)
{
	char body[1024];
	struct answer answer;
	snprintf(body, sizeof body, "{\"model\":\"m\",%s}", members);
	client_fetch(world->each[replica], VIA_H1, RESPONSES, body, &answer);
	return answer;
}

/* Asks well, and waits until Redis has the response. */
static void store(struct replicas *world, int replica, const char *members, char id[ID_SIZE])
{
	char pattern[128];
	struct answer answer = ask(world, replica, members);
	if (answer.status != 200)
		fail_msg("%d: %s", answer.status, bytes_text(&answer.body));
	const char *at = strstr(bytes_text(&answer.body), "\"id\":\"resp_");
	assert_non_null(at);
	snprintf(id, ID_SIZE, "%.37s", at + 6);
	snprintf(pattern, sizeof pattern, "KEYS *:%s", id);
	redis_process_await(world->redis, pattern, id);
	answer_free(&answer);
}

static void go_on(struct replicas *world, int replica, const char *input, const char *previous, char id[ID_SIZE])
{
	char members[256];
	snprintf(members, sizeof members, "\"input\":\"%s\",\"previous_response_id\":\"%s\"", input, previous);
	store(world, replica, members, id);
}

static struct answer send(const struct replicas *world, int replica, const char *method, const char *id,
			  const char *tail, const char *key)
{
	const struct h2_header headers[] = {{key == NULL ? NULL : "authorization", key}, {NULL, NULL}};
	char path[256];
	struct answer answer;
	snprintf(path, sizeof path, RESPONSES "/%s%s", id, tail);
	client_ask(world->each[replica], VIA_H2, method, path, headers, NULL, &answer);
	return answer;
}

static void check_sent(const struct replicas *world, int replica, const char *method, const char *id, const char *tail,
		       int status, const char *part)
{
	struct answer answer = send(world, replica, method, id, tail, NULL);
	if (answer.status != status)
		fail_msg("%s %s%s: want %d, got %d: %s", method, id, tail, status, answer.status,
			 bytes_text(&answer.body));
	check_contains(&answer.body, part);
	answer_free(&answer);
}

static void check_refused(const struct replicas *world, int replica, const char *previous, int status, const char *code)
{
	char members[256];
	snprintf(members, sizeof members, "\"input\":\"x\",\"previous_response_id\":\"%s\"", previous);
	struct answer answer = ask(world, replica, members);
	check_error(&answer, status, code);
	answer_free(&answer);
}

/* Counts the tokens of a request that goes on from a response. */
static void check_counted(const struct replicas *world, int replica, const char *previous, int status, const char *part)
{
	char body[256];
	struct answer answer;
	snprintf(body, sizeof body, "{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"%s\"}", previous);
	client_fetch(world->each[replica], VIA_H1, RESPONSES "/input_tokens", body, &answer);
	if (answer.status != status)
		fail_msg("want %d, got %d: %s", status, answer.status, bytes_text(&answer.body));
	check_contains(&answer.body, part);
	answer_free(&answer);
}

static void any_replica_goes_on_from_a_response_of_the_other(void **state)
{
	struct replicas world = replicas_start(MODELS);
	char first[ID_SIZE], second[ID_SIZE], third[ID_SIZE];
	(void)state;
	store(&world, 0, "\"input\":\"One\"", first);
	go_on(&world, 1, "Two", first, second);
	go_on(&world, 0, "Three", second, third);
	sim_check_body(world.sim, "one",
		       "{\"role\":\"user\",\"content\":\"One\"},{\"role\":\"assistant\",\"content\":\"");
	sim_check_body(world.sim, "one",
		       "{\"role\":\"user\",\"content\":\"Two\"},{\"role\":\"assistant\",\"content\":\"");
	sim_check_body(world.sim, "one", "{\"role\":\"user\",\"content\":\"Three\"}]");
	struct answer here = send(&world, 0, "GET", third, "", NULL), there = send(&world, 1, "GET", third, "", NULL);
	assert_int_equal(there.status, 200);
	check_same(there.body.at, there.body.len, here.body.at, here.body.len);
	answer_free(&here);
	answer_free(&there);
	check_sent(&world, 1, "GET", first, "/input_items", 200, "\"content\":\"One\"");
	check_counted(&world, 1, first, 200, "response.input_tokens");
	check_counted(&world, 1, "resp_of_nobody", 400, "previous_response_not_found");
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(world.each[i]);
}

static void what_one_replica_deletes_is_gone_at_both(void **state)
{
	struct replicas world = replicas_start(MODELS);
	char first[ID_SIZE], second[ID_SIZE];
	(void)state;
	store(&world, 0, "\"input\":\"One\"", first);
	go_on(&world, 1, "Two", first, second); /* both have the first one in memory now */
	check_sent(&world, 1, "DELETE", first, "", 200, "\"deleted\":true");
	for (int i = 0; i < REPLICAS; i++) {
		check_sent(&world, i, "GET", first, "", 404, "response_not_found");
		check_sent(&world, i, "DELETE", first, "", 404, "response_not_found");
		check_refused(&world, i, first, 400, "previous_response_not_found");
	}
	check_sent(&world, 0, "GET", second, "", 200, second);
	/* without the replica that stored it */
	check_sent(&world, 0, "DELETE", second, "", 200, "\"deleted\":true");
	check_sent(&world, 1, "GET", second, "", 404, "response_not_found");
	if (strstr(redis_process_say(world.redis, "KEYS *:resp_*"), "resp_") != NULL)
		fail_msg("a deleted response is still in Redis");
}

static void another_tenant_has_none_of_them(void **state)
{
	struct replicas world = replicas_start(MODELS);
	char id[ID_SIZE];
	(void)state;
	store(&world, 0, "\"input\":\"One\"", id);
	for (int i = 0; i < REPLICAS; i++) {
		struct answer answer = send(&world, i, "GET", id, "", "Bearer other");
		check_error(&answer, 404, "response_not_found");
		answer_free(&answer);
		answer = send(&world, i, "DELETE", id, "", "Bearer other");
		check_error(&answer, 404, "response_not_found");
		answer_free(&answer);
	}
	check_sent(&world, 1, "GET", id, "", 200, id);
}

static void the_oldest_responses_of_a_tenant_make_room_in_redis(void **state)
{
	struct replicas world = replicas_start(MODELS "responses: { tenant_size: 8KiB }\n");
	char first[ID_SIZE], last[ID_SIZE];
	(void)state;
	store(&world, 0, "\"input\":\"One\"", first);
	for (int i = 0; i < 12; i++)
		store(&world, i % REPLICAS, "\"input\":\"More\"", last);
	check_sent(&world, 1, "GET", first, "", 404, "response_not_found");
	check_sent(&world, 0, "GET", last, "", 200, last);
	check_sent(&world, 1, "GET", last, "", 200, last);
	const char *keys = redis_process_say(world.redis, "KEYS *:resp_*");
	long count = strtol(keys + 1, NULL, 10);
	assert_in_range(count, 1, 8);
}

static void a_record_that_was_changed_in_redis_is_not_believed(void **state)
{
	struct replicas world = replicas_start(MODELS);
	char id[ID_SIZE], name[256];
	(void)state;
	store(&world, 0, "\"input\":\"One\"", id);
	char pattern[128];
	snprintf(pattern, sizeof pattern, "KEYS *:%s", id);
	const char *keys = redis_process_say(world.redis, "%s", pattern);
	const char *at = strchr(keys, '\n'), *begin = at == NULL ? NULL : strchr(at + 1, '\n');
	assert_non_null(begin);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(begin + 1, "\r\n"), begin + 1);
	redis_process_say(world.redis, "SETRANGE %s 60 X", name);
	check_sent(&world, 1, "GET", id, "", 503, "response_store_unavailable");
	check_refused(&world, 1, id, 503, "response_store_unavailable");
	check_sent(&world, 0, "GET", id, "", 200, id);
}

/* One replica's own responses serve on; of others it does not know, and it does not claim to have deleted any. */
static void without_redis_each_replica_has_what_it_stored(void **state)
{
	struct replicas world = replicas_start(MODELS);
	char first[ID_SIZE], lone[ID_SIZE];
	(void)state;
	store(&world, 0, "\"input\":\"One\"", first);
	redis_process_signal(world.redis, SIGKILL);
	check_sent(&world, 0, "GET", first, "", 200, first);
	check_sent(&world, 1, "GET", first, "", 503, "response_store_unavailable");
	check_sent(&world, 1, "GET", first, "/input_items", 503, "response_store_unavailable");
	check_refused(&world, 1, first, 503, "response_store_unavailable");
	check_counted(&world, 1, first, 503, "response_store_unavailable");
	check_counted(&world, 0, first, 200, "response.input_tokens");
	check_sent(&world, 0, "DELETE", first, "", 503, "response_store_unavailable");
	char members[256];
	snprintf(members, sizeof members, "\"input\":\"Two\",\"previous_response_id\":\"%s\"", first);
	struct answer answer = ask(&world, 0, members);
	assert_int_equal(answer.status, 200);
	snprintf(lone, sizeof lone, "%.37s", strstr(bytes_text(&answer.body), "\"id\":\"resp_") + 6);
	answer_free(&answer);
	/* Redis comes back empty: what it never had is still served, what it had and lost is gone */
	redis_process_restart(world.redis);
	for (int i = 0; i < REPLICAS; i++)
		replicas_wait_up(world.each[i]);
	check_sent(&world, 0, "GET", lone, "", 200, lone);
	check_sent(&world, 0, "GET", first, "", 404, "response_not_found");
	check_sent(&world, 1, "GET", lone, "", 404, "response_not_found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(any_replica_goes_on_from_a_response_of_the_other),
	    SCENARIO(what_one_replica_deletes_is_gone_at_both),
	    SCENARIO(another_tenant_has_none_of_them),
	    SCENARIO(the_oldest_responses_of_a_tenant_make_room_in_redis),
	    SCENARIO(a_record_that_was_changed_in_redis_is_not_believed),
	    SCENARIO(without_redis_each_replica_has_what_it_stored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
