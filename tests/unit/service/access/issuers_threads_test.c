/* SPDX-License-Identifier: MIT */
/* Workers judge tokens while the keys of their issuer are replaced: each sees one set or the other, whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "service/access/issuers.h"
#include "service/access/tokens.h"
#include "tests/tokens/signer.h"

enum { WORKERS = 3, ROUNDS = 300, NOW = 1800000000 };

#define CLAIMS "{\"iss\":\"https://id\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":1800000060}"

static const char *const audiences[] = {"sluice"};
static const struct config_issuer issuer = {.name = "corp",
					    .issuer = "https://id",
					    .audiences = audiences,
					    .audience_count = 1,
					    .jwks = "https://id/",
					    .tenant = "corp",
					    .claims = {.subject = "sub"}};
static const struct config config = {.auth = {.issuers = &issuer, .issuer_count = 1}};

static struct issuers *issuers;
static char good[SIGNER_TOKEN], other[SIGNER_TOKEN];
static atomic_uint wanted, started;
static atomic_bool over;

static void on_want(void *context, size_t index)
{
	(void)context;
	atomic_fetch_add(&wanted, 1);
	issuers_looked(issuers, index);
}

/* Returns how many verdicts were none of the two that are possible, or disagreed with the holder. */
static void *judge(void *context)
{
	struct tokens *tokens = context;
	uintptr_t wrong = 0;
	atomic_fetch_add(&started, 1);
	while (!atomic_load(&over)) {
		for (int i = 0; i < 2; i++) {
			struct holder *holder;
			enum error_code error = tokens_check(tokens, span_of(i == 0 ? good : other), NOW, &holder);
			wrong += (error != ERROR_NONE && error != ERROR_TOKEN_INVALID) ||
				 (error == ERROR_NONE) != (holder != NULL);
			holder_drop(holder);
		}
	}
	return (void *)wrong;
}

static struct jwk_set *set_of(const struct signer *signer)
{
	char jwk[SIGNER_JWK];
	struct buf notes;
	buf_init(&notes, 1024);
	signer_jwk(signer, "", jwk);
	struct jwk_set *set = jwk_set_read(span_of(jwk), &notes);
	assert_non_null(set);
	buf_fini(&notes);
	return set;
}

static void keys_are_replaced_under_workers_that_judge(void **state)
{
	struct signer first = signer_make("ES256", "a"), second = signer_make("ES256", "b");
	struct tokens *tokens[WORKERS];
	pthread_t threads[WORKERS];
	struct buf errors;
	(void)state;
	buf_init(&errors, 1024);
	signer_token(&first, CLAIMS, good);
	signer_token(&second, CLAIMS, other);
	issuers = issuers_create(&config, &errors);
	assert_non_null(issuers);
	issuers_replace(issuers, 0, set_of(&first));
	issuers_set_fetcher(issuers, (struct issuers_fetcher){on_want, NULL});
	for (size_t i = 0; i < WORKERS; i++) {
		tokens[i] = tokens_create(&config, issuers);
		assert_non_null(tokens[i]);
		assert_int_equal(pthread_create(&threads[i], NULL, judge, tokens[i]), 0);
	}
	while (atomic_load(&started) < WORKERS)
		sched_yield();
	for (int i = 0; i < ROUNDS; i++)
		issuers_replace(issuers, 0, set_of(i % 2 == 0 ? &second : &first));
	issuers_set_fetcher(issuers, (struct issuers_fetcher){NULL, NULL});
	atomic_store(&over, true);
	for (size_t i = 0; i < WORKERS; i++) {
		void *wrong;
		struct holder *holder;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
		assert_int_equal(tokens_check(tokens[i], span_of(good), NOW, &holder), ERROR_NONE); /* the last set */
		holder_drop(holder);
		assert_int_equal(tokens_check(tokens[i], span_of(other), NOW, &holder), ERROR_TOKEN_INVALID);
		tokens_destroy(tokens[i]);
	}
	assert_int_equal(issuers_generation(issuers, 0), ROUNDS + 1);
	issuers_destroy(issuers);
	buf_fini(&errors);
	signer_free(&first);
	signer_free(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_replaced_under_workers_that_judge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
