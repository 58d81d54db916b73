/* SPDX-License-Identifier: MIT */
/*
 * Keys that are managed while the service runs, end to end: by `sluice keys` and by /admin/keys, in a file and in a
 * Redis that two replicas share; and what happens while the store is gone.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/replicas.h"
#include "tests/scenario/harness/scenario.h"

enum { KEY_SIZE = 64, PATH_SIZE = 160, LONG_GUARD_US = 60000000 };

/* The stores. */
enum kind { IN_FILE, IN_REDIS };

struct world {
	enum kind kind;
	struct redis_process *redis; /* NULL = none */
	struct sluice *each[REPLICAS];
	char config[PATH_SIZE]; /* for the commands */
	char file[PATH_SIZE];
	char listed[KEY_SIZE]; /* a key of the configuration */
};

static void stop_redis(void *redis)
{
	redis_process_stop(redis);
}

/* Runs a command; its output, which must come with that status. The caller frees it. */
static struct bytes command(int status, const char *const arguments[])
{
	struct bytes out = {0}, err = {0};
	int got = sluice_run(arguments, &out, &err);
	if (got != status)
		fail_msg("status %d: %s%s", got, bytes_text(&out), bytes_text(&err));
	if (status != 0) {
		bytes_free(&out);
		return err;
	}
	bytes_free(&err);
	return out;
}

/* The lines of auth, keys and redis. more: of auth. */
static void write_rest(struct bytes *yaml, const struct world *world, const char *hash, const char *more)
{
	bytes_printf(
	    yaml, "auth: { pepper: " CLIENT_KEY_PEPPER ", failures: 100000, store: %s%s%s, refresh: 100ms%s }\n",
	    world->kind == IN_FILE ? "sqlite, file: " : "redis", world->kind == IN_FILE ? world->file : "", "", more);
	bytes_printf(yaml,
		     "keys: { listed: { hash: '%s' } }\nbackends: { b: { url: 'http://127.0.0.1:1' } }\n"
		     "models: { m: b/x, n: b/y }\n",
		     hash);
	if (world->redis != NULL)
		bytes_printf(yaml, "redis: { unix: %s, budget: 5s, connect: 5s }\n", world->redis->socket);
}

/* more: further keys of auth, each with a comma in front. */
static struct world start(enum kind kind, const char *more)
{
	struct world world = {.kind = kind};
	struct bytes yaml = {0};
	char hash[CLIENT_KEY_HASH_SIZE];
	snprintf(world.file, sizeof world.file, "%s/keys.db", scenario_directory());
	snprintf(world.config, sizeof world.config, "%s/commands.yaml", scenario_directory());
	if (kind == IN_REDIS) {
		world.redis = redis_process_start("");
		scenario_defer(stop_redis, world.redis);
	}
	client_key_make("listed", world.listed, hash);
	write_rest(&yaml, &world, hash, more);
	FILE *file = fopen(world.config, "w");
	assert_non_null(file);
	fprintf(file, "listen: [127.0.0.1:0]\n%s", bytes_text(&yaml));
	fclose(file);
	for (int i = 0; i < (kind == IN_REDIS ? REPLICAS : 1); i++)
		world.each[i] = sluice_start("%s", bytes_text(&yaml));
	bytes_free(&yaml);
	return world;
}

/* ---- asking ---- */

/* The status of GET /v1/models with a key. */
static int status_of(const struct sluice *sluice, const char *key)
{
	const struct h2_header headers[] = {{"x-api-key", key}, {NULL, NULL}};
	struct answer answer;
	client_ask(sluice, VIA_H1, "GET", "/v1/models", headers, NULL, &answer);
	int status = answer.status;
	answer_free(&answer);
	return status;
}

static void await_status(const struct sluice *sluice, const char *key, int status)
{
	struct patience patience = patience_for("a key to get that status");
	patience.until_us = clock_us() + LONG_GUARD_US;
	while (status_of(sluice, key) != status)
		patience_wait(&patience);
}

static void await_everywhere(const struct world *world, const char *key, int status)
{
	for (int i = 0; i < REPLICAS && world->each[i] != NULL; i++)
		await_status(world->each[i], key, status);
}

