/* SPDX-License-Identifier: MIT */
/* Shares of a limit in one process: what is kept for whom, what is lent, and when a refused request has room. */
#include "tests/unit/config/fixture.h"

#include "service/quotas/quotas.h"

#define KEY(name, id, tenant)                                                                                   \
	"  " name ": { hash: 'aaaaaaa" id ":0000000000000000000000000000000000000000000000000000000000000000'," \
	" tenant: " tenant " }\n"

enum { SECOND = 1000000, MINUTE = 60 * SECOND, DAY_S = 86400 };

/* The places of the keys below. */
enum { SEARCH, BOT, CHAT, OTHER, KEYS };

static const char head[] =
    "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x, n: b/y }\n"
    "auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys:\n" KEY("search", "0", "acme/search")
	KEY("bot", "1", "acme/search/bot") KEY("chat", "2", "acme/chat") KEY("other", "3", "acme/else");

static struct world {
	const struct config *config;
	struct quotas *quotas;
	struct quota_now now;
	struct quota_refusal refusal; /* the last one */
} world;

static void start(const char *quotas)
{
	char yaml[4096];
	snprintf(yaml, sizeof(yaml), "%s%s", head, quotas);
	world.config = fixture_good(yaml);
	world.quotas = quotas_create(world.config);
	assert_non_null(world.quotas);
	world.now = (struct quota_now){.us = 1000 * (uint64_t)SECOND, .s = 100 * DAY_S};
}

static void stop(void)
{
	quotas_destroy(world.quotas);
	config_drop(world.config);
}

static void pass(uint64_t us)
{
	world.now.us += us;
	world.now.s += us / SECOND;
}

static struct quota_part part_of(size_t key, size_t model)
{
	struct quota_habit habit;
	bool exhausted;
	struct quota_part part = {.calls = 1};
	part.subject = quotas_find(world.quotas, &world.config->keys[key], &world.config->models[model], world.now,
				   &habit, &exhausted);
	assert_non_null(part.subject);
	return part;
}

/* Asks for an amount of the unit, of which so much is sure, for a model. Returns whether it is granted; the part is to
 * be ended. */
static bool begin_for(struct quota_part *part, size_t key, size_t model, unsigned unit, uint64_t amount, uint64_t least)
{
	*part = part_of(key, model);
	part->reserved.of[unit] = amount;
	part->least.of[unit] = least;
	if (quotas_reserve(world.quotas, part, 1, world.now, &world.refusal))
		return true;
	quotas_drop(world.quotas, part->subject);
	return false;
}

static bool begin(struct quota_part *part, size_t key, unsigned unit, uint64_t amount)
{
	return begin_for(part, key, 0, unit, amount, amount);
}

static void end(struct quota_part *part, unsigned unit, uint64_t used)
{
	part->used.of[unit] = used;
	quotas_settle(world.quotas, part, 1, world.now);
	quotas_drop(world.quotas, part->subject);
}

/* Uses one amount after the other until there is no room. Returns how many were granted. */
static unsigned use_up(size_t key, unsigned unit, uint64_t amount)
{
	struct quota_part part;
	unsigned granted = 0;
	while (begin(&part, key, unit, amount)) {
		end(&part, unit, amount);
		granted++;
		assert_true(granted < 100000);
	}
	return granted;
}

static uint64_t left_of(size_t key)
{
	struct quota_part part = part_of(key, 0);
	struct quota_state state;
	size_t count;
	quotas_look(world.quotas, part.subject, world.now, &state, 1, &count);
	assert_int_equal(count, 1);
	quotas_drop(world.quotas, part.subject);
	return state.left;
}

static const char of_requests[] =
    "quotas: { acme: { tenant: acme, requests: 100/minute, shares: { acme/search: 40%, acme/chat: 20% } } }\n";

