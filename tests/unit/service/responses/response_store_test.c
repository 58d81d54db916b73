/* SPDX-License-Identifier: MIT */
/* Stored responses: whose they are, how long they stay, and what makes room. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/ledger.h"
#include "service/responses/response_store.h"
#include "tests/unit/seed.h"

enum { TEXT = 1000, ONE = 2000 /* bytes of a record with such a text, at most */ };

static const struct response_store_limits limits = {.size = 1 << 20, .tenant_size = 5 * ONE, .ttl_us = 100};

static char letters[TEXT + 1];

static void put(struct response_store *store, const struct response_store_limits *most, const char *tenant,
		const char *id, uint64_t now)
{
	memset(letters, 'x', TEXT);
	response_store_put(store, most, span_of(tenant), span_of(id), span_of(letters), span_of("items"), now);
}

static bool has(struct response_store *store, const char *tenant, const char *id, uint64_t now)
{
	struct stored_response *found = response_store_get(store, span_of(tenant), span_of(id), now);
	if (found != NULL)
		assert_true(span_is(stored_response_input(found), "items"));
	stored_response_drop(found);
	return found != NULL;
}

/* Destroys the store, which must have given everything back. */
static void finish(struct response_store *store)
{
	response_store_destroy(store);
	assert_int_equal(ledger_taken(), 0);
}

static void an_answer_is_there_for_its_tenant_alone(void **state)
{
	struct response_store *store = response_store_create();
	(void)state;
	put(store, &limits, "a", "r", 0);
	assert_true(has(store, "a", "r", 1));
	assert_false(has(store, "b", "r", 1));
	assert_false(has(store, "", "r", 1));
	assert_false(has(store, "a", "s", 1));
	put(store, &limits, "b", "r", 1); /* which may not take its place */
	assert_true(has(store, "a", "r", 1));
	assert_false(has(store, "b", "r", 1));
	assert_false(response_store_remove(store, SPAN("b"), SPAN("r"), 1));
	assert_true(response_store_remove(store, SPAN("a"), SPAN("r"), 1));
	assert_false(response_store_remove(store, SPAN("a"), SPAN("r"), 1));
	assert_false(has(store, "a", "r", 1));
	assert_int_equal(response_store_bytes(store), 0);
	finish(store);
}

static void an_answer_expires(void **state)
{
	struct response_store *store = response_store_create();
	(void)state;
	put(store, &limits, "a", "r", 0);
	assert_true(has(store, "a", "r", 99));
	assert_false(has(store, "a", "r", 100));
	put(store, &limits, "a", "r", 0);
	put(store, &limits, "b", "s", 200); /* what has expired goes, whoever comes */
	assert_in_range(response_store_bytes(store), 1, ONE);
	finish(store);
}

static void a_tenant_beyond_its_size_loses_its_oldest_answers(void **state)
{
	struct response_store *store = response_store_create();
	char id[16];
	(void)state;
	put(store, &limits, "b", "other", 0);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "r%d", i);
		put(store, &limits, "a", id, (uint64_t)i);
	}
	assert_true(has(store, "a", "r19", 20));
	assert_false(has(store, "a", "r0", 20));
	assert_true(has(store, "b", "other", 20));
	assert_in_range(response_store_bytes(store), 5 * TEXT, 6 * ONE);
	finish(store);
}

static void beyond_the_size_of_all_whoever_holds_most_gives_way(void **state)
{
	const struct response_store_limits few = {.size = 6 * ONE, .tenant_size = 5 * ONE, .ttl_us = 100};
	struct response_store *store = response_store_create();
	char id[16];
	(void)state;
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "a%d", i);
		put(store, &few, "a", id, 0);
	}
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "b%d", i);
		put(store, &few, "b", id, 0);
	}
	put(store, &few, "c", "c", 0);
	assert_true(response_store_bytes(store) <= few.size);
	assert_true(has(store, "a", "a7", 1));
	assert_true(has(store, "b", "b7", 1));
	assert_true(has(store, "c", "c", 1));
	finish(store);
}

static void what_is_larger_than_a_tenant_may_have_is_not_kept(void **state)
{
	const struct response_store_limits small = {.size = 1 << 20, .tenant_size = TEXT, .ttl_us = 100};
	struct response_store *store = response_store_create();
	(void)state;
	put(store, &small, "a", "r", 0);
	assert_false(has(store, "a", "r", 0));
	assert_int_equal(response_store_bytes(store), 0);
	finish(store);
}

