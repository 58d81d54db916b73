/* SPDX-License-Identifier: MIT */
/*
 * A target's queue and the spares of a hedge, each with random populations on a fake clock. Networks are polite (two
 * requests at a time), greedy (as many as they can, each by another name) or hold their places for long. Invariants:
 *
 *   no place is free while a request waits
 *   a network that has less than its share of the queue is never refused, nor displaced
 *   a free place goes to a network that runs no more than any other one that waits
 *   a network that waits and runs nothing has a place before any other network has had two of those that became free
 *   spares are never more than their percentage of the requests; with 100 %, every slow request has one
 *
 * The seed is printed; SLUICE_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "service/health/queue.h"
#include "service/health/hedge_budget.h"
#include "tests/unit/seed.h"

enum { NETWORKS = 6, REQUESTS = 512, POPULATIONS = 200, TICKS = 4000, POLITE_MOST = 2 };

enum party_kind { PARTY_POLITE, PARTY_GREEDY, PARTY_HOLDER, PARTY_KINDS };

enum request_state { REQUEST_IDLE, REQUEST_WAITS, REQUEST_RUNS };

struct request {
	struct queue_entry entry; /* first */
	enum request_state state;
	unsigned network;
	struct queue_lane *place;
	unsigned ends_at;         /* tick */
	unsigned given[NETWORKS]; /* places that other networks had since it waits and its own runs nothing */
	bool alone;               /* its network ran nothing when it began to wait */
};

static struct {
	struct queue queue;
	struct request requests[REQUESTS];
	enum party_kind kinds[NETWORKS];
	unsigned running[NETWORKS], waiting[NETWORKS];
	unsigned places, capacity, run, now;
	uint64_t names;
	struct seed seed;
	unsigned long served[PARTY_KINDS];
	uint64_t number;
} world;

static unsigned below(unsigned bound)
{
	return (unsigned)seed_below(&world.seed, bound);
}

static void create(uint64_t number)
{
	memset(&world, 0, sizeof(world));
	world.number = world.seed.state = number;
	world.places = 1 + below(12);
	world.capacity = NETWORKS * POLITE_MOST + below(40);
	assert_true(queue_init(&world.queue, world.capacity, world.places));
	for (unsigned i = 1; i < NETWORKS; i++)
		world.kinds[i] = (enum party_kind)below(PARTY_KINDS);
}

#define FAIL(text, ...) fail_msg("seed %" PRIu64 ", tick %u: " text, world.number, world.now, __VA_ARGS__)

static unsigned share(void)
{
	return world.capacity / NETWORKS;
}

static struct queue_party party_of(unsigned network)
{
	bool renames = world.kinds[network] == PARTY_GREEDY;
	return (struct queue_party){.network = network + 1, .client = renames ? ++world.names : network + 1};
}

static void starts(struct request *request)
{
	static const unsigned lengths[] = {[PARTY_POLITE] = 10, [PARTY_GREEDY] = 6, [PARTY_HOLDER] = 200};
	request->state = REQUEST_RUNS;
	request->ends_at = world.now + 1 + below(lengths[world.kinds[request->network]]);
	world.running[request->network]++;
	world.run++;
	world.served[world.kinds[request->network]]++;
}

/* Every request that waits for its network's first place notes who had one instead. */
static void note_given(unsigned network)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct request *at = &world.requests[i];
		if (at->state != REQUEST_WAITS || at->network == network || world.running[at->network] > 0)
			continue;
		if (at->alone && ++at->given[network] > 1)
			FAIL("network %u had %u places while network %u waited for its first", network,
			     at->given[network], at->network);
	}
}

/* Of all networks that waited, the one that was chosen runs the fewest. */
static void check_choice(unsigned network)
{
	for (unsigned other = 0; other < NETWORKS; other++)
		if (world.waiting[other] > 0 && world.running[other] < world.running[network])
			FAIL("network %u, which runs %u, had a place before network %u, which runs %u", network,
			     world.running[network], other, world.running[other]);
}

static void give_places(void)
{
	while (world.run < world.places) {
		struct queue_lane *lane;
		struct request *next = (struct request *)queue_pop(&world.queue, &lane);
		if (next == NULL)
			break;
		next->place = lane;
		check_choice(next->network);
		world.waiting[next->network]--;
		note_given(next->network);
		starts(next);
	}
	if (world.run < world.places && world.queue.count > 0)
		FAIL("%zu requests wait beside a free place", world.queue.count);
}

