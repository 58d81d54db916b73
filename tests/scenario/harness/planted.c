/* SPDX-License-Identifier: MIT */
/* Planting secrets and searching for them; planted.h holds the contract. */
#include "tests/scenario/harness/planted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/redis/redis_server.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/tokens/signer.h"

enum { KEY_SECRET_AT = 18 /* of a client's key: its id may be seen */, KEY_SECRET_LEN = 30, SECRET_LEAST = 12 };

const char *const planted_backend_keys[PLANTED_BACKENDS] = {
    [OF_ENVIRONMENT] = "Zq+environment/7f3a",
    [OF_FILE] = "Zq+file/0b6e5d\"quoted",
    [OF_CREDENTIAL] = "Zq+credential/c41d9",
};

void planted_add(struct planted *planted, const char *secret, size_t len)
{
	assert_true(len >= SECRET_LEAST);
	bytes_append(&planted->secrets, secret, len);
	bytes_append(&planted->secrets, "", 1);
}

void planted_add_key(struct planted *planted, const char *key)
{
	planted_add(planted, key + KEY_SECRET_AT, KEY_SECRET_LEN);
}

/* Fails when something that was emitted holds something that was planted. */
void planted_search(const struct planted *planted)
{
	for (size_t at = 0; at < planted->secrets.len; at += strlen(planted->secrets.at + at) + 1)
		check_lacks(&planted->emitted, planted->secrets.at + at);
}

void planted_write_file(const char *name, const char *content, size_t len)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", scenario_directory(), name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, len, file), len);
	fclose(file);
}

static void stop_redis(void *redis)
{
	redis_process_stop(redis);
}

static void make_keys(struct planted *planted, struct bytes *yaml)
{
	const struct {
		const char *name, *more;
		char *key;
	} rows[] = {{"client", "", planted->client},
		    {"operator", ", admin: true", planted->operator_key},
		    {"revoked", ", state: revoked", planted->revoked}};
	char hash[CLIENT_KEY_HASH_SIZE];
	bytes_printf(yaml, "keys:\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		client_key_make(rows[i].name, rows[i].key, hash);
		planted_add_key(planted, rows[i].key);
		bytes_printf(yaml, "  %s: { hash: '%s'%s }\n", rows[i].name, hash, rows[i].more);
	}
	client_key_make("stranger", planted->stranger, hash);
	planted_add_key(planted, planted->stranger);
	planted_add(planted, CLIENT_KEY_PEPPER, strlen(CLIENT_KEY_PEPPER));
}

/* A token that is good for an hour, of an issuer whose key is in a file. */
static void make_token(struct planted *planted, struct bytes *yaml)
{
	struct signer signer = signer_make("ES256", "k");
	char claims[256], path[256];
	snprintf(path, sizeof path, "%s/issuer.pem", scenario_directory());
	signer_write_pem(&signer, path);
	snprintf(claims, sizeof claims,
		 "{\"iss\":\"https://id\",\"aud\":\"sluice\",\"sub\":\"ann\",\"scope\":\"sluice:chat "
		 "sluice:models\",\"exp\":%ld}",
		 (long)time(NULL) + 3600);
	signer_token(&signer, claims, planted->token);
	const char *signature = strrchr(planted->token, '.') + 1;
	planted_add(planted, signature, strlen(signature));
	bytes_printf(yaml, "  jwt: { corp: { issuer: 'https://id', audience: [sluice], keys: '%s' } }\n", path);
	signer_free(&signer);
}

