/* SPDX-License-Identifier: MIT */
/* Origins are found by the names of their backends when another configuration takes over, with their connections. */
#include "tests/unit/clients/test_call.h"

#include "service/origin_table.h"

static char url_a[64], url_b[64]; /* of one server */

/* Before: a, b. Later: b comes first, c is new, and a has gone. */
static struct config_backend backends_before[] = {{.name = "a", .url = url_a, .dialect = "openai"},
						  {.name = "b", .url = url_b, .dialect = "openai"}};
static struct config_backend backends_later[] = {{.name = "b", .url = url_b, .dialect = "openai"},
						 {.name = "c", .url = url_a, .dialect = "openai"}};
static const struct config before = {.file = "before", .backends = backends_before, .backend_count = 2};
static const struct config later = {.file = "later", .backends = backends_later, .backend_count = 2};
enum { A_BEFORE = 0, B_BEFORE = 1, B_LATER = 0, C_LATER = 1 };

static const char *const names_before[] = {"a", "b"}, *const names_later[] = {"b", "c"};
static const struct metrics_names labels_before = {.backends = names_before, .backend_count = 2};
static const struct metrics_names labels_later = {.backends = names_later, .backend_count = 2};

static struct test_env env;
static struct origin_table *first, *second;
static struct buf errors;

/* Answers two requests of each connection, and closes on the third one. */
static void close_on_third(struct test_peer *peer)
{
	if (peer_read(peer) && peer_say(peer, REPLY(2, "ok")) && peer_read(peer) && peer_say(peer, REPLY(2, "ok")))
		peer_read(peer);
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		backends_before[i].timeouts.connect_us = backends_before[i].resolve_us = TEST_CONNECT_US;
	for (size_t i = 0; i < 2; i++)
		backends_later[i].timeouts.connect_us = backends_later[i].resolve_us = TEST_CONNECT_US;
	if (!metrics_setup(1, &labels_before))
		return -1;
	env_open(&env, close_on_third, NULL);
	http_origin_destroy(env.origin);
	env.origin = NULL;
	snprintf(url_a, sizeof(url_a), "http://127.0.0.1:%d/a", env.server->port);
	snprintf(url_b, sizeof(url_b), "http://127.0.0.1:%d/b", env.server->port);
	buf_init(&errors, 4096);
	first = origin_table_create(&before, env.client, metrics_cells_of(0), NULL, &errors);
	second = NULL;
	return first == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	origin_table_destroy(first);
	origin_table_destroy(second);
	env_close(&env);
	buf_fini(&errors);
	metrics_teardown();
	return 0;
}

static void take_over(void)
{
	assert_true(metrics_take_over(&labels_later));
	second = origin_table_create(&later, env.client, metrics_cells_of(0), first, &errors);
	assert_non_null(second);
	origin_table_take_over(second, metrics_cells_of(0));
}

static void call(struct http_origin *origin, struct test_call *test)
{
	const struct http_call_request request = {.path = "/v1/x", .body = SPAN("{}")};
	*test = (struct test_call){0};
	call_start_request(&env, test, origin, &request);
	RUN_UNTIL(&env, test->dones > 0);
}

static void an_origin_is_shared_by_configurations_that_have_its_name(void **state)
{
	(void)state;
	take_over();
	assert_ptr_equal(second->by_backend[B_LATER], first->by_backend[B_BEFORE]);
	assert_ptr_not_equal(second->by_backend[C_LATER], first->by_backend[A_BEFORE]);
}

static void connections_are_kept_when_the_earlier_configuration_has_gone(void **state)
{
	struct test_call test;
	(void)state;
	call(first->by_backend[B_BEFORE], &test);
	assert_false(test.reused);
	take_over();
	origin_table_destroy(first);
	first = NULL;
	call(second->by_backend[B_LATER], &test);
	call_expect(&test, ERROR_NONE);
	assert_true(test.reused);
	call(second->by_backend[C_LATER], &test);
	assert_false(test.reused);
}

static void the_earlier_configuration_goes_on_when_the_later_one_is_given_up(void **state)
{
	struct test_call test;
	(void)state;
	take_over();
	origin_table_destroy(second);
	second = NULL;
	call(first->by_backend[B_BEFORE], &test);
	call_expect(&test, ERROR_NONE);
}

static void a_shared_origin_counts_under_the_name_it_has_in_the_later_configuration(void **state)
{
	struct test_call test;
	unsigned generation = metrics_generation();
	(void)state;
	call(first->by_backend[B_BEFORE], &test);
	take_over();
	metrics_retire(generation);
	call(second->by_backend[B_LATER], &test);
	call(second->by_backend[B_LATER], &test);
	assert_true(test.stale);
	assert_int_equal(metrics_sum(METRIC_STALE_CONNECTIONS, B_LATER, 0, 0), 1);
	assert_int_equal(metrics_sum(METRIC_STALE_CONNECTIONS, C_LATER, 0, 0), 0);
}

static void a_backend_with_another_secret_has_another_origin(void **state)
{
	(void)state;
	struct secret *other = secret_create(SPAN("other"));
	backends_later[B_LATER].api_key = other;
	take_over();
	secret_drop(other);
	backends_later[B_LATER].api_key = NULL;
	assert_ptr_not_equal(second->by_backend[B_LATER], first->by_backend[B_BEFORE]);
}

static void all_backends_that_cannot_be_used_are_listed(void **state)
{
	static struct config_backend broken[] = {{.name = "x", .url = "http://[", .dialect = "openai", .line = 3},
						 {.name = "b", .url = url_b, .dialect = "openai"},
						 {.name = "y", .url = "", .dialect = "openai", .line = 7}};
	static const struct config config = {.file = "broken", .backends = broken, .backend_count = 3};
	(void)state;
	assert_null(origin_table_create(&config, env.client, NULL, first, &errors));
	assert_non_null(memmem(buf_span(&errors).at, buf_len(&errors), "broken:3: backends.x: ", 22));
	assert_non_null(memmem(buf_span(&errors).at, buf_len(&errors), "broken:7: backends.y: ", 22));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_origin_is_shared_by_configurations_that_have_its_name),
	    TEST(connections_are_kept_when_the_earlier_configuration_has_gone),
	    TEST(the_earlier_configuration_goes_on_when_the_later_one_is_given_up),
	    TEST(a_shared_origin_counts_under_the_name_it_has_in_the_later_configuration),
	    TEST(a_backend_with_another_secret_has_another_origin),
	    TEST(all_backends_that_cannot_be_used_are_listed),
	};
	if (!http_client_global_setup())
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	http_client_global_teardown();
	return failed;
}