/* One request to the admin listener, whose answer must have that status; the caller frees it. */
static struct answer admin(const struct sluice *sluice, int status, const char *method, const char *path,
			   const char *body)
{
	struct h1 h1;
	h1_open(&h1, sluice->admin_port, false);
	if (body == NULL)
		h1_send(&h1, "%s %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", method, path);
	else
		h1_send(&h1,
			"%s %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
			"content-length: %zu\r\n\r\n%s",
			method, path, strlen(body), body);
	h1_wait_end(&h1);
	struct answer answer = h1.answer;
	h1.answer = (struct answer){0};
	h1_close(&h1);
	if (answer.status != status)
		fail_msg("%s %s: status %d: %s", method, path, answer.status, bytes_text(&answer.body));
	return answer;
}

static void check_admin(const struct sluice *sluice, int status, const char *method, const char *path, const char *body,
			const char *part)
{
	struct answer answer = admin(sluice, status, method, path, body);
	if (part != NULL)
		check_contains(&answer.body, part);
	answer_free(&answer);
}

static void take(const struct bytes *text, const char *name, char value[KEY_SIZE])
{
	char pattern[32];
	snprintf(pattern, sizeof pattern, "\"%s\":\"", name);
	const char *at = strstr(bytes_text(text), pattern);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(pattern), "%63[^\"]", value), 1);
}

struct made {
	char id[KEY_SIZE], key[KEY_SIZE];
};

static struct made make_by_api(const struct sluice *sluice, const char *body)
{
	struct made made;
	struct answer answer = admin(sluice, 200, "POST", "/admin/keys", body);
	check_header(&answer, "cache-control", "no-store");
	take(&answer.body, "id", made.id);
	take(&answer.body, "key", made.key);
	answer_free(&answer);
	return made;
}

static struct made make_by_command(const struct world *world, const char *name)
{
	const char *const arguments[] = {"keys", "create", "--config", world->config, "--name", name, "--json", NULL};
	struct made made;
	struct bytes out = command(0, arguments);
	take(&out, "id", made.id);
	take(&out, "key", made.key);
	bytes_free(&out);
	return made;
}

static void run_on(const struct world *world, const char *what, const char *id)
{
	const char *const arguments[] = {"keys", what, "--config", world->config, id, NULL};
	struct bytes out = command(0, arguments);
	bytes_free(&out);
}

/* ---- secrets ---- */

/* The secret of a key without what may be shown of it. */
static const char *secret_of(const struct made *made)
{
	return made->key + sizeof "sk-sluice-" - 1 + 8;
}

/* Neither what the processes wrote nor what the store has holds the secret. */
static void check_nowhere(const struct world *world, const struct made *made)
{
	struct bytes all = {0};
	for (int i = 0; i < REPLICAS && world->each[i] != NULL; i++) {
		struct answer answer;
		sluice_get(world->each[i], "/metrics", &answer);
		bytes_append(&all, answer.body.at, answer.body.len);
		answer_free(&answer);
		proc_read(world->each[i]->proc, PROC_STDERR, &all);
		proc_read(world->each[i]->proc, PROC_STDOUT, &all);
	}
	if (world->kind == IN_FILE)
		assert_true(bytes_read_file(&all, world->file));
	else
		bytes_printf(&all, "%s", redis_process_say(world->redis, "HGETALL sluice:keys"));
	assert_true(bytes_contain(&all, made->id)); /* it was looked for in the right places */
	assert_false(bytes_contain(&all, secret_of(made)));
	bytes_free(&all);
}

/* ---- what both stores do ---- */

static void a_key_made_by_command_is_good_everywhere_until_it_is_revoked(enum kind kind)
{
	struct world world = start(kind, "");
	struct made made = make_by_command(&world, "crawler");
	await_everywhere(&world, made.key, 200);
	run_on(&world, "revoke", made.id);
	await_everywhere(&world, made.key, 401);
	const struct h2_header headers[] = {{"x-api-key", made.key}, {NULL, NULL}};
	struct answer answer;
	client_ask(world.each[0], VIA_H2_TLS, "GET", "/v1/models", headers, NULL, &answer);
	check_error(&answer, 401, "revoked_api_key");
	check_contains(&answer.body, "The key crawler was revoked");
	answer_free(&answer);
	assert_int_equal(status_of(world.each[0], world.listed), 200);
	check_nowhere(&world, &made);
}