static void what_nobody_asks_for_is_lent(void **state)
{
	(void)state;
	start(of_requests);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 100);
	stop();
	start(of_requests);
	assert_int_equal(use_up(CHAT, QUOTA_REQUESTS, 1), 100); /* a child, too, may use all */
	stop();
}

static void a_child_that_asks_has_its_share_whatever_others_ask(void **state)
{
	(void)state;
	start(of_requests);
	struct quota_part part;
	assert_true(begin(&part, SEARCH, QUOTA_REQUESTS, 1));
	end(&part, QUOTA_REQUESTS, 0);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 60);
	assert_int_equal(use_up(CHAT, QUOTA_REQUESTS, 1), 0); /* it begins: its share is lent */
	assert_int_equal(left_of(SEARCH), 39);
	assert_int_equal(use_up(SEARCH, QUOTA_REQUESTS, 1), 39);
	stop();
}

static void a_share_is_of_all_tenants_below_the_child(void **state)
{
	(void)state;
	start(of_requests);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 100);
	assert_int_equal(use_up(BOT, QUOTA_REQUESTS, 1), 0);
	assert_string_equal(world.refusal.share.tenant, "acme/search");
	assert_int_equal(world.refusal.share.percent, 40);
	pass(MINUTE + 2 * (uint64_t)SECOND);
	struct quota_part part;
	assert_true(begin(&part, BOT, QUOTA_REQUESTS, 1));
	end(&part, QUOTA_REQUESTS, 0);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 60);
	assert_null(world.refusal.share.tenant);
	assert_true(world.refusal.share.exists);
	assert_int_equal(use_up(SEARCH, QUOTA_REQUESTS, 1), 39);
	stop();
}

static void what_falls_free_goes_to_a_child_that_lacks_it(void **state)
{
	(void)state;
	start(of_requests);
	for (int i = 0; i < 20; i++) { /* five every three seconds */
		for (int j = 0; j < 5; j++) {
			struct quota_part part;
			assert_true(begin(&part, OTHER, QUOTA_REQUESTS, 1));
			end(&part, QUOTA_REQUESTS, 0);
		}
		pass(3 * (uint64_t)SECOND);
	}
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 0);
	unsigned granted = use_up(CHAT, QUOTA_REQUESTS, 1);
	for (int i = 0; i < 4 * 3; i++) {
		pass(SECOND);
		assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 0);
		granted += use_up(CHAT, QUOTA_REQUESTS, 1);
	}
	assert_int_equal(granted, 20);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 0);
	pass(3 * (uint64_t)SECOND);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 5); /* chat has its share */
	stop();
}

static void a_child_that_has_not_asked_for_a_window_has_nothing_kept(void **state)
{
	(void)state;
	start(of_requests);
	struct quota_part part;
	assert_true(begin(&part, SEARCH, QUOTA_REQUESTS, 1));
	end(&part, QUOTA_REQUESTS, 0);
	pass(MINUTE);
	assert_int_equal(left_of(OTHER), 60); /* just within the window */
	pass(SECOND);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 100);
	stop();
}

static void a_refused_request_counts_as_asking(void **state)
{
	(void)state;
	start(of_requests);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 100);
	pass(MINUTE / 2);
	assert_int_equal(use_up(SEARCH, QUOTA_REQUESTS, 1), 0);
	pass(MINUTE / 2 + 2 * (uint64_t)SECOND);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 60);
	stop();
}

static void a_request_larger_than_the_share_takes_what_is_free(void **state)
{
	(void)state;
	start(
	    "quotas: { acme: { tenant: acme, tokens: 1000/minute, shares: { acme/search: 10%, acme/chat: 20% } } }\n");
	struct quota_part small, large;
	assert_true(begin(&small, CHAT, QUOTA_TOKENS, 50));
	assert_false(begin(&large, SEARCH, QUOTA_TOKENS, 900)); /* 150 are kept for chat */
	assert_true(begin(&large, SEARCH, QUOTA_TOKENS, 800));
	assert_int_equal(left_of(CHAT), 150);
	end(&large, QUOTA_TOKENS, 800);
	end(&small, QUOTA_TOKENS, 50);
	assert_int_equal(use_up(CHAT, QUOTA_TOKENS, 50), 3);
	assert_false(begin(&large, SEARCH, QUOTA_TOKENS, 1001));
	assert_true(world.refusal.wait_us == UINT64_MAX);
	stop();
}