static void an_answer_that_is_read_outlives_its_place(void **state)
{
	struct response_store *store = response_store_create();
	(void)state;
	put(store, &limits, "a", "r", 0);
	struct stored_response *held = response_store_get(store, SPAN("a"), SPAN("r"), 1);
	assert_true(response_store_remove(store, SPAN("a"), SPAN("r"), 1));
	assert_int_equal(stored_response_answer(held).len, TEXT);
	assert_int_equal(response_store_bytes(store), 0);
	assert_true(ledger_taken() > TEXT);
	stored_response_drop(held);
	finish(store);
}

/* The same operations on a table of ids, which knows what must not be there. */
static void random_operations_keep_within_bounds_and_tenants(void **state)
{
	enum { IDS = 40 };
	static const char *const tenants[] = {"", "a", "b", "c"};
	const struct response_store_limits few = {.size = 12 * ONE, .tenant_size = 5 * ONE, .ttl_us = 300};
	struct response_store *store = response_store_create();
	struct seed seed = seed_start();
	int owners[IDS];
	uint64_t expires[IDS] = {0}, now = 1;
	(void)state;
	memset(owners, -1, sizeof(owners));
	for (int round = 0; round < 50000; round++) {
		size_t i = seed_below(&seed, IDS);
		int who = (int)seed_below(&seed, 4);
		char id[16];
		snprintf(id, sizeof(id), "r%zu", i);
		now += seed_below(&seed, 5);
		bool there = owners[i] >= 0 && has(store, tenants[owners[i]], id, now);
		if (there)
			assert_true(expires[i] > now);
		else
			owners[i] = -1;
		switch (seed_below(&seed, 3)) {
		case 0:
			put(store, &few, tenants[who], id, now);
			if (there && owners[i] != who)
				assert_false(has(store, tenants[who], id, now));
			else
				owners[i] = who, expires[i] = now + few.ttl_us;
			break;
		case 1:
			assert_int_equal(response_store_remove(store, span_of(tenants[who]), span_of(id), now),
					 there && owners[i] == who);
			owners[i] = owners[i] == who ? -1 : owners[i];
			break;
		default:
			assert_int_equal(has(store, tenants[who], id, now), there && owners[i] == who);
		}
		assert_true(response_store_bytes(store) <= few.size);
	}
	finish(store);
}

static void *work(void *argument)
{
	static const char *const tenants[] = {"a", "b", "c", "d"};
	const struct response_store_limits few = {.size = 12 * ONE, .tenant_size = 5 * ONE, .ttl_us = 300};
	struct response_store *store = argument;
	struct seed seed = {(uintptr_t)&seed};
	char text[TEXT + 1] = "";
	memset(text, 'y', TEXT);
	for (uint64_t round = 0; round < 3000; round++) {
		const char *tenant = tenants[seed_below(&seed, 4)];
		char id[16];
		snprintf(id, sizeof(id), "r%d", (int)seed_below(&seed, 30));
		struct stored_response *found = response_store_get(store, span_of(tenant), span_of(id), round);
		if (found == NULL)
			response_store_put(store, &few, span_of(tenant), span_of(id), span_of(text), SPAN("items"),
					   round);
		else if (seed_below(&seed, 4) == 0)
			response_store_remove(store, span_of(tenant), span_of(id), round);
		if (found != NULL && !span_is(stored_response_answer(found), text))
			abort();
		stored_response_drop(found);
	}
	return NULL;
}

static void threads_share_the_store(void **state)
{
	enum { THREADS = 4 };
	struct response_store *store = response_store_create();
	pthread_t threads[THREADS];
	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, store), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(response_store_bytes(store) <= 12 * ONE);
	finish(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_there_for_its_tenant_alone),
	    cmocka_unit_test(an_answer_expires),
	    cmocka_unit_test(a_tenant_beyond_its_size_loses_its_oldest_answers),
	    cmocka_unit_test(beyond_the_size_of_all_whoever_holds_most_gives_way),
	    cmocka_unit_test(what_is_larger_than_a_tenant_may_have_is_not_kept),
	    cmocka_unit_test(an_answer_that_is_read_outlives_its_place),
	    cmocka_unit_test(threads_share_the_store),
	    cmocka_unit_test(random_operations_keep_within_bounds_and_tenants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
