/* SPDX-License-Identifier: MIT */
/*
 * Plants a secret of its own everywhere a secret can be, uses all of them in requests that succeed and fail, and
 * searches everything the process emits: log, answers, command line, and the output of its commands.
 * echoed_secrets_test.c has the backends that give them away.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/operations.h"
#include "tests/scenario/harness/planted.h"
#include "tests/scenario/harness/scenario.h"

/* ---- requests ---- */

static void use_credentials(struct planted *planted, enum via via)
{
	char bearer[PLANTED_TOKEN + 16], good[128], wrong[128], typo[CLIENT_KEY_SIZE], broken[PLANTED_TOKEN + 16];
	snprintf(bearer, sizeof bearer, "Bearer %s", planted->token);
	snprintf(broken, sizeof broken, "Bearer x%s", planted->token);
	snprintf(good, sizeof good, "Bearer %s", planted->client);
	snprintf(wrong, sizeof wrong, "Bearer %s", planted->stranger);
	snprintf(typo, sizeof typo, "%s", planted->client);
	typo[11] = typo[11] == 'x' ? 'y' : 'x'; /* in its id: the rest is the secret */
	const struct {
		int status;
		struct h2_header headers[3];
	} rows[] = {
	    {200, {{"authorization", good}}},
	    {200, {{"x-api-key", planted->client}}},
	    {200, {{"api-key", planted->client}}},
	    {200, {{"authorization", bearer}}},
	    {401, {{"authorization", broken}}},
	    {401, {{"authorization", wrong}}},
	    {401, {{"authorization", "Basic " PLANTED_BASIC}}},
	    {401, {{"x-api-key", typo}}},
	    {401, {{"x-api-key", planted->revoked}}},
	    {401, {{"x-api-key", planted->client}, {"api-key", planted->stranger}}},
	    {401, {{NULL, NULL}}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(planted_ask(planted, via, "GET", "/v1/models", rows[i].headers, NULL), rows[i].status);
		planted_ask(planted, via, "POST", CHAT, rows[i].headers, chat_body("dead", i % 2 == 0));
	}
	planted_ask(planted, via, "GET", "/v1/models?api_key=" PLANTED_QUERY, rows[0].headers, NULL);
	planted_ask(planted, via, "POST", CHAT "?key=" PLANTED_QUERY "&access_token=" PLANTED_QUERY, NULL,
		    chat_body("m0", false));
	planted_ask(planted, via, "POST", "/nowhere?key=" PLANTED_QUERY, NULL, chat_body("m0", false));
}

/* Each GET of the table, by the client and by the operator. */
static void read_everything(struct planted *planted)
{
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		const struct operation_row *row = operation_row((enum operation)i);
		char path[160];
		const char *brace = strchr(row->path, '{');
		snprintf(path, sizeof path, "%.*s%s",
			 (int)(brace == NULL ? strlen(row->path) : (size_t)(brace - row->path)), row->path,
			 brace == NULL ? "" : "m0");
		if (strcmp(row->method, "GET") != 0)
			continue;
		planted_ask_as(planted, planted->client, "GET", path, NULL);
		planted_ask_as(planted, planted->operator_key, "GET", path, NULL);
	}
}

/* A key is in the answer that makes it, and in no other one. */
static void make_stored_key(struct planted *planted)
{
	const struct h2_header headers[] = {{"x-api-key", planted->operator_key}, {NULL, NULL}};
	struct answer answer;
	client_ask(planted->sluice, VIA_H1, "POST", "/admin/keys", headers, "{\"name\":\"stored\"}", &answer);
	const char *key = strstr(bytes_text(&answer.body), "sk-sluice-");
	assert_non_null(key);
	planted_add_key(planted, key);
	char path[64];
	snprintf(path, sizeof path, "/admin/keys/%.8s", key + strlen("sk-sluice-"));
	assert_int_equal(planted_ask_as(planted, planted->operator_key, "GET", path, NULL), 200);
	answer_free(&answer);
}

