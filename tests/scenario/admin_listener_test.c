/* SPDX-License-Identifier: MIT */
/*
 * The admin listener and the public ones: each serves its own, says who serves the rest without an address, and
 * operators get in when clients have taken everything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define BACKEND "backends: { b: { url: 'http://127.0.0.1:1/v1' } }\nmodels: { m: b/m }\n"

static const struct {
	const char *method, *path, *body;
	const char *name; /* in `public`; NULL = of the API */
} operations[] = {
    {"POST", "/v1/chat/completions", "{}", NULL},
    {"POST", "/v1/completions", "{}", NULL},
    {"POST", "/v1/embeddings", "{}", NULL},
    {"POST", "/v1/fanout", "{}", NULL},
    {"GET", "/v1/models", NULL, NULL},
    {"GET", "/v1/models/m", NULL, NULL},
    {"GET", "/metrics", NULL, "metrics"},
    {"GET", "/docs", NULL, "docs"},
    {"GET", "/docs/docs.js", NULL, "docs"},
    {"GET", "/openapi.json", NULL, "openapi"},
    {"GET", "/admin/backends", NULL, "admin"},
    {"GET", "/admin/usage", NULL, "admin"},
    {"GET", "/admin/cache", NULL, "admin"},
    {"DELETE", "/admin/cache", NULL, "admin"},
};

enum { OPERATIONS = sizeof operations / sizeof *operations };

/* Sends method and path to a port over a fresh connection. more: header lines with CRLF. The caller frees. */
static struct answer ask(int port, const char *method, const char *path, const char *more, const char *body)
{
	struct h1 h1;
	h1_open(&h1, port, false);
	h1.head_only = strcmp(method, "HEAD") == 0;
	h1_send(&h1, "%s %s HTTP/1.1\r\n%s%s", method, path, strstr(more, "Host:") == NULL ? "Host: localhost\r\n" : "",
		more);
	if (body != NULL)
		h1_send(&h1, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	h1_send(&h1, "\r\n%s", body == NULL ? "" : body);
	h1_wait_end(&h1);
	struct answer answer = h1.answer;
	h1.answer = (struct answer){0};
	h1_close(&h1);
	return answer;
}

static int status(int port, const char *method, const char *path, const char *more, const char *body)
{
	struct answer answer = ask(port, method, path, more, body);
	int seen = answer.status;
	answer_free(&answer);
	return seen;
}

/* The refusal names the key that matters, and never where the other listener is. */
static void check_elsewhere(struct answer *answer, const struct sluice *sluice, const char *words)
{
	char port[16];
	check_error(answer, 404, "unknown_url");
	check_contains(&answer->body, words);
	check_lacks(&answer->body, "127.0.0.1");
	snprintf(port, sizeof port, "%d", sluice->admin_port);
	check_lacks(&answer->body, port);
	answer_free(answer);
}

static void each_operation_is_served_by_its_listener_alone(void **state)
{
	(void)state;
	struct sluice *sluice = sluice_start("public: []\n" BACKEND);
	for (size_t i = 0; i < OPERATIONS; i++) {
		bool api = operations[i].name == NULL;
		int here = api ? sluice->port : sluice->admin_port, there = api ? sluice->admin_port : sluice->port;
		char words[128];
		snprintf(words, sizeof words, api ? "public listeners (`listen`)" : "list `%s` in `public`",
			 operations[i].name);
		struct answer answer = ask(there, operations[i].method, operations[i].path, "", operations[i].body);
		check_elsewhere(&answer, sluice, words);
		answer = ask(there, "OPTIONS", operations[i].path, "", NULL);
		check_elsewhere(&answer, sluice, words);
		answer = ask(there, "PATCH", operations[i].path, "", NULL);
		check_elsewhere(&answer, sluice, words);
		int seen = status(here, operations[i].method, operations[i].path, "", operations[i].body);
		if (seen != (operations[i].body == NULL ? 200 : 400))
			fail_msg("%s %s: %d", operations[i].method, operations[i].path, seen);
	}
	for (int i = 0; i < 2; i++) {
		int port = i == 0 ? sluice->port : sluice->admin_port;
		assert_int_equal(status(port, "GET", "/livez", "", NULL), 200);
		assert_int_equal(status(port, "HEAD", "/readyz", "", NULL), 200);
		assert_int_equal(status(port, "GET", "/nowhere", "", NULL), 404);
	}
	sluice_wait_idle(sluice);
}

static void a_refusal_is_the_same_over_all_ways_to_clients(void **state)
{
	(void)state;
	struct sluice *sluice = sluice_start("public: []\n" BACKEND);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_ask(sluice, via, "GET", "/metrics", NULL, NULL, &answer);
		check_elsewhere(&answer, sluice,
				"is served by the admin listener (`admin`); list `metrics` in `public`");
	}
	sluice_wait_idle(sluice);
}

