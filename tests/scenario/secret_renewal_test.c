/* SPDX-License-Identifier: MIT */
/*
 * Secrets that are read again on SIGHUP: keys of backends, the password of Redis and the pepper, from files and from
 * credentials; and what a file that cannot be used leaves as it was.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/redis/redis_server.h"
#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/scenario.h"

#define CHAT "/v1/chat/completions"
#define ANSWER                                                                                                  \
	"{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0," \
	"\"message\":{\"role\":\"assistant\",\"content\":\"good\"},\"finish_reason\":\"stop\"}]}"

struct world {
	struct backend *backend;
	struct sluice *sluice;
	unsigned renewals; /* so far */
};

static void put(const char *name, const char *content)
{
	char path[256], made[sizeof path + 8];
	snprintf(path, sizeof path, "%s/%s", scenario_directory(), name);
	snprintf(made, sizeof made, "%s.new", path);
	FILE *file = fopen(made, "we");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
	assert_int_equal(rename(made, path), 0);
}

/* more: lines of the file. */
static struct world start(const char *value, const char *more)
{
	struct world world = {.backend = backend_start()};
	backend_reply(world.backend, "application/json", ANSWER);
	world.sluice = sluice_start("backends:\n  b:\n    url: http://127.0.0.1:%d/v1\n    api_key: \"%s\"\n"
				    "models: { m: b/x }\ncache: { policy: off }\n%s",
				    backend_port(world.backend), value, more);
	return world;
}

static bool has_renewed(const struct bytes *log, void *user)
{
	unsigned wanted = *(unsigned *)user, found = 0;
	for (const char *at = bytes_text(log); (at = strstr(at, "secrets were read again")) != NULL; at++)
		found++;
	return found >= wanted;
}

static void renew(struct world *world)
{
	world->renewals++;
	assert_int_equal(kill(world->sluice->proc->pid, SIGHUP), 0);
	proc_wait_output(world->sluice->proc, PROC_STDERR, has_renewed, &world->renewals);
}

static void check_log(const struct world *world, const char *text)
{
	struct bytes log = {0};
	proc_read(world->sluice->proc, PROC_STDERR, &log);
	check_contains(&log, text);
	check_lacks(&log, "secret-");
	bytes_free(&log);
}

