/* SPDX-License-Identifier: MIT */
/* The table of counts: sums by subject, its bound, and what goes beyond it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/usage/table.h"

static const char model[] = "demo", other_model[] = "large", target[] = "b/small";

static struct usage_subject subject_of(uint32_t day, const char *key, const char *tenant)
{
	return (struct usage_subject){.day = day,
				      .hash = usage_hash(span_of(key), span_of(tenant)),
				      .key = span_of(key),
				      .tenant = span_of(tenant),
				      .model = model,
				      .target = target};
}

static void add(struct usage_table *table, const struct usage_subject *subject, uint64_t requests)
{
	const struct usage_counts counts = {.of = {[USAGE_REQUESTS] = requests, [USAGE_SPEND] = 3 * requests}};
	assert_true(usage_table_add(table, subject, &counts));
}

/* Returns the requests of that key; all of them together when it is NULL. */
static uint64_t requests_of(const struct usage_table *table, const char *key)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < table->size; i++) {
		const struct usage_row *row = table->slots[i];
		if (row != NULL && (key == NULL || span_is(row->subject.key, key))) {
			sum += row->counts.of[USAGE_REQUESTS];
			assert_int_equal(row->counts.of[USAGE_SPEND], 3 * row->counts.of[USAGE_REQUESTS]);
		}
	}
	return sum;
}

static void counts_of_one_subject_are_added_up(void **state)
{
	struct usage_table table;
	(void)state;
	usage_table_init(&table, 100);
	struct usage_subject subject = subject_of(7, "one", "acme");
	add(&table, &subject, 2);
	add(&table, &subject, 5);
	assert_int_equal(table.count, 1);
	assert_int_equal(requests_of(&table, "one"), 7);
	usage_table_fini(&table);
	assert_int_equal(table.count, 0);
}

static void whatever_differs_makes_a_row_of_its_own(void **state)
{
	struct usage_table table;
	(void)state;
	usage_table_init(&table, 100);
	struct usage_subject rows[] = {
	    subject_of(7, "one", "acme"), subject_of(8, "one", "acme"), subject_of(7, "two", "acme"),
	    subject_of(7, "one", "acm"),  subject_of(7, "onea", "cme"), subject_of(7, "", ""),
	    subject_of(7, "one", "acme"), subject_of(7, "one", "acme"), subject_of(7, "one", "acme/x")};
	rows[6].model = other_model;
	rows[7].target = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add(&table, &rows[i], 1);
	assert_int_equal(table.count, sizeof(rows) / sizeof(rows[0]));
	usage_table_fini(&table);
}

static void texts_are_copied(void **state)
{
	struct usage_table table;
	char key[] = "one";
	(void)state;
	usage_table_init(&table, 100);
	struct usage_subject subject = subject_of(7, key, "");
	add(&table, &subject, 1);
	key[0] = 'X';
	assert_int_equal(requests_of(&table, "one"), 1);
	usage_table_fini(&table);
}

static void a_full_table_counts_new_keys_together_and_loses_nothing(void **state)
{
	enum { MOST = 100, KEYS = 10000 };
	struct usage_table table;
	char key[16];
	(void)state;
	usage_table_init(&table, MOST);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < KEYS; i++) {
			snprintf(key, sizeof(key), "key-%d", i);
			struct usage_subject subject = subject_of(7, key, "acme");
			add(&table, &subject, 1);
		}
	}
	assert_int_equal(table.count, MOST + 1);
	assert_int_equal(requests_of(&table, "key-99"), 2);
	assert_int_equal(requests_of(&table, "key-100"), 0);
	assert_int_equal(requests_of(&table, USAGE_OTHER), 2 * (KEYS - MOST));
	assert_int_equal(requests_of(&table, NULL), 2 * KEYS);
	usage_table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_of_one_subject_are_added_up),
	    cmocka_unit_test(whatever_differs_makes_a_row_of_its_own),
	    cmocka_unit_test(texts_are_copied),
	    cmocka_unit_test(a_full_table_counts_new_keys_together_and_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