static void what_public_lists_is_served_to_clients(void **state)
{
	(void)state;
	struct sluice *sluice = sluice_start("public: [docs, metrics]\n" BACKEND);
	for (size_t i = 0; i < OPERATIONS; i++) {
		if (operations[i].name == NULL)
			continue;
		bool admin = strcmp(operations[i].name, "admin") == 0;
		int seen = status(sluice->port, operations[i].method, operations[i].path, "", NULL);
		if (seen != (admin ? 404 : 200))
			fail_msg("%s: %d", operations[i].path, seen);
	}
	assert_int_equal(status(sluice->port, "GET", "/", "", NULL), 302);
	sluice_wait_idle(sluice);
}

static void the_root_leads_to_the_docs_page_where_that_is_served(void **state)
{
	(void)state;
	struct sluice *sluice = sluice_start("public: []\n" BACKEND);
	struct answer answer = ask(sluice->admin_port, "GET", "/", "", NULL);
	assert_int_equal(answer.status, 302);
	check_header(&answer, "location", "/docs");
	answer_free(&answer);
	answer = ask(sluice->port, "GET", "/", "", NULL);
	check_contains(&answer.body, "this gateway serves POST /v1/chat/completions");
	check_elsewhere(&answer, sluice, "list `docs` in `public`");
	assert_int_equal(status(sluice->port, "HEAD", "/", "", NULL), 200);
}

/* The page tries the API out on its own address; nobody else has a reason to ask there. */
static void the_docs_page_may_try_the_api_out_and_no_other_page_may(void **state)
{
	static const char chat[] = "/v1/chat/completions";
	(void)state;
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice =
	    sluice_start("public: []\nhosts: [ops.test, sluice.test]\ncors: { origins: '*' }\n"
			 "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: s/count }\n",
			 sim->port);
	char own[64], referer[64];
	int port = sluice->admin_port;
	snprintf(own, sizeof own, "Host: localhost:%d\r\nOrigin: http://localhost:%d\r\n", port, port);
	snprintf(referer, sizeof referer, "Host: a\r\nReferer: http://a/docs\r\n");
	assert_int_equal(status(port, "POST", chat, own, chat_body("m", false)), 200);
	assert_int_equal(status(port, "POST", chat, own, chat_body("m", true)), 200);
	assert_int_equal(
	    status(port, "GET", "/v1/models", "Host: ops.test\r\nReferer: http://ops.test/docs?x=http://b/\r\n", NULL),
	    200);
	assert_int_equal(sim_call_count(sim, ""), 2);
	assert_int_equal(status(port, "GET", "/v1/models", "Referer: http://evil.test/localhost/\r\n", NULL), 404);
	assert_int_equal(status(port, "POST", chat, "", chat_body("m", false)), 404);
	assert_int_equal(status(port, "POST", chat, "Origin: http://evil.test\r\n", chat_body("m", false)), 403);
	assert_int_equal(status(port, "POST", chat, referer, chat_body("m", false)), 421);
	assert_int_equal(sim_call_count(sim, ""), 2);
	sluice_wait_idle(sluice);
}

static void the_admin_listener_opens_nothing_to_other_origins(void **state)
{
	static const char preflight[] = "Origin: https://app.test\r\nAccess-Control-Request-Method: GET\r\n";
	static const char *const paths[] = {"/docs", "/openapi.json", "/metrics", "/admin/cache", "/livez"};
	(void)state;
	struct sluice *sluice = sluice_start("public: []\ncors: { origins: 'https://app.test' }\n" BACKEND);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		for (int method = 0; method < 2; method++) {
			struct answer answer =
			    ask(sluice->admin_port, method == 0 ? "GET" : "OPTIONS", paths[i], preflight, NULL);
			check_header(&answer, "access-control-allow-origin", NULL);
			check_header(&answer, "access-control-allow-methods", NULL);
			answer_free(&answer);
		}
	}
	assert_int_equal(status(sluice->admin_port, "DELETE", "/admin/cache", "Origin: https://app.test\r\n", NULL),
			 403);
	struct answer answer = ask(sluice->port, "GET", "/livez", preflight, NULL);
	check_header(&answer, "access-control-allow-origin", "https://app.test");
	answer_free(&answer);
}

