/* SPDX-License-Identifier: MIT */
/* A gateway that accepts the tokens of one issuer, corp, and a client that shows them. */
#ifndef SLUICE_TESTS_HARNESS_TOKENS_H
#define SLUICE_TESTS_HARNESS_TOKENS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/tokens/signer.h"

#define CHAT "/v1/chat/completions"
#define MODELS "/v1/models"
#define ALL "sluice:chat sluice:models"

enum { CLAIMS = 1024, BEARER = SIGNER_TOKEN + 8, JWKS = 3 * SIGNER_JWK, HOUR = 3600 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
	struct backend *source; /* of keys; NULL = a file */
};

/* With a single issuer, corp. more: further members of it, and lines of the file after that. */
static inline struct world start(const char *keys, const char *more, const char *lines)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start(
	    "auth:\n  failures: 100000\n  jwt:\n    corp: { issuer: 'https://id', audience: [sluice], %s%s }\n"
	    "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "models:\n  m: sim/one;tokens=2\n  secret: sim/two;tokens=2\ncache: { policy: always }\n%s",
	    keys, more, world.sim->port, lines);
	return world;
}

/* With the signer's key in a file, which is read at the start. */
static inline struct world start_with_file(const struct signer *signer, const char *more, const char *lines)
{
	char path[] = "/tmp/sluice-keys-XXXXXX", keys[128];
	close(mkstemp(path));
	signer_write_pem(signer, path);
	snprintf(keys, sizeof keys, "keys: '%s'", path);
	struct world world = start(keys, more, lines);
	unlink(path);
	return world;
}

static inline struct world start_with_source(struct backend *source, const char *more)
{
	char keys[128];
	snprintf(keys, sizeof keys, "jwks: 'http://127.0.0.1:%d/keys'", backend_port(source));
	struct world world = start(keys, more, "");
	world.source = source;
	return world;
}

static inline const char *jwks_of(const struct signer *signer)
{
	static char text[JWKS];
	char jwk[SIGNER_JWK];
	signer_jwk(signer, ",\"use\":\"sig\"", jwk);
	snprintf(text, sizeof text, "{\"keys\":[%s]}", jwk);
	return text;
}

/* "Bearer " and a token that ends so many seconds from now. more: further claims, each with a comma before it. */
static inline const char *bearer_until(const struct signer *signer, const char *subject, const char *scope,
				       long seconds, const char *more)
{
	static char bearer[BEARER];
	char claims[CLAIMS], token[SIGNER_TOKEN];
	snprintf(claims, sizeof claims,
		 "{\"iss\":\"https://id\",\"aud\":\"sluice\",\"sub\":\"%s\",\"scope\":\"%s\",\"exp\":%ld%s}", subject,
		 scope, (long)time(NULL) + seconds, more);
	signer_token(signer, claims, token);
	snprintf(bearer, sizeof bearer, "Bearer %s", token);
	return bearer;
}

static inline const char *bearer_of(const struct signer *signer, const char *scope)
{
	return bearer_until(signer, "ann", scope, HOUR, "");
}

static inline struct answer ask_via(const struct world *world, enum via via, const char *method, const char *path,
				    const char *authorization, const char *body)
{
	const struct h2_header headers[] = {{"authorization", authorization}, {NULL, NULL}};
	struct answer answer;
	client_ask(world->sluice, via, method, path, headers, body, &answer);
	return answer;
}

static inline struct answer ask(const struct world *world, const char *method, const char *path,
				const char *authorization, const char *body)
{
	return ask_via(world, VIA_H1, method, path, authorization, body);
}

static inline int status_of(const struct world *world, const char *authorization)
{
	struct answer answer = ask(world, "GET", MODELS, authorization, NULL);
	int status = answer.status;
	answer_free(&answer);
	return status;
}

static inline void check_status(const struct world *world, const char *authorization, int status)
{
	struct answer answer = ask(world, "GET", MODELS, authorization, NULL);
	if (answer.status != status)
		fail_msg("status %d: %s", answer.status, bytes_text(&answer.body));
	answer_free(&answer);
}

static inline void wait_for_status(const struct world *world, const char *authorization, int status)
{
	struct patience patience = patience_for("a token to be judged otherwise");
	while (status_of(world, authorization) != status)
		patience_wait(&patience);
}

static inline void check_refused(struct answer *answer, int status, const char *code, const char *text)
{
	check_error(answer, status, code);
	check_contains(&answer->body, text);
	check_header(answer, "www-authenticate",
		     status == 401 ? "Bearer realm=\"sluice\", error=\"invalid_token\"" : NULL);
	answer_free(answer);
}

#endif