static void a_key_made_by_the_api_does_what_it_was_made_for(enum kind kind)
{
	char path[PATH_SIZE];
	struct answer answer;
	struct world world = start(kind, "");
	const struct sluice *first = world.each[0];
	struct made made =
	    make_by_api(first, "{\"name\":\"narrow\",\"tenant\":\"acme/a\",\"models\":[\"m\"],\"labels\":{"
			       "\"team\":\"blue\"},\"limits\":{\"requests\":\"1000/day\"}}");
	await_everywhere(&world, made.key, 200);
	const struct h2_header headers[] = {{"x-api-key", made.key}, {NULL, NULL}};
	client_ask(first, VIA_H1, "POST", "/v1/chat/completions", headers, chat_body("n", false), &answer);
	check_error(&answer, 403, "missing_scope");
	answer_free(&answer);
	snprintf(path, sizeof path, "/admin/keys/%s", made.id);
	check_admin(first, 200, "GET", path, NULL,
		    "\"labels\":{\"team\":\"blue\"},\"limits\":{\"requests\":\"1000/day\"}");
	check_admin(first, 200, "GET", "/admin/keys?tenant=acme", NULL, made.id);
	check_admin(first, 200, "GET", "/admin/keys?tenant=acm", NULL, "\"data\":[]");
	check_admin(first, 200, "PATCH", path, "{\"limits\":{\"requests\":\"1/month\"}}", NULL);
	int status = 0;
	for (int i = 0; i < 100 && status != 429; i++) { /* one is taken, once the limit is known */
		client_ask(first, VIA_H1, "POST", "/v1/chat/completions", headers, chat_body("m", false), &answer);
		status = answer.status;
		answer_free(&answer);
		await_status(first, made.key, 200);
	}
	assert_int_equal(status, 429);
	check_admin(first, 200, "PATCH", path, "{\"networks\":[\"192.0.2.0/24\"]}", "\"models\":[\"m\"]");
	await_everywhere(&world, made.key, 403);
	check_admin(first, 200, "PATCH", path, "{\"networks\":null,\"expires\":\"2020-01-01\"}", "2020-01-01");
	await_everywhere(&world, made.key, 401);
	check_admin(first, 200, "PATCH", path, "{\"expires\":null}", NULL);
	await_everywhere(&world, made.key, 200);
	check_admin(first, 200, "DELETE", path, NULL, "\"state\":\"revoked\"");
	await_everywhere(&world, made.key, 401);
	check_nowhere(&world, &made);
}

static void a_rotated_key_has_two_secrets_for_its_overlap(enum kind kind)
{
	char path[PATH_SIZE];
	struct world world = start(kind, "");
	struct made made = make_by_api(world.each[0], "{\"name\":\"rotated\"}"), second = made, third = made;
	snprintf(path, sizeof path, "/admin/keys/%s/rotate", made.id);
	struct answer answer = admin(world.each[0], 200, "POST", path, "{\"overlap\":3600}");
	take(&answer.body, "key", second.key);
	check_contains(&answer.body, "\"former_until\":\"20");
	answer_free(&answer);
	await_everywhere(&world, second.key, 200);
	await_everywhere(&world, made.key, 200);
	answer = admin(world.each[0], 200, "POST", path, "{\"overlap\":0}");
	take(&answer.body, "key", third.key);
	answer_free(&answer);
	await_everywhere(&world, second.key, 401);
	await_everywhere(&world, made.key, 401);
	await_everywhere(&world, third.key, 200);
	check_nowhere(&world, &second);
	check_nowhere(&world, &third);
}

static void requests_that_are_wrong_are_refused_for_what_is_wrong(enum kind kind)
{
	struct world world = start(kind, "");
	const struct sluice *first = world.each[0];
	if (kind == IN_FILE)
		check_admin(first, 503, "GET", "/admin/keys", NULL, "key_store_unavailable");
	make_by_api(first, "{\"name\":\"a\"}");
	check_admin(first, 400, "POST", "/admin/keys", "{\"name\":\"a\",\"networks\":[\"::1\",\"10.0.0.1/8\"]}",
		    "\"param\":\"networks[1]\"");
	check_admin(first, 400, "POST", "/admin/keys", "{", "invalid_json");
	check_admin(first, 400, "POST", "/admin/keys", NULL, "invalid_json");
	check_admin(first, 400, "GET", "/admin/keys?limit=0", NULL, "between 1 and 1000");
	check_admin(first, 404, "GET", "/admin/keys/aaaaaaaa", NULL, "key_not_found");
	check_admin(first, 404, "PATCH", "/admin/keys/..%2f", "{}", "key_not_found");
	check_admin(first, 404, "POST", "/admin/keys/aaaaaaaa/rotate", "{}", "key_not_found");
	check_admin(first, 404, "GET", "/admin/keys/aaaaaaaa/rotat", NULL, "unknown_url");
	check_admin(first, 405, "PUT", "/admin/keys/aaaaaaaa", "{}", "method_not_allowed");
	struct bytes large = {0};
	bytes_printf(&large, "{\"name\":\"a\"%70000s}", "");
	check_admin(first, 413, "POST", "/admin/keys", bytes_text(&large), "at most 65536 bytes");
	bytes_free(&large);
}