static void it_answers_to_names_that_no_page_can_have(void **state)
{
	static const struct {
		const char *host;
		int loopback, any;
	} rows[] = {
	    {"localhost", 200, 200},     {"127.0.0.1:9090", 200, 200},     {"[::1]:1", 200, 200},
	    {"ops.test:9090", 200, 200}, {"10.1.2.3:9090", 421, 200},      {"[2001:db8::1]", 421, 200},
	    {"evil.test", 421, 421},     {"10.1.2.3.evil.test", 421, 421},
	};
	(void)state;
	struct sluice *loopback = sluice_start("hosts: [ops.test, sluice.test]\n" BACKEND);
	struct sluice *any = sluice_start("auth: none\nadmin: 0.0.0.0:0\nhosts: [ops.test, sluice.test]\n" BACKEND);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char host[64];
		snprintf(host, sizeof host, "Host: %s\r\n", rows[i].host);
		if (status(loopback->admin_port, "GET", "/metrics", host, NULL) != rows[i].loopback ||
		    status(any->admin_port, "GET", "/metrics", host, NULL) != rows[i].any)
			fail_msg("%s", rows[i].host);
	}
}

/* One worker whose clients have every connection, each with a stream that does not end. */
static void operators_get_in_when_clients_have_every_connection(void **state)
{
	enum { CLIENTS = 4, WAITING = 40 };
	(void)state;
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = sluice_start_workers(1,
						     "public: []\nlimits: { connections: %d }\n"
						     "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
						     "models: { m: s/count;events_then_hang;after=1 }\n",
						     CLIENTS, sim->port);
	struct client streams[CLIENTS];
	static struct h1 waiting[WAITING];
	for (int i = 0; i < CLIENTS; i++) {
		client_chat(&streams[i], sluice, VIA_H1, "m", true);
		client_wait_head(&streams[i]);
		assert_int_equal(client_answer(&streams[i])->status, 200);
	}
	for (int i = 0; i < WAITING; i++) {
		h1_open(&waiting[i], sluice->port, false);
		h1_get(&waiting[i], "/livez");
	}
	for (int i = 0; i < 20; i++) {
		assert_int_equal(status(sluice->admin_port, "GET", "/metrics", "", NULL), 200);
		assert_int_equal(status(sluice->admin_port, "GET", "/admin/backends", "", NULL), 200);
		assert_int_equal(status(sluice->admin_port, "DELETE", "/admin/cache", "", NULL), 200);
	}
	for (int i = 0; i < WAITING; i++)
		assert_false(h1_pump(&waiting[i]));
	for (int i = 0; i < CLIENTS; i++)
		client_close(&streams[i]);
	for (int i = 0; i < WAITING; i++) {
		h1_wait_end(&waiting[i]);
		assert_int_equal(waiting[i].answer.status, 200);
		h1_close(&waiting[i]);
	}
	sluice_wait_idle(sluice);
}

static void operators_get_in_when_there_is_no_descriptor(void **state)
{
	enum { CLIENTS = 32 };
	size_t count = 0;
	(void)state;
	struct sluice *sluice = sluice_start_workers(1, "public: []\n" BACKEND);
	struct proc_fds open = proc_fds(sluice->proc);
	struct rlimit before, few;
	struct h1 clients[CLIENTS];
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, NULL, &before), 0);
	few = before;
	few.rlim_cur = open.upstream + open.downstream + open.other;
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, &few, NULL), 0);
	do {
		h1_open(&clients[count], sluice->port, false);
	} while (!wire_wait(&clients[count++].wire, 200) && count < CLIENTS);
	h1_wait_end(&clients[count - 1]);
	check_error(&clients[count - 1].answer, 503, "overloaded");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(status(sluice->admin_port, "GET", "/metrics", "", NULL), 200);
		assert_int_equal(status(sluice->admin_port, "GET", "/admin/backends", "", NULL), 200);
	}
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, &before, NULL), 0);
	while (count > 0)
		h1_close(&clients[--count]);
	sluice_wait_idle(sluice);
}

static void turned_off_it_is_not_there(void **state)
{
	struct bytes log = {0};
	(void)state;
	struct sluice *sluice = sluice_start("admin: off\npublic: [metrics]\n" BACKEND);
	assert_int_equal(sluice->admin_port, 0);
	assert_int_equal(status(sluice->port, "GET", "/metrics", "Host: localhost\r\n", NULL), 200);
	struct answer answer = ask(sluice->port, "GET", "/admin/cache", "", NULL);
	check_error(&answer, 404, "unknown_url");
	check_contains(&answer.body, "is not served, since `admin` is off; list `admin` in `public`");
	answer_free(&answer);
	proc_read(sluice->proc, PROC_STDERR, &log);
	check_lacks(&log, "\"listener\":\"admin\"");
	check_lacks(&log, "\"docs\"");
	bytes_free(&log);
}