static void make_backends(struct planted *planted, struct bytes *yaml)
{
	static const char *const names[] = {"environment", "file", "credential"};
	static const char *const values[] = {"${PLANTED_KEY}", "${file:backend.key}", "${credential:backend}"};
	setenv("PLANTED_KEY", planted_backend_keys[OF_ENVIRONMENT], 1);
	setenv("CREDENTIALS_DIRECTORY", scenario_directory(), 1);
	planted_write_file("backend.key", planted_backend_keys[OF_FILE], strlen(planted_backend_keys[OF_FILE]));
	planted_write_file("backend", planted_backend_keys[OF_CREDENTIAL], strlen(planted_backend_keys[OF_CREDENTIAL]));
	bytes_printf(yaml, "backends:\n");
	for (size_t i = 0; i < PLANTED_BACKENDS; i++) {
		planted->backends[i] = backend_start();
		planted_add(planted, planted_backend_keys[i], strlen(planted_backend_keys[i]));
		bytes_printf(
		    yaml,
		    "  %s:\n    url: http://127.0.0.1:%d/v1\n    api_key: \"%s\"\n    breaker: { enabled: false }\n",
		    names[i], backend_port(planted->backends[i]), values[i]);
	}
	bytes_printf(yaml, "  dead: { url: 'http://127.0.0.1:1', api_key: \"${PLANTED_KEY}\" }\nmodels:\n"
			   "  m0: environment/x\n  m1: file/x\n  m2: credential/x\n  dead: dead/x\n"
			   "  each: { fallback: [environment/x, file/x, dead/x, credential/x] }\n");
}

/* password: of Redis, as the configuration has it. */
struct planted planted_start(const char *password)
{
	struct planted planted = {0};
	struct bytes yaml = {0}, pem = {0};
	char path[256];
	struct redis_process *redis = redis_process_start("");
	scenario_defer(stop_redis, redis);
	redis_process_say(redis, "CONFIG SET requirepass %s", PLANTED_REDIS);
	planted_write_file("redis.password", password, strlen(password));
	planted_add(&planted, PLANTED_REDIS, strlen(PLANTED_REDIS));
	planted_add(&planted, PLANTED_WRONG_REDIS, strlen(PLANTED_WRONG_REDIS));
	planted_add(&planted, PLANTED_QUERY, strlen(PLANTED_QUERY));
	planted_add(&planted, PLANTED_BASIC, strlen(PLANTED_BASIC));
	bytes_printf(&yaml,
		     "log: { level: debug }\nredis: { unix: %s, password: \"${file:redis.password}\" }\n"
		     "auth:\n  pepper: ${SLUICE_PEPPER}\n  failures: 100000\n  store: sqlite\n  file: %s/keys.db\n",
		     redis->socket, scenario_directory());
	make_token(&planted, &yaml);
	make_keys(&planted, &yaml);
	make_backends(&planted, &yaml);
	planted.sluice = sluice_start("%s", bytes_text(&yaml));
	snprintf(path, sizeof path, "%s/key.pem", scenario_directory());
	assert_true(bytes_read_file(&pem, path));
	const char *line = strchr(bytes_text(&pem), '\n') + 1;
	planted_add(&planted, line, strcspn(line, "\n"));
	bytes_free(&pem);
	bytes_free(&yaml);
	return planted;
}

void planted_finish(struct planted *planted)
{
	char path[64];
	proc_read(planted->sluice->proc, PROC_STDOUT, &planted->emitted);
	proc_read(planted->sluice->proc, PROC_STDERR, &planted->emitted);
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)planted->sluice->proc->pid);
	assert_true(bytes_read_file(&planted->emitted, path));
	planted_search(planted);
	bytes_free(&planted->emitted);
	bytes_free(&planted->secrets);
	unsetenv("CREDENTIALS_DIRECTORY");
}

/* The answer's status; what came is kept for the search. */
int planted_ask(struct planted *planted, enum via via, const char *method, const char *path,
		const struct h2_header *headers, const char *body)
{
	struct answer answer;
	client_ask(planted->sluice, via, method, path, headers, body, &answer);
	bytes_append(&planted->emitted, answer.head.at, answer.head.len);
	bytes_append(&planted->emitted, answer.body.at, answer.body.len);
	int status = answer.status;
	answer_free(&answer);
	return status;
}

int planted_ask_as(struct planted *planted, const char *key, const char *method, const char *path, const char *body)
{
	const struct h2_header headers[] = {{"x-api-key", key}, {NULL, NULL}};
	return planted_ask(planted, VIA_H1, method, path, headers, body);
}

void planted_check_sent(struct backend *backend, const char *key)
{
	struct bytes request = {0};
	backend_request(backend, 0, &request);
	check_contains(&request, "Authorization: Bearer ");
	check_contains(&request, key);
	bytes_free(&request);
}