/* A guess may be larger than what is left: it takes that, and no more. */
static void a_guess_takes_nothing_that_is_kept(void **state)
{
	(void)state;
	start("quotas: { acme: { tenant: acme, tokens: 1000/minute, shares: { acme/search: 40% } } }\n");
	struct quota_part first, guess, own;
	assert_true(begin(&first, SEARCH, QUOTA_TOKENS, 10));
	end(&first, QUOTA_TOKENS, 10);
	assert_true(begin_for(&guess, OTHER, 0, QUOTA_TOKENS, 5000, 1));
	assert_int_equal(left_of(OTHER), 0);
	assert_int_equal(left_of(SEARCH), 390);
	assert_true(begin(&own, SEARCH, QUOTA_TOKENS, 390));
	end(&guess, QUOTA_TOKENS, 600);
	end(&own, QUOTA_TOKENS, 390);
	assert_int_equal(left_of(OTHER), 0);
	assert_int_equal(left_of(SEARCH), 0);
	pass(2 * (uint64_t)MINUTE);
	assert_int_equal(left_of(SEARCH), 1000); /* nothing of the guess is left behind */
	stop();
}

/* What others have reserved leaves with them, not with time: the wait for it was none, and taken for room. */
static void what_others_have_reserved_is_no_room(void **state)
{
	(void)state;
	start("quotas: { acme: { tenant: acme, tokens: 1000/minute, shares: { acme/search: 40% } } }\n");
	struct quota_part other, own;
	assert_true(begin(&other, OTHER, QUOTA_TOKENS, 900));
	assert_false(begin(&own, SEARCH, QUOTA_TOKENS, 200));
	assert_int_equal(world.refusal.wait_us, SECOND);
	end(&other, QUOTA_TOKENS, 0);
	assert_true(begin(&own, SEARCH, QUOTA_TOKENS, 200));
	end(&own, QUOTA_TOKENS, 0);
	stop();
}

static void places_that_are_lent_come_back_with_those_who_leave(void **state)
{
	(void)state;
	start("quotas: { acme: { tenant: acme, concurrent: 10, shares: { acme/search: 40%, acme/chat: 30% } } }\n");
	struct quota_part others[10], own;
	for (int i = 0; i < 10; i++)
		assert_true(begin(&others[i], OTHER, QUOTA_CONCURRENT, 1));
	assert_false(begin(&own, SEARCH, QUOTA_CONCURRENT, 1));
	assert_int_equal(world.refusal.wait_us, SECOND);
	for (int i = 0; i < 4; i++) {
		end(&others[i], QUOTA_CONCURRENT, 0);
		assert_false(begin(&others[i], OTHER, QUOTA_CONCURRENT, 1));
		assert_false(begin(&others[i], CHAT, QUOTA_CONCURRENT, 1)); /* it began to ask later */
		assert_true(begin(&own, SEARCH, QUOTA_CONCURRENT, 1));
	}
	stop();
}

/* By noon half of a day's share may be lent; what is not lent by then is kept for those who ask later. */
static void a_share_of_a_day_is_lent_as_the_day_passes(void **state)
{
	(void)state;
	start("quotas: { acme: { tenant: acme, requests: 1000/day, shares: { acme/search: 40%, acme/chat: 20% } } }\n");
	assert_int_equal(left_of(OTHER), 400);
	assert_int_equal(left_of(SEARCH), 800);
	pass(DAY_S / 2 * (uint64_t)SECOND);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 700);
	assert_int_equal(use_up(SEARCH, QUOTA_REQUESTS, 1), 200);
	assert_int_equal(use_up(CHAT, QUOTA_REQUESTS, 1), 100);
	pass(DAY_S / 2 * (uint64_t)SECOND);
	assert_int_equal(use_up(SEARCH, QUOTA_REQUESTS, 1), 800);
	assert_int_equal(use_up(CHAT, QUOTA_REQUESTS, 1), 200);
	stop();
}