static void requests_and_operators_see_no_secret(void **state)
{
	(void)state;
	struct planted planted = planted_start(PLANTED_REDIS);
	backend_reply(
	    planted.backends[0], "application/json",
	    "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,"
	    "\"message\":{\"role\":\"assistant\",\"content\":\"good\"},\"finish_reason\":\"stop\"}]}");
	assert_int_equal(planted_ask_as(&planted, planted.client, "POST", CHAT, chat_body("m0", false)), 200);
	planted_check_sent(planted.backends[0], planted_backend_keys[0]);
	make_stored_key(&planted);
	for (enum via via = 0; via < VIA_COUNT; via++)
		use_credentials(&planted, via);
	read_everything(&planted);
	/* a client that pastes its key into a path reads it there, and the log does not have it */
	struct answer answer;
	char path[128];
	const struct h2_header headers[] = {{"x-api-key", planted.client}, {NULL, NULL}};
	snprintf(path, sizeof path, "/v1/models/%s", planted.client);
	client_ask(planted.sluice, VIA_H2, "GET", path, headers, NULL, &answer);
	assert_int_equal(answer.status, 404);
	answer_free(&answer);
	planted_finish(&planted);
}

static bool was_refused(const struct bytes *log, void *user)
{
	(void)user;
	return bytes_contain(log, "WRONGPASS");
}

static void a_password_that_redis_refuses_is_not_logged(void **state)
{
	(void)state;
	struct planted planted = planted_start(PLANTED_WRONG_REDIS);
	proc_wait_output(planted.sluice->proc, PROC_STDERR, was_refused, NULL);
	planted_ask_as(&planted, planted.client, "POST", CHAT, chat_body("dead", false));
	read_everything(&planted);
	planted_finish(&planted);
}

/* ---- commands ---- */

static void run(struct planted *planted, const char *const arguments[])
{
	sluice_run(arguments, &planted->emitted, &planted->emitted);
}

#define LISTENS "listen: [127.0.0.1:0]\n"
#define REST "backends: { b: { url: 'http://127.0.0.1:1' } }\nmodels: { m: b/x }\n"

/* What a file says where a secret does not belong; ^ stands for one that is expanded, # for one that is written out
 * where only a secret can be, and ~ for a key of a client. */
static const char *const wrong[] = {
    LISTENS "admin: ^\n" REST,
    "listen: ['^']\n" REST,
    LISTENS "workers: ^\n" REST,
    LISTENS "auth: { pepper: #, mode: ^ }\n" REST,
    LISTENS "auth: { pepper: '#', store: sqlite }\n" REST,
    LISTENS "auth: { pepper: ~, store: sqlit }\n" REST,
    LISTENS "keys: { a: { hash: ~ } }\n" REST,
    LISTENS "keys: { a: { hash: '^' } }\n" REST,
    LISTENS "redis: { servers: ['x:^:h:1'] }\n" REST,
    LISTENS "redis: { password: # }\n" REST,
    LISTENS "backends: { b: { url: 'http://u:#@h' } }\nmodels: { m: b/x }\n",
    LISTENS "backends: { b: { url: '~' } }\nmodels: { m: b/x }\n",
    LISTENS "backends: { b: { url: 'http://h', api_key: [#] } }\nmodels: { m: b/x }\n",
    LISTENS "backends: { b: { url: 'http://h', api_key: '${file:none}#' } }\nmodels: { m: b/x }\n",
    LISTENS "backends: { b: { url: 'http://h', api_key: \"# }\nmodels: { m: b/x }\n",
    LISTENS "backends: { b: { url: 'http://h', api_key: '# with spaces' } }\nmodels: { m: b/x }\n",
};

static void write_wrong(const struct planted *planted, const char *text)
{
	struct bytes file = {0};
	for (; *text != '\0'; text++)
		bytes_printf(&file, "%s",
			     *text == '^'   ? "${PLANTED_WRONG}"
			     : *text == '#' ? PLANTED_PASTED
			     : *text == '~' ? planted->client
					    : (const char[]){*text, '\0'});
	planted_write_file("wrong.yaml", bytes_text(&file), file.len);
	bytes_free(&file);
}

