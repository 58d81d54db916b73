/* SPDX-License-Identifier: MIT */
/* Look-ups of stored keys by a worker: by both secrets, and by the age of the copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <inttypes.h>

#include "lib/hmac.h"
#include "lib/timers.h"
#include "service/access/key_copy.h"
#include "service/access/key_feed.h"
#include "service/access/stored.h"

#define PEPPER "0123456789abcdef0123456789abcdef"
#define GRACE_US UINT64_C(60000000000) /* longer than any machine has been up, so that its end is no matter of time */

enum { TEXT_MAX = 1024, NOW_S = 1000 };

static struct hmac *hmac;
static struct key_feed feed;
static struct stored *stored;
static char first[API_KEY_LENGTH + 1], second[API_KEY_LENGTH + 1], stranger[API_KEY_LENGTH + 1];

static void write_sum(const char *key, char hex[2 * HMAC_SIZE + 1])
{
	unsigned char sum[HMAC_SIZE];
	assert_true(hmac_sum(hmac, span_of(key), sum));
	for (size_t i = 0; i < HMAC_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

static struct span id_of(const char *key)
{
	return (struct span){key + strlen(API_KEY_PREFIX), API_KEY_ID};
}

/* A key as the store has it. former: NULL = none. */
static struct stored_key *make(const char *key, const char *former, uint64_t version, const char *state)
{
	char text[TEXT_MAX], hex[2 * HMAC_SIZE + 1], former_hex[2 * HMAC_SIZE + 1] = "";
	char why[TEXT_MAX];
	struct buf errors;
	buf_init_over(&errors, why, sizeof(why));
	write_sum(key, hex);
	if (former != NULL)
		write_sum(former, former_hex);
	snprintf(text, sizeof(text), "{\"form\":1,\"name\":\"n\",\"state\":\"%s\",\"hash\":\"%s\"%s%s%s}", state, hex,
		 former == NULL ? "" : ",\"former_until\":2000,\"former\":\"", former_hex, former == NULL ? "" : "\"");
	struct key_store_item item = {.id = id_of(key), .version = version, .record = span_of(text)};
	struct stored_key *made = stored_key_create(&item, &errors);
	assert_non_null(made);
	return made;
}

static void publish(struct stored_key *key)
{
	struct key_copy *copy = key_copy_create(NULL, &key, key == NULL ? 0 : 1);
	assert_non_null(copy);
	key_feed_publish(&feed, copy);
	key_copy_drop(copy);
}

static int setup(void **state)
{
	(void)state;
	hmac = hmac_create(SPAN(PEPPER));
	assert_true(api_key_make(first) && api_key_make(stranger));
	assert_true(api_key_make_as(id_of(first), second));
	key_feed_init(&feed);
	stored = stored_create(&feed, GRACE_US);
	assert_non_null(stored);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stored_destroy(stored);
	key_feed_fini(&feed);
	hmac_destroy(hmac);
	return 0;
}

/* The tag is as good as any that differs with the key. */
static enum error_code find(const char *key, uint64_t now_s, struct holder **holder)
{
	struct stored_offer offer = {.shown = span_of(key),
				     .id = id_of(key),
				     .tag = (const unsigned char *)key + API_KEY_LENGTH - SIPHASH_TAG,
				     .now_s = now_s};
	*holder = NULL;
	return stored_find(stored, hmac, &offer, holder);
}

static void check(const char *key, uint64_t now_s, enum error_code expected)
{
	for (int again = 0; again < 3; again++) { /* later ones without an HMAC */
		struct holder *holder;
		assert_int_equal(find(key, now_s, &holder), expected);
		assert_int_equal(holder != NULL, expected == ERROR_NONE || expected == ERROR_KEY_EXPIRED);
		if (holder != NULL)
			assert_memory_equal(holder->id, id_of(key).at, API_KEY_ID);
		holder_drop(holder);
	}
}

static void confirm_before(uint64_t us)
{
	key_feed_confirm(&feed, timers_monotonic(NULL) - us);
}

static void both_secrets_are_good_until_the_former_one_is_over(void **state)
{
	(void)state;
	confirm_before(0);
	publish(make(second, first, 2, "active"));
	check(second, NOW_S, ERROR_NONE);
	check(first, NOW_S, ERROR_NONE);
	check(second, NOW_S, ERROR_NONE);
	check(first, 1999, ERROR_NONE);
	check(first, 2000, ERROR_KEY_EXPIRED);
	check(second, 2000, ERROR_NONE);
	check(stranger, NOW_S, ERROR_KEY_INVALID);
}

static void a_proof_is_of_one_version_of_a_key(void **state)
{
	(void)state;
	confirm_before(0);
	publish(make(first, NULL, 1, "active"));
	check(first, NOW_S, ERROR_NONE);
	check(second, NOW_S, ERROR_KEY_INVALID);
	publish(make(second, NULL, 2, "active"));
	check(first, NOW_S, ERROR_KEY_INVALID);
	check(second, NOW_S, ERROR_NONE);
	publish(NULL);
	check(second, NOW_S, ERROR_KEY_INVALID);
}

static void a_holder_outlives_the_key_that_is_gone(void **state)
{
	struct holder *holder;
	(void)state;
	confirm_before(0);
	publish(make(first, NULL, 1, "active"));
	assert_int_equal(find(first, NOW_S, &holder), ERROR_NONE);
	publish(make(second, NULL, 2, "revoked"));
	check(second, NOW_S, ERROR_NONE); /* whoever asks looks at its state */
	stored_destroy(stored);
	stored = NULL;
	assert_string_equal(holder->key->name, "n");
	assert_int_equal(holder->key->state, CONFIG_KEY_ACTIVE);
	holder_drop(holder);
}

static void a_store_that_was_never_read_has_no_judgement(void **state)
{
	(void)state;
	check(first, NOW_S, ERROR_KEY_STORE);
	publish(make(first, NULL, 1, "active"));
	check(first, NOW_S, ERROR_KEY_STORE); /* not confirmed */
	check(stranger, NOW_S, ERROR_KEY_STORE);
}

static void a_copy_in_its_grace_serves_what_it_has_and_judges_nothing_else(void **state)
{
	(void)state;
	publish(make(first, NULL, 1, "active"));
	confirm_before(STORED_FRESH_US + 1000000);
	check(first, NOW_S, ERROR_NONE);
	check(stranger, NOW_S, ERROR_KEY_STORE);
	check(second, NOW_S, ERROR_KEY_STORE); /* it may have got that secret meanwhile */
	confirm_before(0);
	check(second, NOW_S, ERROR_KEY_INVALID);
}

static void a_copy_past_its_grace_serves_nothing_until_the_store_is_back(void **state)
{
	(void)state;
	stored_destroy(stored);
	stored = stored_create(&feed, 1000000);
	publish(make(first, NULL, 1, "active"));
	confirm_before(0);
	check(first, NOW_S, ERROR_NONE);
	confirm_before(STORED_FRESH_US + 1000001);
	check(first, NOW_S, ERROR_KEY_STORE);
	check(stranger, NOW_S, ERROR_KEY_STORE);
	confirm_before(0);
	check(first, NOW_S, ERROR_NONE);
}

static void of_two_changes_the_later_one_counts(void **state)
{
	struct stored_key *changes[] = {make(second, NULL, 5, "revoked"), make(stranger, NULL, 6, "active"),
					make(first, NULL, 4, "active")};
	(void)state;
	struct key_copy *copy = key_copy_create(NULL, changes, 3);
	assert_int_equal(copy->count, 2);
	assert_int_equal(key_copy_find(copy, id_of(first))->version, 5);
	struct stored_key *more[] = {make(first, NULL, 7, "active")};
	struct key_copy *next = key_copy_create(copy, more, 1);
	assert_int_equal(next->count, 2);
	assert_int_equal(key_copy_find(next, id_of(first))->version, 7);
	assert_int_equal(key_copy_find(copy, id_of(first))->version, 5);
	assert_ptr_equal(key_copy_find(next, id_of(stranger)), key_copy_find(copy, id_of(stranger)));
	key_copy_drop(copy);
	assert_int_equal(key_copy_find(next, id_of(stranger))->version, 6);
	assert_null(key_copy_find(next, SPAN("short")));
	assert_null(key_copy_find(NULL, id_of(first)));
	key_copy_drop(next);
}

static void a_record_of_another_build_is_no_key(void **state)
{
	static const char *const records[] = {
	    "",
	    "{}",
	    "{\"form\":2,\"name\":\"n\",\"state\":\"active\",\"hash\":\"HASH\"}",
	    "{\"form\":1,\"name\":\"n\",\"state\":\"asleep\",\"hash\":\"HASH\"}",
	    "{\"form\":1,\"name\":\"n\",\"hash\":\"HASH\"}",
	    "{\"form\":1,\"name\":\"n\",\"state\":\"active\",\"hash\":\"12\"}",
	    "{\"form\":1,\"name\":\"n\",\"state\":\"active\",\"hash\":\"HASH\",\"endpoints\":[\"chats\"]}",
	    "{\"form\":1,\"name\":\"n\",\"state\":\"active\",\"hash\":\"HASH\",\"networks\":[]}",
	    "{\"form\":1,\"name\":\"n\",\"state\":\"active\",\"hash\":\"HASH\",\"models\":\"m\"}",
	    "{\"form\":1,\"name\":\"n\",\"state\":\"active\",\"hash\":\"HASH\",\"expires\":\"soon\"}"};
	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		char text[TEXT_MAX], hex[2 * HMAC_SIZE + 1], why[TEXT_MAX];
		struct buf errors;
		const char *hash = strstr(records[i], "HASH");
		buf_init_over(&errors, why, sizeof(why));
		write_sum(first, hex);
		int before = hash == NULL ? (int)strlen(records[i]) : (int)(hash - records[i]);
		snprintf(text, sizeof(text), "%.*s%s%s", before, records[i], hash == NULL ? "" : hex,
			 hash == NULL ? "" : hash + 4);
		struct key_store_item item = {.id = id_of(first), .version = 1, .record = span_of(text)};
		assert_null(stored_key_create(&item, &errors));
		assert_true(buf_len(&errors) > 0);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(both_secrets_are_good_until_the_former_one_is_over),
	    TEST(a_proof_is_of_one_version_of_a_key),
	    TEST(a_holder_outlives_the_key_that_is_gone),
	    TEST(a_store_that_was_never_read_has_no_judgement),
	    TEST(a_copy_in_its_grace_serves_what_it_has_and_judges_nothing_else),
	    TEST(a_copy_past_its_grace_serves_nothing_until_the_store_is_back),
	    TEST(of_two_changes_the_later_one_counts),
	    TEST(a_record_of_another_build_is_no_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