static void a_child_that_uses_its_share_of_a_month_evenly_is_never_refused(void **state)
{
	(void)state;
	start("quotas: { acme: { tenant: acme, requests: 31000/month, shares: { acme/search: 30% } } }\n");
	world.now.s = UINT64_C(1798761600); /* January 2027 */
	for (int hour = 0; hour < 31 * 24; hour++) {
		struct quota_part part;
		use_up(OTHER, QUOTA_REQUESTS, 1);
		for (int i = 0; i < 12; i++) { /* of 12.5 an hour */
			assert_true(begin(&part, SEARCH, QUOTA_REQUESTS, 1));
			end(&part, QUOTA_REQUESTS, 0);
		}
		pass(3600 * (uint64_t)SECOND);
	}
	stop();
}

static void each_model_has_shares_of_its_own(void **state)
{
	(void)state;
	start("quotas: { acme: { tenant: acme, each: model, requests: 10/minute, shares: { acme/search: 40% } } }\n");
	struct quota_part part;
	assert_true(begin_for(&part, SEARCH, 1, QUOTA_REQUESTS, 1, 1));
	end(&part, QUOTA_REQUESTS, 0);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 10);
	for (int i = 0; i < 6; i++)
		assert_true(begin_for(&part, OTHER, 1, QUOTA_REQUESTS, 1, 1));
	assert_false(begin_for(&part, OTHER, 1, QUOTA_REQUESTS, 1, 1));
	stop();
}

/* Levels nest: a child's own quota within its share has shares, too. */
static void shares_of_a_share_hold_at_once(void **state)
{
	(void)state;
	start("quotas:\n  acme: { tenant: acme, requests: 100/minute, shares: { acme/search: 40% } }\n"
	      "  search: { tenant: acme/search, requests: 40/minute, shares: { acme/search/bot: 50% } }\n");
	struct quota_part part;
	assert_true(begin(&part, BOT, QUOTA_REQUESTS, 1));
	end(&part, QUOTA_REQUESTS, 0);
	assert_int_equal(use_up(OTHER, QUOTA_REQUESTS, 1), 60);
	assert_int_equal(use_up(SEARCH, QUOTA_REQUESTS, 1), 20);
	assert_string_equal(world.refusal.name, "search");
	assert_int_equal(use_up(BOT, QUOTA_REQUESTS, 1), 19);
	stop();
}

/* The first one to have room is the one that asks for its own share. */
static void a_wait_is_no_longer_than_until_enough_has_left_the_window(void **state)
{
	(void)state;
	start(
	    "quotas: { acme: { tenant: acme, tokens: 1000/minute, shares: { acme/search: 40%, acme/chat: 20% } } }\n");
	struct quota_part part;
	for (int i = 0; i < 10; i++) {
		assert_true(begin(&part, OTHER, QUOTA_TOKENS, 100));
		end(&part, QUOTA_TOKENS, 100);
		pass(SECOND);
	}
	assert_false(begin(&part, SEARCH, QUOTA_TOKENS, 200));
	assert_int_equal(world.refusal.wait_us, 52 * SECOND); /* the second use is a minute and a second old */
	assert_false(begin(&part, CHAT, QUOTA_TOKENS, 100));
	assert_int_equal(world.refusal.wait_us, 55 * SECOND); /* after 400 of search's, it has its own */
	assert_false(begin(&part, OTHER, QUOTA_TOKENS, 100));
	assert_int_equal(world.refusal.wait_us, 57 * SECOND);
	stop();
}

