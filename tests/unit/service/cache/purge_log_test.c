/* SPDX-License-Identifier: MIT */
/* What was purged since a call began is neither kept nor taken, whatever was forgotten; nothing else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/cache/store.h"

static const struct cache_key one = {{1}}, two = {{2}};
static const struct store_tags tags = {.model = 3, .tenant = 4};
static const uint32_t model = 3, other_model = 5;
static const uint64_t tenant = 4, other_tenant = 6, digest = 70;
static const struct store_filter everything = {.key = NULL};
static struct purge_log *purges;

static bool keeps(struct purge_mark mark, const struct cache_key *key, uint64_t of)
{
	const struct purge_subject subject = {.key = key, .tags = &tags, .digest = of};
	return !purge_log_forbids_keeping(purges, mark.turn, &subject);
}

static bool takes(struct purge_mark mark, const struct cache_key *key, uint64_t of)
{
	const struct purge_subject subject = {.key = key, .tags = &tags, .digest = of};
	return !purge_log_forbids_taking(purges, &mark, &subject);
}

static int set_up(void **state)
{
	(void)state;
	purges = purge_log_create();
	return purges == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	purge_log_destroy(purges);
	return 0;
}

static void hear_all(void)
{
	for (int kind = 0; kind < PURGE_KINDS; kind++)
		purge_log_set_heard(purges, (enum purge_kind)kind, (struct purge_id){0, 0});
}

static void what_began_before_a_purge_is_not_kept(void **state)
{
	static const struct {
		struct store_filter filter;
		bool meets;
	} rows[] = {
	    {{.key = NULL}, true},
	    {{.key = &one}, true},
	    {{.key = &two}, false},
	    {{.model = &model}, true},
	    {{.model = &other_model}, false},
	    {{.tenant = &tenant}, true},
	    {{.tenant = &other_tenant}, false},
	    {{.key = &one, .model = &model, .tenant = &tenant}, true},
	    {{.key = &one, .model = &other_model}, false},
	    {{.key = &one, .except = &digest}, true},
	    {{.key = &two, .except = &digest}, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct purge_mark before = purge_log_mark(purges);
		assert_true(keeps(before, &one, 1));
		purge_log_note(purges, &rows[i].filter);
		assert_int_equal(keeps(before, &one, 1), !rows[i].meets);
		assert_true(keeps(purge_log_mark(purges), &one, 1));
	}
}

static void a_renewal_spares_what_it_brought(void **state)
{
	const struct store_filter renewal = {.key = &one, .except = &digest};
	struct purge_mark before = purge_log_mark(purges);
	(void)state;
	hear_all();
	purge_log_note(purges, &renewal);
	assert_true(keeps(before, &one, digest));
	assert_false(keeps(before, &one, digest + 1));
	assert_true(purge_log_hear(purges, PURGE_KIND_RENEWAL, (struct purge_id){9, 0}, &renewal));
	assert_true(takes(before, &one, digest));
	assert_false(takes(before, &one, digest + 1));
	assert_true(takes(before, &two, digest + 1));
	assert_true(takes(purge_log_mark(purges), &one, digest + 1));
}

/* Two calls that renew at once: the one that began last is the new one, whichever ends first. */
static void of_two_renewals_the_later_call_is_kept(void **state)
{
	struct purge_mark first = purge_log_mark(purges), second = purge_log_mark(purges);
	const struct store_filter older = {.key = &one, .except = &digest, .began = first.turn};
	const uint64_t other = digest + 1;
	const struct store_filter newer = {.key = &one, .except = &other, .began = second.turn};
	(void)state;
	purge_log_note(purges, &older);
	assert_true(keeps(second, &one, other));
	purge_log_note(purges, &newer);
	assert_false(keeps(first, &one, digest));
	assert_true(keeps(second, &one, other));
}

static struct cache_key numbered(uint64_t number)
{
	struct cache_key key = {{0}};
	memcpy(key.bytes, &number, sizeof(number));
	memcpy(key.bytes + 16, &number, sizeof(number));
	return key;
}

static uint64_t renewals_of(struct purge_log *log, const struct cache_key *key)
{
	return purge_log_renewals(log, key, 1);
}

/* The log keeps the last 4096; a client that renews all the time pushes others' out. */
static void renewals_are_found_as_long_as_the_log_knows_them(void **state)
{
	enum { RENEWALS = 10000, KEPT = 4096 };
	(void)state;
	for (uint64_t i = 1; i <= RENEWALS; i++) {
		struct cache_key key = numbered(i % 3 == 0 ? 3 : i);
		purge_log_note(purges, &(struct store_filter){.key = &key, .except = &i});
	}
	for (uint64_t i = 1; i <= RENEWALS + 100; i++) {
		struct cache_key key = numbered(i);
		bool known = (i <= RENEWALS && i % 3 != 0 && i > RENEWALS - KEPT) || i == 3;
		assert_int_equal(renewals_of(purges, &key) != 0, known);
	}
}