/* The public listeners of the harness serve /admin, too. */
static void managing_keys_needs_a_key_with_admin(enum kind kind)
{
	struct answer answer;
	struct world world = start(kind, "");
	struct made plain = make_by_api(world.each[0], "{\"name\":\"plain\"}");
	struct made manager = make_by_api(world.each[0], "{\"name\":\"manager\",\"admin\":true}");
	const struct h2_header none[] = {{NULL, NULL}}, weak[] = {{"x-api-key", plain.key}, {NULL, NULL}},
			       good[] = {{"x-api-key", manager.key}, {NULL, NULL}};
	await_status(world.each[0], manager.key, 200);
	await_status(world.each[0], plain.key, 200);
	client_ask(world.each[0], VIA_H1, "POST", "/admin/keys", none, "{\"name\":\"x\"}", &answer);
	check_error(&answer, 401, "missing_api_key");
	answer_free(&answer);
	client_ask(world.each[0], VIA_H2, "POST", "/admin/keys", weak, "{\"name\":\"x\"}", &answer);
	check_error(&answer, 403, "missing_scope");
	answer_free(&answer);
	client_ask(world.each[0], VIA_H2_TLS, "POST", "/admin/keys", good, "{\"name\":\"x\"}", &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
}

/* ---- while the store is gone ---- */

static char aside[PATH_SIZE + 8];

static void lose_store(struct world *world)
{
	snprintf(aside, sizeof aside, "%s.aside", world->file);
	if (world->kind == IN_FILE)
		assert_int_equal(rename(world->file, aside), 0);
	else
		redis_process_signal(world->redis, SIGKILL);
}

static void find_store(struct world *world)
{
	if (world->kind == IN_FILE)
		assert_int_equal(rename(aside, world->file), 0);
	else
		redis_process_restart(world->redis);
}

static void in_its_grace_the_copy_serves_and_judges_nothing_new(enum kind kind)
{
	struct world world = start(kind, ", grace: 24h");
	struct made known = make_by_api(world.each[0], "{\"name\":\"known\"}");
	struct made unknown = make_by_api(world.each[0], "{\"name\":\"unknown\"}");
	await_everywhere(&world, known.key, 200);
	await_everywhere(&world, unknown.key, 200);
	if (kind == IN_REDIS)
		redis_process_say(world.redis, "SAVE");
	unknown.key[30] = unknown.key[30] == 'a' ? 'b' : 'a';
	assert_int_equal(status_of(world.each[0], unknown.key), 401); /* mistyped, whatever the store says */
	/* a key that the store never had */
	char stranger[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE];
	client_key_make("stranger", stranger, hash);
	await_everywhere(&world, stranger, 401);
	lose_store(&world);
	await_everywhere(&world, stranger, 503);
	for (int i = 0; i < REPLICAS && world.each[i] != NULL; i++) {
		assert_int_equal(status_of(world.each[i], known.key), 200);
		assert_int_equal(status_of(world.each[i], world.listed), 200);
		check_admin(world.each[i], 503, "POST", "/admin/keys", "{\"name\":\"x\"}", "key_store_unavailable");
	}
	find_store(&world);
	await_everywhere(&world, stranger, 401);
	assert_int_equal(status_of(world.each[0], known.key), 200);
	make_by_api(world.each[0], "{\"name\":\"later\"}");
}

static void past_its_grace_only_keys_of_the_configuration_serve(enum kind kind)
{
	struct world world = start(kind, ", grace: 0s");
	struct made made = make_by_api(world.each[0], "{\"name\":\"a\"}");
	await_everywhere(&world, made.key, 200);
	if (kind == IN_REDIS)
		redis_process_say(world.redis, "SAVE");
	assert_int_equal(sluice_metric(world.each[0], "sluice_key_store_up"), 1);
	assert_int_equal(sluice_metric(world.each[0], "sluice_key_store_keys"), 1);
	lose_store(&world);
	await_everywhere(&world, made.key, 503);
	assert_int_equal(sluice_metric(world.each[0], "sluice_key_store_up"), 0);
	assert_int_equal(sluice_metric(world.each[0], "sluice_key_store_keys"), 1);
	const struct h2_header headers[] = {{"x-api-key", made.key}, {NULL, NULL}};
	struct answer answer;
	client_ask(world.each[0], VIA_H1, "GET", "/v1/models", headers, NULL, &answer);
	check_error(&answer, 503, "key_store_unavailable");
	check_header(&answer, "retry-after", "1");
	check_header(&answer, "x-should-retry", "true");
	answer_free(&answer);
	assert_int_equal(status_of(world.each[0], world.listed), 200);
	find_store(&world);
	await_everywhere(&world, made.key, 200);
}

/* ---- many at once ---- */

static void many_keys_are_made_at_once(enum kind kind)
{
	static const size_t counts[] = {1, 30, 300};
	struct world world = start(kind, "");
	char last[KEY_SIZE] = "";
	size_t made = 0, listed = 0, all = 0;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct mass_job *jobs = mass_jobs(counts[i], "{\"name\":\"one-of-many\"}");
		struct sluice shown = *world.each[0]; /* the harness asks the public port */
		shown.port = shown.admin_port;
		for (size_t job = 0; job < counts[i]; job++)
			jobs[job].path = "/admin/keys";
		struct mass mass = {.sluice = &shown,
				    .via = VIA_H1,
				    .connections = counts[i],
				    .streams = 1,
				    .jobs = jobs,
				    .count = counts[i]};
		mass_run(&mass);
		for (size_t job = 0; job < counts[i]; job++) {
			char key[KEY_SIZE];
			assert_int_equal(jobs[job].answer.status, 200);
			take(&jobs[job].answer.body, "key", key);
			await_everywhere(&world, key, 200);
			made++;
		}
		mass_free_answers(&mass);
		free(jobs);
	}
	for (bool more = true; more;) {
		char path[PATH_SIZE];
		snprintf(path, sizeof path, "/admin/keys?limit=100%s%s", last[0] == '\0' ? "" : "&after=", last);
		struct answer answer = admin(world.each[0], 200, "GET", path, NULL);
		for (const char *at = bytes_text(&answer.body); (at = strstr(at, "\"object\":\"key\"")) != NULL; at++)
			listed++;
		take(&answer.body, "last_id", last);
		more = bytes_contain(&answer.body, "\"has_more\":true");
		answer_free(&answer);
	}
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		all += counts[i];
	assert_int_equal(made, all);
	assert_int_equal(listed, all);
	if (kind == IN_REDIS) /* the file was opened after the start */
		sluice_wait_idle(world.each[0]);
}

