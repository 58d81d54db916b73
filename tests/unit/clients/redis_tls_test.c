/* SPDX-License-Identifier: MIT */
/* TLS towards real Redis servers: whose certificate is accepted, what is shown, and that losing it is as without. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/redis/redis_tls.h"
#include "tests/unit/clients/test_redis.h"

enum { NODES = 3, LARGE = 4 << 20, CROWD = 300 };

static struct authority authority, stranger;
static struct authority_files by_address, by_name, expired, client;
static struct redis_process *server;
static int port;

static int start_all(void **state)
{
	(void)state;
	authority_make(&authority, "ours");
	authority_make(&stranger, "a stranger");
	authority_issue(&authority, &by_address, "address", "IP:127.0.0.1");
	authority_issue(&authority, &by_name, "name", "DNS:redis.example");
	authority_issue(&authority, &client, "client", NULL);
	authority_issue_between(&authority, &expired, "expired", "IP:127.0.0.1", -2 * AUTHORITY_DAY, -AUTHORITY_DAY);
	server = redis_tls_start(&port, &authority, &by_address, "", false);
	return 0;
}

static int stop_all(void **state)
{
	(void)state;
	redis_process_stop(server);
	authority_remove(&authority);
	authority_remove(&stranger);
	return 0;
}

/* Over TLS to 127.0.0.1; the test may change it before env_start. */
static void env_prepare_tls(struct redis_env *env, int to)
{
	env_prepare(env);
	env_add_address(env, to);
	env->config.tls = (struct config_client_tls){.used = true, .ca = authority.ca};
}

/* It is not used, the log says why, and trying goes on without a second line. */
static void check_refused(struct redis_env *env, const char *why)
{
	struct asked asked;
	AWAIT(env, env_logged(env, why) == 1);
	assert_true(env_gauge(env, METRIC_REDIS_UP) == 0);
	assert_false(ASK(env, &asked, "PING"));
	uint64_t tries = metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0);
	AWAIT(env, metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) >= tries + 2);
	assert_int_equal(env_logged(env, "\n"), 1);
	env_close(env);
}

static void commands_and_large_values_pass(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked, crowd[CROWD];
	char *large = malloc(LARGE + 1);
	memset(large, 'v', LARGE);
	large[LARGE] = '\0';
	env_prepare_tls(&env, port);
	env_start(&env);
	ASK_AND_AWAIT(&env, &asked, "SET", "large", large);
	assert_string_equal(asked.text, "OK");
	ASK_AND_AWAIT(&env, &asked, "GET", "large");
	assert_int_equal(asked.len, LARGE);
	for (int i = 0; i < CROWD; i++)
		assert_true(ASK(&env, &crowd[i], "INCR", "crowd"));
	for (int i = 0; i < CROWD; i++) {
		AWAIT(&env, crowd[i].replies == 1);
		assert_int_equal(crowd[i].integer, i + 1);
	}
	assert_non_null(strstr(redis_process_say(server, "CLIENT LIST TYPE normal"), "cmd=incr"));
	env_close(&env);
	free(large);
}

static void a_certificate_of_another_authority_is_refused(void **state)
{
	(void)state;
	struct redis_env env;
	env_prepare_tls(&env, port);
	env.config.tls.ca = stranger.ca;
	env_start(&env);
	check_refused(&env, "its certificate is not accepted: self-signed certificate in certificate chain");
	env_prepare_tls(&env, port);
	env.config.tls.ca = NULL; /* the system's */
	env_start(&env);
	check_refused(&env, "its certificate is not accepted: ");
}

static void the_name_is_checked(void **state)
{
	static const char *const names[] = {"redis.example", "other.example", NULL};
	int named = 0;
	struct redis_process *at = redis_tls_start(&named, &authority, &by_name, "", false);
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct redis_env env;
		struct asked asked;
		env_prepare_tls(&env, named);
		env.config.tls.name = names[i];
		env_start(&env);
		if (i == 0) {
			ASK_AND_AWAIT(&env, &asked, "PING");
			env_close(&env);
		} else {
			check_refused(&env, i == 1 ? "its certificate is not accepted: hostname mismatch"
						   : "its certificate is not accepted: IP address mismatch");
		}
	}
	redis_process_stop(at);
}