static void after_its_wait_a_refused_request_has_room(void **state)
{
	static const char *const windows[] = {"second", "minute", "hour", "day", "month"};
	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		char quotas[160];
		snprintf(
		    quotas, sizeof(quotas),
		    "quotas: { acme: { tenant: acme, tokens: 1000/%s, shares: { acme/search: 40%%, acme/chat: 20%% "
		    "} } }\n",
		    windows[i]);
		start(quotas);
		struct quota_part part;
		use_up(OTHER, QUOTA_TOKENS, 10);
		use_up(SEARCH, QUOTA_TOKENS, 10);
		for (size_t key = 0; key < KEYS; key++) {
			if (begin(&part, key, QUOTA_TOKENS, 150)) {
				end(&part, QUOTA_TOKENS, 150);
				continue;
			}
			assert_true(world.refusal.wait_us > 0 && world.refusal.wait_us < UINT64_MAX);
			pass(world.refusal.wait_us);
			if (!begin(&part, key, QUOTA_TOKENS, 150))
				fail_msg("per %s, key %zu: there is room only %llu us later", windows[i], key,
					 (unsigned long long)world.refusal.wait_us);
			end(&part, QUOTA_TOKENS, 150);
		}
		stop();
	}
}

/* Of an account that is forgotten nobody knows that it asked. */
static void keys_that_come_and_go_take_nothing_from_a_child_that_asks(void **state)
{
	(void)state;
	start("quotas: { acme: { tenant: acme, tokens: 1000/minute, shares: { acme/search: 40% } } }\n");
	struct quota_part part;
	assert_true(begin(&part, SEARCH, QUOTA_TOKENS, 10));
	end(&part, QUOTA_TOKENS, 0);
	static char names[3000][16];
	for (int i = 0; i < 3000; i++) { /* each looks through some accounts for those that are as if new */
		struct config_key key = world.config->keys[OTHER];
		struct quota_habit habit;
		bool exhausted;
		snprintf(names[i], sizeof(names[i]), "key-%d", i);
		key.name = names[i];
		key.hash = NULL;
		quotas_drop(world.quotas,
			    quotas_find(world.quotas, &key, &world.config->models[0], world.now, &habit, &exhausted));
	}
	assert_int_equal(left_of(OTHER), 600);
	pass(2 * (uint64_t)MINUTE);
	assert_int_equal(left_of(OTHER), 1000);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_nobody_asks_for_is_lent),
	    cmocka_unit_test(a_child_that_asks_has_its_share_whatever_others_ask),
	    cmocka_unit_test(a_share_is_of_all_tenants_below_the_child),
	    cmocka_unit_test(what_falls_free_goes_to_a_child_that_lacks_it),
	    cmocka_unit_test(a_child_that_has_not_asked_for_a_window_has_nothing_kept),
	    cmocka_unit_test(a_refused_request_counts_as_asking),
	    cmocka_unit_test(a_request_larger_than_the_share_takes_what_is_free),
	    cmocka_unit_test(a_guess_takes_nothing_that_is_kept),
	    cmocka_unit_test(what_others_have_reserved_is_no_room),
	    cmocka_unit_test(places_that_are_lent_come_back_with_those_who_leave),
	    cmocka_unit_test(a_share_of_a_day_is_lent_as_the_day_passes),
	    cmocka_unit_test(a_child_that_uses_its_share_of_a_month_evenly_is_never_refused),
	    cmocka_unit_test(each_model_has_shares_of_its_own),
	    cmocka_unit_test(shares_of_a_share_hold_at_once),
	    cmocka_unit_test(a_wait_is_no_longer_than_until_enough_has_left_the_window),
	    cmocka_unit_test(after_its_wait_a_refused_request_has_room),
	    cmocka_unit_test(keys_that_come_and_go_take_nothing_from_a_child_that_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
