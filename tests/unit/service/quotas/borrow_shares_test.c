/* SPDX-License-Identifier: MIT */
/* What a replica asks Redis about a child's share, and how long its requests wait for what other replicas hold of it.
 */
#include "tests/unit/config/fixture.h"

#include "lib/timers.h"
#include "service/quotas/borrow.h"

enum { MS = 1000, SECOND = 1000000, LIMIT = 1000, SHARE = 400 };

static const char yaml[] =
    "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\nredis: { servers: 127.0.0.1:1 "
    "}\n"
    "auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys:\n"
    "  k: { hash: 'aaaaaaaa:0000000000000000000000000000000000000000000000000000000000000000', tenant: acme/search }\n"
    "quotas: { acme: { tenant: acme, tokens: 1000/minute, shares: { acme/chat: 20%, acme/search: 40% } } }\n";

/* A request. */
struct request {
	struct quota_waiter waiter; /* first */
	struct quota_part part;
	unsigned woken;
};

static struct world {
	const struct config *config;
	struct quotas *quotas;
	struct quota_port *port;
	struct timers timers;
	struct quota_call *call; /* that was sent; NULL = none is under way */
	unsigned sent;
} world;

static bool send_call(void *context, struct quota_call *call, struct span name)
{
	(void)context;
	assert_null(world.call);
	assert_int_equal(name.at[name.len - 1], '\0'); /* the limit: nothing of it says which share */
	world.call = call;
	world.sent++;
	return true;
}

static void post(void *context)
{
	(void)context;
}

static void on_ready(struct quota_waiter *waiter)
{
	((struct request *)waiter)->woken++;
}

static struct quota_now now(void)
{
	return (struct quota_now){world.timers.now_us, world.timers.now_us / SECOND};
}

static void start(void)
{
	static const struct quota_port_ops ops = {sizeof(struct quota_call), send_call, post};
	world = (struct world){.config = fixture_good(yaml), .timers = {.now_us = 1000 * (uint64_t)SECOND}};
	world.quotas = quotas_create(world.config);
	world.port = quota_port_create(world.quotas, &ops, NULL, &world.timers);
	assert_non_null(world.port);
}

/* Redis answers: so much of what is asked for is to be had. */
static void answer(uint64_t least, bool others_lack, bool owed)
{
	struct quota_call *call = world.call;
	assert_non_null(call);
	uint64_t held = call->ask.want - call->ask.covered;
	const struct script_answer said = {.ceiling = call->ask.covered + (held < least ? held : least),
					   .holders = 2,
					   .others_lack = others_lack,
					   .owed = owed};
	world.call = NULL;
	quota_call_end(call, &said);
	quota_port_deliver(world.port);
}

static void stop(void)
{
	if (world.call != NULL)
		answer(LIMIT, false, false);
	quotas_destroy(world.quotas);
	config_drop(world.config);
}

static void pass(uint64_t us)
{
	world.timers.now_us += us;
	quota_port_renew(world.port);
}

static bool reserve(struct request *request)
{
	struct quota_refusal refusal;
	return quotas_reserve(world.quotas, &request->part, 1, now(), &refusal);
}

/* Asks for an amount, which waits for Redis. */
static struct request begin(uint64_t amount)
{
	struct request request = {.waiter = {.on_ready = on_ready, .port = world.port}};
	struct quota_habit habit;
	bool exhausted;
	request.part.subject =
	    quotas_find(world.quotas, &world.config->keys[0], &world.config->models[0], now(), &habit, &exhausted);
	assert_non_null(request.part.subject);
	request.part.reserved.of[QUOTA_TOKENS] = request.part.least.of[QUOTA_TOKENS] = amount;
	assert_false(reserve(&request));
	return request;
}

static bool wait_for(struct request *request)
{
	return quotas_wait(world.quotas, &request->part, 1, now(), &request->waiter);
}

static void end(struct request *request)
{
	quotas_drop(world.quotas, request->part.subject);
}

static void a_call_says_whose_share_it_is_about_and_when_it_was_asked_for(void **state)
{
	(void)state;
	start();
	struct request request = begin(100);
	pass(30 * MS);
	assert_true(wait_for(&request));
	const struct script_ask *ask = &world.call->ask;
	assert_int_equal(ask->share_count, 2);
	assert_int_equal(ask->member, 1);
	assert_int_equal(ask->asked_ms, 30);
	char text[SCRIPT_TEXT_SIZE];
	struct span args[SCRIPT_ARGS];
	script_write(ask, text, args);
	assert_true(span_is(args[12], "acme/search"));
	assert_true(span_is(args[13], "30"));
	assert_true(span_is(args[14], "acme/chat 20 acme/search 40 "));
	answer(LIMIT, false, false);
	assert_int_equal(request.woken, 1);
	end(&request);
	stop();
}