static void a_host_is_the_name_when_there_is_no_other(void **state)
{
	(void)state;
	struct redis_env env;
	env_prepare_tls(&env, port);
	env.address[0].host = "localhost"; /* which the certificate does not have */
	env_start(&env);
	check_refused(&env, "its certificate is not accepted: hostname mismatch");
}

static void an_expired_certificate_is_refused(void **state)
{
	int old = 0;
	struct redis_process *at = redis_tls_start(&old, &authority, &expired, "", false);
	struct redis_env env;
	(void)state;
	env_prepare_tls(&env, old);
	env_start(&env);
	check_refused(&env, "its certificate is not accepted: certificate has expired");
	redis_process_stop(at);
}

static void a_port_in_cleartext_and_tls_do_not_meet(void **state)
{
	(void)state;
	struct redis_env env;
	env_prepare_tls(&env, server->port);
	env.config.connect_us = 200000; /* it waits for the end of a line, which a ClientHello may not have */
	env_start(&env);
	check_refused(&env, "TLS ");
	env_prepare(&env);
	env_add_address(&env, port);
	env_start(&env);
	check_refused(&env, "the connection was lost: ");
}

static void a_client_certificate_is_shown(void **state)
{
	int strict = 0;
	struct redis_process *at = redis_tls_start(&strict, &authority, &by_address, "tls-auth-clients yes\n", false);
	struct redis_env env;
	struct asked asked;
	(void)state;
	env_prepare_tls(&env, strict);
	env.config.tls.certificate = client.certificate;
	env.config.tls.key = client.key;
	env_start(&env);
	ASK_AND_AWAIT(&env, &asked, "PING");
	env_close(&env);
	env_prepare_tls(&env, strict);
	env_start(&env);
	check_refused(&env, "redis is down"); /* its alert may be lost with the connection */
	redis_process_stop(at);
}

static void a_server_that_comes_back_is_used_again(void **state)
{
	(void)state;
	struct redis_env env;
	struct asked asked;
	env_prepare_tls(&env, port);
	env_start(&env);
	ASK_AND_AWAIT(&env, &asked, "PING");
	redis_process_signal(server, SIGSTOP);
	assert_true(ASK(&env, &asked, "GET", "a"));
	test_reactor_run(env.reactor, 20000);
	redis_process_signal(server, SIGKILL);
	AWAIT(&env, asked.replies == 1);
	assert_int_equal(asked.kind, REDIS_SILENT);
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 0);
	redis_process_restart(server);
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 1);
	ASK_AND_AWAIT(&env, &asked, "PING");
	assert_true(metrics_sum(METRIC_REDIS_RECONNECTS, 0, 0, 0) > 0);
	env_close(&env);
}

/* Listens, and neither answers nor closes. */
static int listen_mute(int *at)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*at = ntohs(address.sin_port);
	return fd;
}

static void a_handshake_that_stalls_is_given_up(void **state)
{
	(void)state;
	struct redis_env env;
	int at = 0, fd = listen_mute(&at);
	env_prepare_tls(&env, at);
	env.config.connect_us = 50000;
	env_start(&env);
	check_refused(&env, "its TLS handshake was not over in time");
	close(fd);
}