/* ---- commands ---- */

static void commands_say_what_is_wrong(void **state)
{
	struct world world = start(IN_FILE, "");
	const char *const rows[][9] = {
	    {"keys", "list", "--config", world.config, NULL},
	    {"keys", "show", "--config", world.config, "12345678", NULL},
	    {"keys", "create", "--config", world.config, "--name", "a b", NULL},
	    {"keys", "rotate", "--config", world.config, "12345678", "--overlap", "soon", NULL},
	    {"keys", "create", "--config", world.config, "--name", "a", "--limits", "[", NULL}};
	static const char *const texts[] = {"the first key makes it", "the first key makes it",
					    "name must be a non-empty string", "expected a duration such as 24h",
					    "Invalid JSON"};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct bytes err = command(1, rows[i]);
		check_contains(&err, texts[i]);
		bytes_free(&err);
	}
	const char *const bare[] = {"keys", "list", NULL}, *const unknown[] = {"keys", "lost", NULL};
	struct bytes err = command(2, bare);
	check_contains(&err, "--config FILE is missing");
	bytes_free(&err);
	err = command(2, unknown);
	check_contains(&err, "did you mean \"list\"?");
	bytes_free(&err);
}

static void commands_list_show_and_rotate(void **state)
{
	(void)state;
	struct world world = start(IN_FILE, "");
	struct made made = make_by_command(&world, "crawler");
	const char *const list[] = {"keys", "list", "--config", world.config, NULL};
	const char *const list_json[] = {"keys", "list", "--config", world.config, "--json", "--state", "active", NULL};
	const char *const show[] = {"keys", "show", "-c", world.config, made.id, NULL};
	const char *const rotate[] = {"keys", "rotate", "--config", world.config, made.id, "--overlap", "1h", NULL};
	struct bytes out = command(0, list);
	check_contains(&out, made.id);
	check_contains(&out, "crawler");
	bytes_free(&out);
	out = command(0, list_json);
	check_contains(&out, "{\"object\":\"list\",\"data\":[{\"id\":\"");
	check_lacks(&out, secret_of(&made));
	bytes_free(&out);
	out = command(0, show);
	check_contains(&out, "state:        active\n");
	check_lacks(&out, secret_of(&made));
	bytes_free(&out);
	out = command(0, rotate);
	char second[KEY_SIZE];
	assert_int_equal(sscanf(bytes_text(&out), "%63s", second), 1);
	bytes_free(&out);
	await_status(world.each[0], second, 200);
	assert_int_equal(status_of(world.each[0], made.key), 200);
}