static void what_serves_no_request_is_returned_when_others_lack_it(void **state)
{
	(void)state;
	for (int lacked = 0; lacked < 2; lacked++) {
		start();
		struct request request = begin(100);
		assert_true(wait_for(&request));
		answer(50, lacked, false);
		assert_int_equal(request.woken, 1);
		assert_false(reserve(&request));
		pass(100 * MS);
		assert_int_equal(world.call != NULL, lacked);
		if (lacked)
			assert_int_equal(world.call->ask.want, 0);
		end(&request);
		stop();
	}
}

static void what_others_are_to_return_is_waited_for_two_seconds(void **state)
{
	(void)state;
	start();
	struct request request = begin(100);
	assert_true(wait_for(&request));
	for (int i = 0; i < 20; i++) {
		answer(50, true, true);
		assert_null(world.call); /* not at once */
		assert_int_equal(request.woken, 0);
		pass(100 * MS);
		assert_int_equal(world.call->ask.must, 100);
	}
	answer(50, true, true);
	assert_int_equal(request.woken, 1);
	assert_false(reserve(&request));
	assert_false(wait_for(&request)); /* it is refused */
	end(&request);
	stop();
}

static void what_was_returned_ends_the_wait(void **state)
{
	(void)state;
	start();
	struct request request = begin(100);
	assert_true(wait_for(&request));
	answer(50, true, true);
	pass(100 * MS);
	answer(100, true, false);
	assert_int_equal(request.woken, 1);
	assert_true(reserve(&request));
	quotas_settle(world.quotas, &request.part, 1, now());
	end(&request);
	stop();
}

static void what_is_not_owed_is_refused_at_once(void **state)
{
	(void)state;
	start();
	struct request request = begin(100);
	assert_true(wait_for(&request));
	answer(50, true, false);
	assert_int_equal(request.woken, 1);
	assert_false(wait_for(&request));
	end(&request);
	stop();
}

/* Redis was asked for both, which are more than there is. */
static void a_request_is_not_refused_for_one_that_left(void **state)
{
	(void)state;
	start();
	struct request first = begin(1), stays, leaves;
	assert_true(wait_for(&first));
	stays = begin(100);
	leaves = begin(SHARE);
	assert_true(wait_for(&stays));
	assert_true(wait_for(&leaves));
	answer(0, true, false);
	assert_int_equal(first.woken, 1);
	assert_int_equal(world.call->ask.must, 100 + SHARE);
	quotas_abandon(world.quotas, &leaves.waiter);
	answer(99, true, false);
	assert_int_equal(stays.woken, 0);
	pass(100 * MS);
	assert_int_equal(world.call->ask.must, 100);
	answer(100, true, false);
	assert_int_equal(stays.woken, 1);
	assert_true(reserve(&stays));
	quotas_settle(world.quotas, &stays.part, 1, now());
	end(&first);
	end(&stays);
	end(&leaves);
	stop();
}

static void what_a_request_leaves_is_returned_soon_where_others_lack_it(void **state)
{
	(void)state;
	for (int lack = 0; lack < 2; lack++) {
		start();
		struct request request = begin(100);
		assert_true(wait_for(&request));
		answer(100, lack == 1, false);
		assert_true(reserve(&request));
		unsigned sent = world.sent;
		pass(100 * MS);
		assert_int_equal(world.sent, sent);
		request.part.used.of[QUOTA_TOKENS] = 30;
		quotas_settle(world.quotas, &request.part, 1, now());
		pass(100 * MS);
		assert_int_equal(world.sent, sent + (unsigned)lack); /* otherwise within the second */
		if (lack == 1)
			assert_int_equal(world.call->ask.want, 30);
		end(&request);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_call_says_whose_share_it_is_about_and_when_it_was_asked_for),
	    cmocka_unit_test(what_serves_no_request_is_returned_when_others_lack_it),
	    cmocka_unit_test(what_others_are_to_return_is_waited_for_two_seconds),
	    cmocka_unit_test(what_was_returned_ends_the_wait),
	    cmocka_unit_test(what_is_not_owed_is_refused_at_once),
	    cmocka_unit_test(a_request_is_not_refused_for_one_that_left),
	    cmocka_unit_test(what_a_request_leaves_is_returned_soon_where_others_lack_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
