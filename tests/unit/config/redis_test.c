/* SPDX-License-Identifier: MIT */
/* The section redis: where it is, and keys that contradict each other. */
#include "tests/unit/config/fixture.h"

static void without_a_place_there_is_no_redis(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST);
	assert_false(config_redis_is_used(&config->redis));
	config_drop(config);
	config = fixture_good(LEAST "redis:\n  budget: 5ms\n");
	assert_false(config_redis_is_used(&config->redis));
	config_drop(config);
	config = fixture_good(LEAST "redis:\n");
	assert_false(config_redis_is_used(&config->redis));
	config_drop(config);
}

static void one_server_needs_its_address_only(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST "redis:\n  servers: redis:6379\n");
	const struct config_redis *redis = &config->redis;
	assert_true(config_redis_is_used(redis));
	assert_int_equal(redis->server_count, 1);
	assert_string_equal(redis->servers[0].host, "redis");
	assert_string_equal(redis->servers[0].port, "6379");
	assert_int_equal(redis->mode, CONFIG_REDIS_SINGLE);
	assert_string_equal(redis->prefix, "sluice");
	assert_int_equal(redis->budget_us, 20000);
	assert_int_equal(redis->connect_us, 500000);
	assert_null(redis->password);
	config_drop(config);
}

static void all_keys_find_their_place(void **state)
{
	(void)state;
	const struct config *config = fixture_good(
	    LEAST
	    "redis:\n  servers: [\"10.0.0.1:26379\", \"[::1]:26380\"]\n  mode: sentinel\n  master: mymaster\n"
	    "  user: me\n  password: secret\n  sentinel_password: other\n  database: 3\n  prefix: p\n  budget: 5ms\n"
	    "  connect: 1s\n");
	const struct config_redis *redis = &config->redis;
	assert_int_equal(redis->server_count, 2);
	assert_string_equal(redis->servers[1].host, "::1");
	assert_string_equal(redis->servers[1].port, "26380");
	assert_int_equal(redis->mode, CONFIG_REDIS_SENTINEL);
	assert_string_equal(redis->master, "mymaster");
	assert_string_equal(redis->user, "me");
	assert_true(secret_is(redis->password, SPAN("secret")));
	assert_true(secret_is(redis->sentinel_password, SPAN("other")));
	assert_int_equal(redis->database, 3);
	assert_string_equal(redis->prefix, "p");
	assert_int_equal(redis->budget_us, 5000);
	assert_int_equal(redis->connect_us, 1000000);
	config_drop(config);
}

static void a_socket_is_relative_to_the_file(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST "redis:\n  unix: run/redis.sock\n");
	assert_string_equal(config->redis.socket, "run/redis.sock");
	config_drop(config);
	char yaml[512];
	snprintf(yaml, sizeof(yaml), "%sredis:\n  unix: /%0106d\n", LEAST, 0);
	assert_null(fixture_load(yaml));
	assert_non_null(strstr(fixture_findings(), "expected the path of a unix socket, at most 106 bytes long"));
}

static void tls_is_switched_on_by_its_section(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST "redis:\n  servers: a:1\n  tls: {}\n");
	assert_true(config->redis.tls.used);
	assert_null(config->redis.tls.ca);
	config_drop(config);
	config = fixture_good(LEAST "redis:\n  servers: a:1\n  tls:\n");
	assert_false(config->redis.tls.used);
	config_drop(config);
	config = fixture_good(LEAST "redis:\n  servers: a:1\n  tls: { ca: /etc/passwd, certificate: /etc/passwd, key: "
				    "/etc/passwd, name: redis.example }\n");
	assert_true(config->redis.tls.used);
	assert_string_equal(config->redis.tls.ca, "/etc/passwd");
	assert_string_equal(config->redis.tls.certificate, "/etc/passwd");
	assert_string_equal(config->redis.tls.key, "/etc/passwd");
	assert_string_equal(config->redis.tls.name, "redis.example");
	config_drop(config);
	fixture_bad(LEAST "redis:\n  unix: /s\n  tls: {}\n",
		    "t.yaml:10: redis.tls: a unix socket needs none; expected servers instead of it\n");
	fixture_bad(LEAST "redis:\n  tls: {}\n",
		    "t.yaml:9: redis.tls: there is no Redis to use it with; expected servers or unix beside it\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  tls: { certificate: /etc/passwd }\n",
		    "t.yaml:10: redis.tls.key: missing; expected the path of the certificate's key\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  tls: { key: /etc/passwd }\n",
		    "t.yaml:10: redis.tls.certificate: missing; expected the path of the key's certificate\n");
}

static void contradictions_are_told(void **state)
{
	(void)state;
	fixture_bad(LEAST "redis:\n  servers: a:1\n  unix: /s\n",
		    "t.yaml:10: redis.unix: there are servers, too; expected only one of both\n");
	fixture_bad(LEAST "redis:\n  unix: /s\n  mode: cluster\n",
		    "t.yaml:9: redis.unix: a socket leads to one server; expected servers, or mode: single\n");
	fixture_bad(LEAST "redis:\n  servers: [a:1, b:2]\n",
		    "t.yaml:9: redis.servers: these are several; expected one, or mode: cluster or sentinel\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  mode: cluster\n  database: 1\n",
		    "t.yaml:11: redis.database: a cluster has only database 0; expected 0\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  master: m\n",
		    "t.yaml:10: redis.master: only sentinels know names of masters; expected mode: sentinel\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  sentinel_password: x\n",
		    "t.yaml:10: redis.sentinel_password: there are no sentinels; expected mode: sentinel\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  mode: sentinel\n",
		    "t.yaml:8: redis.master: missing; expected the name that the sentinels know the master by\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  user: me\n",
		    "t.yaml:10: redis.user: there is no password; expected one beside it\n");
	fixture_bad(LEAST "redis:\n  password: x\n",
		    "t.yaml:9: redis.password: there is no Redis to use it with; expected servers or unix beside it\n");
}

static void bad_values_are_told(void **state)
{
	(void)state;
	fixture_bad(LEAST "redis:\n  servers: [a]\n",
		    "t.yaml:9: redis.servers[0]: got \"a\"; expected an address with port, such as 127.0.0.1:6379 or "
		    "\"[::1]:6379\", or a list of them\n");
	fixture_bad(LEAST "redis:\n  servers: a:0\n",
		    "t.yaml:9: redis.servers: got \"a:0\"; expected an address with port, such as 127.0.0.1:6379 or "
		    "\"[::1]:6379\", or a list of them\n");
	fixture_bad(LEAST "redis:\n  servers: a:1\n  mode: clustr\n",
		    "t.yaml:10: redis.mode: got \"clustr\"; expected one of single, cluster, sentinel; did you mean "
		    "\"cluster\"?\n");
	fixture_bad(
	    LEAST "redis:\n  servers: a:1\n  password: \"a b s3cret\"\n",
	    "t.yaml:10: redis.password: got a value that is not shown; expected visible ASCII characters without "
	    "spaces\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_place_there_is_no_redis),
	    cmocka_unit_test(one_server_needs_its_address_only),
	    cmocka_unit_test(all_keys_find_their_place),
	    cmocka_unit_test(a_socket_is_relative_to_the_file),
	    cmocka_unit_test(tls_is_switched_on_by_its_section),
	    cmocka_unit_test(contradictions_are_told),
	    cmocka_unit_test(bad_values_are_told),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