/* Flights of replicas that know different renewals must not be taken for one: the older call may be another's. */
static void the_same_renewals_have_the_same_number_and_others_another(void **state)
{
	const uint64_t other = digest + 1;
	const struct store_filter mine = {.key = &one, .except = &digest}, others = {.key = &one, .except = &other};
	const struct cache_key both[] = {one, two};
	struct purge_log *elsewhere = purge_log_create();
	(void)state;
	assert_int_equal(renewals_of(purges, &one), 0);
	purge_log_note(purges, &mine);
	uint64_t first = renewals_of(purges, &one);
	assert_int_not_equal(first, 0);
	assert_int_equal(renewals_of(purges, &two), 0);
	assert_int_equal(purge_log_renewals(purges, both, 2), first);

	purge_log_note(elsewhere, &others);
	assert_int_not_equal(renewals_of(elsewhere, &one), first);
	purge_log_hear(purges, PURGE_KIND_RENEWAL, (struct purge_id){1, 0}, &others);
	assert_int_not_equal(renewals_of(elsewhere, &one), renewals_of(purges, &one));   /* one of them knows less */
	purge_log_hear(elsewhere, PURGE_KIND_RENEWAL, (struct purge_id){1, 0}, &others); /* its own */
	purge_log_hear(elsewhere, PURGE_KIND_RENEWAL, (struct purge_id){2, 0}, &mine);
	assert_int_equal(renewals_of(elsewhere, &one), renewals_of(purges, &one));
	purge_log_hear(purges, PURGE_KIND_RENEWAL, (struct purge_id){2, 0}, &mine); /* its own */
	assert_int_equal(renewals_of(elsewhere, &one), renewals_of(purges, &one));
	purge_log_destroy(elsewhere);
}

/* Of many keys that were renewed the number is of all renewals: it changes with each of them. */
static void a_batch_of_many_renewed_keys_has_a_number_of_its_own(void **state)
{
	enum { INPUTS = 200 };
	struct cache_key keys[INPUTS];
	uint64_t before = 0;
	(void)state;
	for (uint64_t i = 0; i < INPUTS; i++)
		keys[i] = numbered(i);
	for (uint64_t i = 0; i < INPUTS; i++) {
		uint64_t spared = i + 1;
		purge_log_note(purges, &(struct store_filter){.key = &keys[i], .except = &spared});
		uint64_t now = purge_log_renewals(purges, keys, INPUTS);
		assert_int_not_equal(now, before);
		before = now;
	}
}

/* Also not a flight that is looked at before anybody knows what it will say. */
static void a_renewal_that_kept_nothing_spares_nothing(void **state)
{
	const uint64_t none = 0;
	struct purge_mark before = purge_log_mark(purges);
	(void)state;
	purge_log_note(purges, &(struct store_filter){.key = &one, .except = &none});
	assert_false(keeps(before, &one, 0));
	assert_false(keeps(before, &one, digest));
}

/* The call that an answer comes from may be older than the question for it. */
static void what_is_taken_from_others_is_older_than_any_renewal_that_came_meanwhile(void **state)
{
	const struct purge_mark renewal = purge_log_mark(purges), asked = purge_log_mark(purges);
	const struct purge_subject own = {.key = &one, .tags = &tags},
				   taken = {.key = &one, .tags = &tags, .taken = true};
	(void)state;
	purge_log_note(purges, &(struct store_filter){.key = &one, .except = &digest, .began = renewal.turn});
	assert_false(purge_log_forbids_keeping(purges, asked.turn, &own));
	assert_true(purge_log_forbids_keeping(purges, asked.turn, &taken));
}

static void nothing_is_taken_before_the_streams_were_read(void **state)
{
	struct purge_mark mark = purge_log_mark(purges);
	(void)state;
	assert_false(takes(mark, &one, 1));
	purge_log_set_heard(purges, PURGE_KIND_PURGE, (struct purge_id){0, 0});
	assert_false(takes(mark, &one, 1));
	purge_log_set_heard(purges, PURGE_KIND_RENEWAL, (struct purge_id){0, 0});
	assert_true(takes(mark, &one, 1));
}

static void what_a_stream_told_counts_once(void **state)
{
	struct purge_mark before = purge_log_mark(purges);
	(void)state;
	hear_all();
	assert_true(purge_log_hear(purges, PURGE_KIND_PURGE, (struct purge_id){5, 1}, &everything));
	assert_false(purge_log_hear(purges, PURGE_KIND_PURGE, (struct purge_id){5, 1}, &everything));
	assert_false(purge_log_hear(purges, PURGE_KIND_PURGE, (struct purge_id){4, 9}, &everything));
	assert_false(takes(before, &one, 1));
	assert_false(keeps(before, &one, 1));
	struct purge_mark between = purge_log_mark(purges);
	assert_true(takes(between, &one, 1));
	assert_true(
	    purge_log_hear(purges, PURGE_KIND_PURGE, (struct purge_id){5, 2}, NULL)); /* it concerns nothing here */
	assert_true(takes(between, &one, 1));
	assert_true(keeps(between, &one, 1));
	const struct purge_subject subject = {.key = &one, .tags = &tags, .digest = 1};
	assert_int_equal(purge_log_last(purges, &subject).ms, 5);
	assert_int_equal(purge_log_last(purges, &subject).number, 1);
}