static void the_start_names_both_listeners(void **state)
{
	char words[256];
	struct bytes log = {0};
	(void)state;
	struct sluice *sluice = sluice_start("public: []\n" BACKEND);
	proc_read(sluice->proc, PROC_STDERR, &log);
	snprintf(words, sizeof words, "\"address\":\"127.0.0.1:%d\",\"listener\":\"public\",\"tls\":\"no\"",
		 sluice->port);
	check_contains(&log, words);
	snprintf(words, sizeof words, "\"address\":\"127.0.0.1:%d\",\"listener\":\"admin\",\"tls\":\"no\"",
		 sluice->admin_port);
	check_contains(&log, words);
	snprintf(words, sizeof words,
		 "\"api\":\"http://127.0.0.1:%d/v1\",\"admin\":\"http://127.0.0.1:%d\",\"docs\":\"http://127.0.0.1:%d/"
		 "docs\"",
		 sluice->port, sluice->admin_port, sluice->admin_port);
	check_contains(&log, words);
	bytes_free(&log);
}

/* Runs `sluice cache purge` at the socket; its exit status. */
static int purge_at(const char *socket)
{
	char url[160];
	struct bytes out = {0}, err = {0};
	snprintf(url, sizeof url, "unix:%s", socket);
	const char *const arguments[] = {"cache", "purge", "--url", url, NULL};
	int result = sluice_run(arguments, &out, &err);
	if (result == 0)
		check_contains(&out, "purged: 0");
	bytes_free(&out);
	bytes_free(&err);
	return result;
}

static void a_socket_is_private_and_goes_with_the_process(void **state)
{
	char socket[128];
	struct stat file;
	(void)state;
	snprintf(socket, sizeof socket, "%s/admin.sock", scenario_directory());
	for (int round = 0; round < 2; round++) {
		struct sluice *sluice = sluice_start("admin: 'unix:admin.sock'\npublic: [metrics]\n" BACKEND);
		assert_int_equal(stat(socket, &file), 0);
		assert_true(S_ISSOCK(file.st_mode));
		assert_int_equal(file.st_mode & 0777, 0600);
		assert_int_equal(purge_at(socket), 0);
		if (round == 0) {
			proc_kill(sluice->proc); /* leaves the file behind */
			assert_int_equal(stat(socket, &file), 0);
			assert_int_equal(purge_at(socket), 1);
		} else {
			assert_true(proc_stop(sluice->proc));
			assert_int_equal(stat(socket, &file), -1);
		}
	}
}

static void an_address_that_is_taken_is_told_with_its_key(void **state)
{
	char path[160], words[128];
	struct bytes out = {0}, err = {0};
	(void)state;
	struct sluice *sluice = sluice_start("public: []\n" BACKEND);
	snprintf(path, sizeof path, "%s/second.yaml", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "listen: [127.0.0.1:0]\nadmin: 127.0.0.1:%d\n" BACKEND, sluice->admin_port);
	fclose(file);
	const char *const arguments[] = {"--config", path, NULL};
	assert_int_equal(sluice_run(arguments, &out, &err), 1);
	snprintf(words, sizeof words, "second.yaml:2: admin: cannot listen on 127.0.0.1:%d: Address already in use",
		 sluice->admin_port);
	check_contains(&err, words);
	check_contains(&err, "expected another address, unix:PATH or off");
	bytes_free(&out);
	bytes_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(each_operation_is_served_by_its_listener_alone),
	    SCENARIO(a_refusal_is_the_same_over_all_ways_to_clients),
	    SCENARIO(what_public_lists_is_served_to_clients),
	    SCENARIO(the_root_leads_to_the_docs_page_where_that_is_served),
	    SCENARIO(the_docs_page_may_try_the_api_out_and_no_other_page_may),
	    SCENARIO(the_admin_listener_opens_nothing_to_other_origins),
	    SCENARIO(it_answers_to_names_that_no_page_can_have),
	    SCENARIO(operators_get_in_when_clients_have_every_connection),
	    SCENARIO(operators_get_in_when_there_is_no_descriptor),
	    SCENARIO(turned_off_it_is_not_there),
	    SCENARIO(the_start_names_both_listeners),
	    SCENARIO(a_socket_is_private_and_goes_with_the_process),
	    SCENARIO(an_address_that_is_taken_is_told_with_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