/* A request that is turned away, or makes room: nobody's who has less than a share. */
static void check_refusal(unsigned network, const char *how)
{
	if (world.waiting[network] < share())
		FAIL("network %u was %s with %u that wait; its share is %u", network, how, world.waiting[network],
		     share());
}

static void wait_or_leave(struct request *request, const struct queue_party *party)
{
	if (world.queue.count == world.capacity) {
		struct request *loser = (struct request *)queue_yield(&world.queue, party);
		if (loser == NULL) {
			check_refusal(request->network, "refused");
			return;
		}
		queue_remove(&world.queue, &loser->entry);
		world.waiting[loser->network]--;
		check_refusal(loser->network, "displaced");
		loser->state = REQUEST_IDLE;
	}
	assert_true(queue_push(&world.queue, &request->entry, party));
	request->state = REQUEST_WAITS;
	request->alone = world.running[request->network] == 0 && world.waiting[request->network] == 0;
	memset(request->given, 0, sizeof(request->given));
	world.waiting[request->network]++;
}

static void arrives(unsigned network)
{
	struct request *request = NULL;
	for (unsigned i = 0; i < REQUESTS && request == NULL; i++)
		if (world.requests[i].state == REQUEST_IDLE)
			request = &world.requests[i];
	if (request == NULL)
		return;
	*request = (struct request){.network = network};
	struct queue_party party = party_of(network);
	if (world.queue.count == 0 && world.run < world.places) {
		request->place = queue_begin(&world.queue, &party);
		starts(request);
	} else {
		wait_or_leave(request, &party);
	}
}

static void leaves(struct request *request)
{
	queue_remove(&world.queue, &request->entry);
	world.waiting[request->network]--;
	request->state = REQUEST_IDLE;
}

static void ends(struct request *request)
{
	queue_end(&world.queue, request->place);
	world.running[request->network]--;
	world.run--;
	request->state = REQUEST_IDLE;
}

static void tick(void)
{
	world.now++;
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct request *request = &world.requests[i];
		if (request->state == REQUEST_RUNS && request->ends_at <= world.now)
			ends(request);
		else if (request->state == REQUEST_WAITS && below(400) == 0)
			leaves(request);
	}
	give_places();
	for (unsigned network = 0; network < NETWORKS; network++) {
		unsigned has = world.running[network] + world.waiting[network];
		bool polite = world.kinds[network] == PARTY_POLITE;
		for (unsigned i = 0; i < 3; i++)
			if (polite ? has + i < POLITE_MOST && below(4) == 0 : below(3) != 0)
				arrives(network);
	}
	give_places();
}

static void a_polite_network_has_its_share_whatever_others_do(void **state)
{
	struct seed seed = seed_start();
	(void)state;
	for (unsigned i = 0; i < POPULATIONS; i++) {
		create(seed_below(&seed, UINT64_MAX));
		for (unsigned t = 0; t < TICKS; t++)
			tick();
		assert_true(world.served[PARTY_POLITE] * 200 * NETWORKS > TICKS * world.places);
		queue_fini(&world.queue);
	}
}

/* Requests begin, some are slow and ask for a spare, and end. */
static void check_spares(uint64_t number, unsigned percent)
{
	struct seed seed = {number};
	struct hedge_budget spares = {0};
	unsigned long begun = 0, taken = 0, missed = 0;
	unsigned underway = 0, asked = 0;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned what = (unsigned)seed_below(&seed, 3);
		if (what == 0 && underway < 300) {
			hedge_budget_earn(&spares);
			underway++;
			begun++;
		} else if (what == 1 && underway > asked) { /* each asks once at most */
			bool took = hedge_budget_take(&spares, percent);
			asked++;
			taken += took;
			missed += !took;
		} else if (what == 2 && underway > 0) {
			hedge_budget_settle(&spares);
			underway--;
			asked -= asked > 0;
		}
		if (taken * 100 > begun * percent)
			fail_msg("seed %" PRIu64 ": %lu spares for %lu requests at %u %%", number, taken, begun,
				 percent);
	}
	if (percent >= 100)
		assert_int_equal(missed, 0);
	assert_true(percent == 0 || taken * 200 > begun * percent || taken + missed < begun / 2);
}

static void spares_keep_to_their_percentage(void **state)
{
	static const unsigned percents[] = {0, 1, 5, 33, 50, 99, 100};
	struct seed seed = seed_start();
	(void)state;
	for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		for (unsigned run = 0; run < 20; run++)
			check_spares(seed_below(&seed, UINT64_MAX), percents[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_polite_network_has_its_share_whatever_others_do),
	    cmocka_unit_test(spares_keep_to_their_percentage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