/* A mark of a replica that heard more than this one. */
static void what_is_ahead_is_taken_until_the_stream_begins_anew(void **state)
{
	struct purge_mark ahead = {.seen = {[PURGE_KIND_PURGE] = {100, 0}}};
	(void)state;
	hear_all();
	purge_log_hear(purges, PURGE_KIND_PURGE, (struct purge_id){50, 0}, &everything);
	assert_true(takes(ahead, &one, 1));
	assert_true(purge_log_hear_end(purges, PURGE_KIND_PURGE, (struct purge_id){50, 0}, (struct purge_id){5, 1}));
	assert_false(takes(ahead, &one, 1));
	assert_true(takes(purge_log_mark(purges), &one, 1));
}

/* While one worker asks where the stream ends, another one hears of a purge that came behind that end. */
static void an_end_that_is_old_news_does_not_begin_the_stream_anew(void **state)
{
	struct purge_mark before = purge_log_mark(purges);
	const struct purge_id asked = {5, 0}, heard = {6, 0};
	(void)state;
	hear_all();
	purge_log_hear(purges, PURGE_KIND_PURGE, asked, &(struct store_filter){.key = &two});
	before.seen[PURGE_KIND_PURGE] = asked;
	purge_log_hear(purges, PURGE_KIND_PURGE, heard, &everything);
	assert_false(purge_log_hear_end(purges, PURGE_KIND_PURGE, asked, asked));
	assert_false(takes(before, &one, 1));
	assert_false(purge_log_hear_end(purges, PURGE_KIND_PURGE, heard, heard));
}

static void what_was_forgotten_is_assumed(void **state)
{
	enum { MANY = 5000, FORGOTTEN = 904 };
	struct purge_mark before = purge_log_mark(purges), marks[MANY];
	(void)state;
	hear_all();
	for (uint64_t i = 0; i < MANY; i++) {
		const struct store_filter filter = {.key = &two};
		assert_true(purge_log_hear(purges, PURGE_KIND_PURGE, (struct purge_id){i + 1, 0}, &filter));
		marks[i] = purge_log_mark(purges);
	}
	assert_false(keeps(before, &one, 1));
	assert_false(takes(before, &one, 1));
	for (size_t i = 0; i < MANY; i++) {
		bool known = i + 1 >= FORGOTTEN;
		assert_int_equal(keeps(marks[i], &one, 1), known);
		assert_int_equal(takes(marks[i], &one, 1), known);
	}
	purge_log_set_heard(purges, PURGE_KIND_PURGE, (struct purge_id){MANY, 5});
	assert_false(takes(marks[MANY - 1], &one, 1));
}

static void a_store_takes_nothing_that_was_purged(void **state)
{
	struct store *store = store_create(1 << 20);
	struct purge_mark before = purge_log_mark(store_purges(store));
	struct store_value *value = store_value_create(SPAN("x"));
	(void)state;
	value->tags = tags;
	value->expires_us = 100;
	assert_true(store_put(store, &one, value, before.turn, false));
	store_purge(store, &(struct store_filter){.tenant = &tenant});
	assert_null(store_get(store, &one, 1));
	assert_false(store_put(store, &one, value, before.turn, false));
	assert_null(store_get(store, &one, 1));
	assert_true(store_put(store, &one, value, purge_log_mark(store_purges(store)).turn, false));
	struct store_value *found = store_get(store, &one, 1);
	assert_ptr_equal(found, value);
	store_value_drop(found);
	store_value_drop(value);
	store_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_began_before_a_purge_is_not_kept, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_renewal_spares_what_it_brought, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(of_two_renewals_the_later_call_is_kept, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(renewals_are_found_as_long_as_the_log_knows_them, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_same_renewals_have_the_same_number_and_others_another, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_batch_of_many_renewed_keys_has_a_number_of_its_own, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_renewal_that_kept_nothing_spares_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_taken_from_others_is_older_than_any_renewal_that_came_meanwhile,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_end_that_is_old_news_does_not_begin_the_stream_anew, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_is_taken_before_the_streams_were_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_a_stream_told_counts_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_ahead_is_taken_until_the_stream_begins_anew, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_forgotten_is_assumed, set_up, tear_down),
	    cmocka_unit_test(a_store_takes_nothing_that_was_purged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