/* A key is made while the service has no store to read, and is good once there is one. */
static void a_service_starts_without_its_store(void **state)
{
	(void)state;
	struct world world = start(IN_FILE, "");
	char stranger[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE];
	client_key_make("stranger", stranger, hash);
	assert_int_equal(status_of(world.each[0], world.listed), 200);
	assert_int_equal(status_of(world.each[0], stranger), 503);
	struct made made = make_by_command(&world, "first");
	await_status(world.each[0], made.key, 200);
	await_status(world.each[0], stranger, 401);
}

static void a_store_alone_makes_clients_show_its_keys(void **state)
{
	(void)state;
	struct sluice *sluice =
	    sluice_start("auth: { pepper: " CLIENT_KEY_PEPPER ", store: sqlite, file: '%s/alone.db', refresh: 100ms }\n"
			 "backends: { b: { url: 'http://127.0.0.1:1' } }\nmodels: { m: b/x }\n",
			 scenario_directory());
	struct made made = make_by_api(sluice, "{\"name\":\"only\"}");
	await_status(sluice, made.key, 200);
	assert_int_equal(status_of(sluice, ""), 401);
}

static void without_a_store_the_operations_say_so(void **state)
{
	(void)state;
	struct sluice *sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:1' } }\nmodels: { m: b/x }\n");
	check_admin(sluice, 404, "GET", "/admin/keys", NULL, "no_key_store");
	check_admin(sluice, 404, "POST", "/admin/keys", "{\"name\":\"a\"}", "auth.store is none");
}

#define BOTH(test)                                 \
	static void test##_in_a_file(void **state) \
	{                                          \
		(void)state;                       \
		test(IN_FILE);                     \
	}                                          \
	static void test##_in_redis(void **state)  \
	{                                          \
		(void)state;                       \
		test(IN_REDIS);                    \
	}
BOTH(a_key_made_by_command_is_good_everywhere_until_it_is_revoked)
BOTH(a_key_made_by_the_api_does_what_it_was_made_for)
BOTH(a_rotated_key_has_two_secrets_for_its_overlap)
BOTH(requests_that_are_wrong_are_refused_for_what_is_wrong)
BOTH(managing_keys_needs_a_key_with_admin)
BOTH(in_its_grace_the_copy_serves_and_judges_nothing_new)
BOTH(past_its_grace_only_keys_of_the_configuration_serve)
BOTH(many_keys_are_made_at_once)

#define SCENARIO_BOTH(test) SCENARIO(test##_in_a_file), SCENARIO(test##_in_redis)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO_BOTH(a_key_made_by_command_is_good_everywhere_until_it_is_revoked),
	    SCENARIO_BOTH(a_key_made_by_the_api_does_what_it_was_made_for),
	    SCENARIO_BOTH(a_rotated_key_has_two_secrets_for_its_overlap),
	    SCENARIO_BOTH(requests_that_are_wrong_are_refused_for_what_is_wrong),
	    SCENARIO_BOTH(managing_keys_needs_a_key_with_admin),
	    SCENARIO_BOTH(in_its_grace_the_copy_serves_and_judges_nothing_new),
	    SCENARIO_BOTH(past_its_grace_only_keys_of_the_configuration_serve),
	    SCENARIO_BOTH(many_keys_are_made_at_once),
	    SCENARIO(commands_say_what_is_wrong),
	    SCENARIO(commands_list_show_and_rotate),
	    SCENARIO(a_service_starts_without_its_store),
	    SCENARIO(a_store_alone_makes_clients_show_its_keys),
	    SCENARIO(without_a_store_the_operations_say_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