/* sluice --config PATH */
static void read_config_path(const struct planted *planted, char path[256])
{
	struct bytes arguments = {0};
	snprintf(path, 256, "/proc/%d/cmdline", (int)planted->sluice->proc->pid);
	assert_true(bytes_read_file(&arguments, path));
	const char *option = arguments.at + strlen(arguments.at) + 1;
	assert_string_equal(option, "--config");
	snprintf(path, 256, "%s", option + strlen(option) + 1);
	bytes_free(&arguments);
}

static void commands_and_their_complaints_show_no_secret(void **state)
{
	static const char *const references[] = {"api", "cache", "config", "errors", "failures", "metrics", "openapi"};
	(void)state;
	struct planted planted = planted_start(PLANTED_REDIS);
	char path[256];
	planted_add(&planted, PLANTED_PASTED, strlen(PLANTED_PASTED));
	setenv("PLANTED_WRONG", PLANTED_PASTED, 1);
	snprintf(path, sizeof path, "%s/wrong.yaml", scenario_directory());
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		write_wrong(&planted, wrong[i]);
		assert_int_not_equal(
		    sluice_run((const char *const[]){"--check", path, NULL}, &planted.emitted, &planted.emitted), 0);
		run(&planted, (const char *const[]){"--config", path, NULL});
		run(&planted, (const char *const[]){"keys", "list", "--config", path, NULL});
		planted_search(&planted);
	}
	read_config_path(&planted, path);
	assert_int_equal(sluice_run((const char *const[]){"--check", path, NULL}, &planted.emitted, &planted.emitted),
			 0);
	make_stored_key(&planted);
	run(&planted, (const char *const[]){"keys", "list", "--config", path, NULL});
	run(&planted, (const char *const[]){"keys", "list", "--config", path, "--json", NULL});
	run(&planted, (const char *const[]){"keys", "revoke", "--config", path, planted.client, NULL});
	for (size_t i = 0; i < sizeof references / sizeof *references; i++)
		run(&planted, (const char *const[]){"--describe", references[i], NULL});
	planted_finish(&planted);
}

/* ---- memory ---- */

static bool is_ready(const struct bytes *log, void *user)
{
	(void)user;
	return bytes_contain(log, "\"ready\"");
}

/* Whose the files of a process in /proc are: its user's, or root's when the process leaves no dumps (proc(5)). */
static uid_t owner_of(const char *dumps)
{
	char text[256], path[256];
	struct stat status;
	int len = snprintf(text, sizeof text, LISTENS "admin: 127.0.0.1:0\n%s" REST, dumps);
	planted_write_file("dumps.yaml", text, (size_t)len);
	snprintf(path, sizeof path, "%s/dumps.yaml", scenario_directory());
	/* another user than root, who may read every path all the same */
	const char *const command[] = {"/usr/bin/setpriv",
				       "--reuid=65534",
				       "--inh-caps=+dac_override",
				       "--ambient-caps=+dac_override",
				       scenario_program("SLUICE_BIN", "build/sluice"),
				       "--config",
				       path,
				       NULL};
	struct proc *proc = proc_start("sluice", geteuid() == 0 ? command : command + 4, NULL);
	proc_wait_output(proc, PROC_STDERR, is_ready, NULL);
	snprintf(path, sizeof path, "/proc/%d/environ", (int)proc->pid);
	assert_int_equal(stat(path, &status), 0);
	return status.st_uid;
}

static void the_process_leaves_no_core_dumps_unless_it_is_told_to(void **state)
{
	(void)state;
	if (SERVICE_SANITIZED) /* which look into the process */
		skip();
	assert_int_equal(owner_of(""), 0);
	assert_int_equal(owner_of("core_dumps: true\n"), geteuid() == 0 ? 65534 : geteuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(requests_and_operators_see_no_secret),
	    SCENARIO(a_password_that_redis_refuses_is_not_logged),
	    SCENARIO(commands_and_their_complaints_show_no_secret),
	    SCENARIO(the_process_leaves_no_core_dumps_unless_it_is_told_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