static void ask(const struct world *world)
{
	struct answer answer;
	client_ask(world->sluice, VIA_H1, "POST", CHAT, NULL, chat_body("m", false), &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
}

/* The latest request that the backend got had that key, or none. */
static void check_key(const struct world *world, const char *key)
{
	struct bytes request = {0};
	char line[128];
	backend_request(world->backend, backend_requests(world->backend) - 1, &request);
	snprintf(line, sizeof line, "\r\nAuthorization: Bearer %s\r\n", key);
	check_contains(&request, line);
	bytes_free(&request);
}

static void ask_with(const struct world *world, const char *key)
{
	for (unsigned i = 0; i < 4; i++) { /* by every worker */
		ask(world);
		check_key(world, key);
	}
}

static void the_key_of_a_backend_is_read_again_from_its_file(void **state)
{
	(void)state;
	put("key", "secret-one\n");
	struct world world = start("${file:key}", "");
	ask_with(&world, "secret-one");
	put("key", "secret-two\n");
	ask_with(&world, "secret-one"); /* nobody said so */
	renew(&world);
	ask_with(&world, "secret-two");
	check_log(&world, "\"a secret was replaced\",\"config_key\":\"backends.b.api_key\"");
	renew(&world);
	ask_with(&world, "secret-two");
	check_log(&world, "\"replaced\":0,\"unchanged\":1,\"refused\":0");
	sluice_wait_idle(world.sluice);
}

static void a_credential_is_read_again(void **state)
{
	(void)state;
	setenv("CREDENTIALS_DIRECTORY", scenario_directory(), 1);
	put("key", "secret-one");
	struct world world = start("${credential:key}", "");
	put("key", "secret-two");
	renew(&world);
	ask_with(&world, "secret-two");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_file_that_cannot_be_used_leaves_the_secret_as_it_was(void **state)
{
	char path[256];
	(void)state;
	put("key", "secret-one");
	struct world world = start("secret-${file:key}", "");
	put("key", "");
	renew(&world); /* the rest of the value is still there, and this is what the file says */
	ask_with(&world, "secret-");
	put("key", "secret-with space");
	renew(&world);
	ask_with(&world, "secret-");
	check_log(&world, "\"a secret was not replaced\",\"config_key\":\"backends.b.api_key\",\"source\":\"file:key\","
			  "\"error\":\"got a value that is not shown; expected visible ASCII");
	snprintf(path, sizeof path, "%s/key", scenario_directory());
	assert_int_equal(unlink(path), 0);
	renew(&world);
	ask_with(&world, "secret-");
	check_log(&world, "\"error\":\"the file \\\"key\\\" cannot be read: No such file or directory\"");
	put("key", "secret-two");
	renew(&world);
	ask_with(&world, "secret-secret-two");
}

static void a_file_that_is_empty_leaves_the_secret_as_it_was(void **state)
{
	(void)state;
	put("key", "secret-one");
	struct world world = start("${file:key}", "");
	put("key", "\n");
	renew(&world);
	ask_with(&world, "secret-one");
	check_log(&world, "\"source\":\"file:key\",\"error\":\"it is empty now\"");
}

/* A stream that runs while its key is replaced goes on, and an error with either key in it shows neither. */
static void calls_that_run_keep_their_key(void **state)
{
	static const struct step slow[] = {
	    SEND(STREAM_HEAD
		 "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":"
		 "{\"content\":\"a\"}}]}\n\n"),
	    GATE, SEND("data: {\"error\":{\"message\":\"no: secret-one and secret-two\"}}\n\n"), FIN};
	struct client client;
	struct answer answer;
	(void)state;
	put("key", "secret-one");
	struct world world = {.backend = backend_start()};
	backend_script(world.backend, slow);
	backend_reply(world.backend, "application/json", ANSWER);
	world.sluice = sluice_start("backends:\n  b:\n    url: http://127.0.0.1:%d/v1\n    api_key: ${file:key}\n"
				    "models: { m: b/x }\ncache: { policy: off }\n",
				    backend_port(world.backend));
	client_chat(&client, world.sluice, VIA_H1, "m", true);
	backend_wait_requests(world.backend, 1);
	check_key(&world, "secret-one");
	put("key", "secret-two");
	renew(&world);
	ask_with(&world, "secret-two");
	backend_open_gate(world.backend);
	client_finish(&client, &answer);
	check_contains(&answer.body, "no: [redacted] and [redacted]");
	answer_free(&answer);
	check_log(&world, "secrets were read again");
	sluice_wait_idle(world.sluice);
}

static void another_pepper_is_refused_and_keys_stay_good(void **state)
{
	char key[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE], more[512];
	(void)state;
	client_key_make("k", key, hash);
	put("key", "secret-one");
	put("pepper", CLIENT_KEY_PEPPER);
	snprintf(more, sizeof more, "auth: { pepper: \"${file:pepper}\" }\nkeys: { k: { hash: '%s' } }\n", hash);
	struct world world = start("${file:key}", more);
	put("pepper", "secret-0123456789-0123456789-0123456789");
	put("key", "secret-two");
	renew(&world);
	check_log(&world, "\"a secret was not replaced\",\"config_key\":\"auth.pepper\",\"source\":\"file:pepper\","
			  "\"error\":\"no key would be good under another pepper");
	check_log(&world, "\"replaced\":1,\"unchanged\":0,\"refused\":1");
	const struct h2_header headers[] = {{"x-api-key", key}, {NULL, NULL}};
	struct answer answer;
	client_ask(world.sluice, VIA_H1, "POST", CHAT, headers, chat_body("m", false), &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	check_key(&world, "secret-two");
}

/* ---- Redis ---- */

static void stop_redis(void *redis)
{
	redis_process_stop(redis);
}

static void wait_up(const struct sluice *sluice, double workers)
{
	struct patience patience = patience_for("Redis to be used");
	while (sluice_metric(sluice, "sluice_redis_connections") != workers)
		patience_wait(&patience);
}

static void the_password_of_redis_is_used_from_the_next_connection_on(void **state)
{
	char more[256];
	(void)state;
	struct redis_process *redis = redis_process_start("");
	scenario_defer(stop_redis, redis);
	redis_process_say(redis, "CONFIG SET requirepass secret-one");
	put("password", "secret-one");
	snprintf(more, sizeof more, "redis: { unix: %s, password: \"${file:password}\" }\n", redis->socket);
	struct world world = start("none", more);
	wait_up(world.sluice, 2);
	snprintf(redis->password, sizeof redis->password, "secret-one");
	redis_process_say(redis, "CONFIG SET requirepass secret-two");
	put("password", "secret-two");
	renew(&world);
	wait_up(world.sluice, 2); /* connections that are open stay */
	snprintf(redis->password, sizeof redis->password, "secret-two");
	redis_process_say(redis, "CLIENT KILL TYPE normal");
	struct patience patience = patience_for("both workers to have connected again");
	while (sluice_metric(world.sluice, "sluice_redis_reconnects_total") < 2)
		patience_wait(&patience);
	wait_up(world.sluice, 2);
	check_log(&world, "\"config_key\":\"redis.password\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(the_key_of_a_backend_is_read_again_from_its_file),
	    SCENARIO(a_credential_is_read_again),
	    SCENARIO(a_file_that_cannot_be_used_leaves_the_secret_as_it_was),
	    SCENARIO(a_file_that_is_empty_leaves_the_secret_as_it_was),
	    SCENARIO(calls_that_run_keep_their_key),
	    SCENARIO(another_pepper_is_refused_and_keys_stay_good),
	    SCENARIO(the_password_of_redis_is_used_from_the_next_connection_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