static void wrong_files_are_named(void **state)
{
	static struct authority_files none = {"/nonexistent.pem", "/nonexistent.key"};
	const struct {
		struct config_client_tls tls;
		const char *text;
	} cases[] = {
	    {{.ca = none.certificate}, "redis.tls.ca: /nonexistent.pem: No such file or directory; expected PEM"},
	    {{.ca = client.key}, "redis.tls.ca: "},
	    {{.certificate = none.certificate, .key = client.key},
	     "redis.tls.certificate: /nonexistent.pem: No such file or directory; expected a PEM certificate chain"},
	    {{.certificate = client.certificate, .key = by_name.key}, "key values mismatch; expected a PEM key"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_redis config = {.tls = cases[i].tls};
		struct buf why;
		buf_init(&why, 4096);
		config.tls.used = true;
		assert_null(redis_shared_create(&config, &why));
		buf_append(&why, SPAN("\0"));
		if (strstr(buf_span(&why).at, cases[i].text) == NULL)
			fail_msg("%s", buf_span(&why).at);
		buf_fini(&why);
	}
}

static void a_cluster_over_tls_is_one(void **state)
{
	struct redis_process *nodes[NODES];
	int ports[NODES];
	struct redis_env env;
	struct asked asked;
	(void)state;
	redis_tls_cluster_start(nodes, ports, NODES, &authority, &by_address);
	env_prepare_tls(&env, ports[0]);
	env.config.mode = CONFIG_REDIS_CLUSTER;
	env_start(&env);
	for (int i = 0; i < 50; i++) {
		char key[16];
		snprintf(key, sizeof(key), "key%d", i);
		ASK_AND_AWAIT(&env, &asked, "SET", key, "1");
		assert_string_equal(asked.text, "OK");
	}
	for (int i = 0; i < NODES; i++)
		assert_true(strtoul(redis_process_say(nodes[i], "DBSIZE") + 1, NULL, 10) > 0);
	env_close(&env);
	for (int i = 0; i < NODES; i++)
		redis_process_stop(nodes[i]);
}

static void a_failover_of_sentinels_over_tls_is_followed(void **state)
{
	static const char replicates[] = "tls-replication yes\n";
	struct redis_process *first, *second, *sentinel;
	int ports[3];
	char more[256];
	struct redis_env env;
	struct asked asked;
	(void)state;
	first = redis_tls_start(&ports[0], &authority, &by_address, replicates, false);
	snprintf(more, sizeof(more), "%sreplicaof 127.0.0.1 %d\n", replicates, ports[0]);
	second = redis_tls_start(&ports[1], &authority, &by_address, more, false);
	snprintf(more, sizeof(more),
		 "%ssentinel monitor mymaster 127.0.0.1 %d 1\nsentinel down-after-milliseconds mymaster 60000\n"
		 "sentinel failover-timeout mymaster 3000\n",
		 replicates, ports[0]);
	sentinel = redis_tls_start(&ports[2], &authority, &by_address, more, true);
	redis_process_await(sentinel, "SENTINEL MASTER mymaster", "num-slaves\r\n$1\r\n1");
	redis_process_await(second, "INFO replication", "master_link_status:up");
	env_prepare_tls(&env, ports[2]);
	env.config.mode = CONFIG_REDIS_SENTINEL;
	env.config.master = "mymaster";
	env_start(&env);
	ASK_AND_AWAIT(&env, &asked, "SET", "a", "1");
	assert_string_equal(asked.text, "OK");
	redis_process_await(second, "EXISTS a", ":1");
	redis_process_signal(first, SIGKILL);
	redis_process_await(sentinel, "SENTINEL SET mymaster down-after-milliseconds 300", "+OK");
	redis_process_await(second, "INFO replication", "role:master");
	AWAIT(&env, env_gauge(&env, METRIC_REDIS_UP) == 1);
	do
		ASK_AND_AWAIT(&env, &asked, "GET", "a");
	while (asked.kind == REDIS_SILENT);
	assert_string_equal(asked.text, "1");
	env_close(&env);
	redis_process_stop(sentinel);
	redis_process_stop(first);
	redis_process_stop(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_and_large_values_pass),
	    cmocka_unit_test(a_certificate_of_another_authority_is_refused),
	    cmocka_unit_test(the_name_is_checked),
	    cmocka_unit_test(a_host_is_the_name_when_there_is_no_other),
	    cmocka_unit_test(an_expired_certificate_is_refused),
	    cmocka_unit_test(a_port_in_cleartext_and_tls_do_not_meet),
	    cmocka_unit_test(a_client_certificate_is_shown),
	    cmocka_unit_test(a_server_that_comes_back_is_used_again),
	    cmocka_unit_test(a_handshake_that_stalls_is_given_up),
	    cmocka_unit_test(wrong_files_are_named),
	    cmocka_unit_test(a_cluster_over_tls_is_one),
	    cmocka_unit_test(a_failover_of_sentinels_over_tls_is_followed),
	};
	return cmocka_run_group_tests(tests, start_all, stop_all);
}
