/* SPDX-License-Identifier: MIT */
/*
 * A gateway with a secret of its own everywhere a secret can be: keys of backends, clients and operators, pepper,
 * password of Redis, private keys of TLS and of an issuer of tokens. What it emits is collected, and searched for all
 * of them.
 */
#ifndef SLUICE_TESTS_HARNESS_PLANTED_H
#define SLUICE_TESTS_HARNESS_PLANTED_H

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/sluice.h"

#define CHAT "/v1/chat/completions"

/* Where the keys of backends come from; the models m0, m1 and m2 are of one each. */
enum planted_backend { OF_ENVIRONMENT, OF_FILE, OF_CREDENTIAL, PLANTED_BACKENDS };

/* None looks like a key of a known service. */
extern const char *const planted_backend_keys[PLANTED_BACKENDS];

#define PLANTED_REDIS "Zq-redis-password-55"
#define PLANTED_WRONG_REDIS "Zq-wrong-password-66"
#define PLANTED_QUERY "Zq-query-key-8a8b"
#define PLANTED_BASIC "WnE6YmFzaWMtYXV0aA=="
#define PLANTED_PASTED "Zq-at-the-wrong-place-9"

enum { PLANTED_TOKEN = 16 * 1024 };

struct planted {
	struct sluice *sluice;
	struct backend *backends[PLANTED_BACKENDS];
	char client[CLIENT_KEY_SIZE], operator_key[CLIENT_KEY_SIZE], revoked[CLIENT_KEY_SIZE],
	    stranger[CLIENT_KEY_SIZE]; /* keys that clients show; nobody knows the stranger's */
	char token[PLANTED_TOKEN];     /* of an issuer, good for an hour */
	struct bytes emitted;          /* everything so far */
	struct bytes secrets;          /* each with a NUL behind it */
};

/* password: of Redis, as the configuration has it. */
struct planted planted_start(const char *password);

/* Adds a secret to those that are searched for; of a client's key, the part that is one. */
void planted_add(struct planted *planted, const char *secret, size_t len);
void planted_add_key(struct planted *planted, const char *key);

/* A file of the scenario. */
void planted_write_file(const char *name, const char *content, size_t len);

/* Returns the status of the answer, which is kept for the search. */
int planted_ask(struct planted *planted, enum via via, const char *method, const char *path,
		const struct h2_header *headers, const char *body);
int planted_ask_as(struct planted *planted, const char *key, const char *method, const char *path, const char *body);

/* Fails unless the first request of the backend had the key. */
void planted_check_sent(struct backend *backend, const char *key);

/* Fails when something that was emitted has something that was planted. */
void planted_search(const struct planted *planted);

/* The same with the log and the command line of the gateway; frees what was collected. */
void planted_finish(struct planted *planted);

#endif
