/* SPDX-License-Identifier: MIT */
/*
 * A target's queue with random populations of tenants on a fake clock: up to four tenants with up to three teams each,
 * of random weights. Teams always have requests waiting, or flood the queue, ask for two at a time, or come now and
 * then; the calls of some are a hundred times as long as those of others, and clients leave. Invariants:
 *
 *   no place is free while a request waits
 *   the teams of a tenant, and the tenants, that always wait are served work by their weights, within 5 % and one call
 *   nobody within its share of the queue is refused, or displaced, because of others
 *   one that begins to wait, runs nothing and owes nothing waits for one service of each other tenant at most
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
#include "tests/unit/seed.h"

enum { TENANTS = 4, TEAMS = 3, MEMBERS = TENANTS * TEAMS, CAPACITY = 700, PLACES_MOST = 12 };
enum { REQUESTS = CAPACITY + PLACES_MOST + 1, POPULATIONS = 30, TICKS = 20000, LONG_CALL = 400 };
enum { COUNTED_FROM = 5 * LONG_CALL }; /* what began before others came counts for nobody */

enum kind { KIND_NONE, KIND_STEADY, KIND_FLOOD, KIND_POLITE, KIND_VISITOR, KINDS };

struct request {
	struct queue_entry entry; /* first */
	enum { REQUEST_IDLE, REQUEST_WAITS, REQUEST_RUNS } state;
	unsigned member;
	struct queue_lane *place;
	unsigned ends_at;
};

/* A team, or a tenant as the sum of its teams. */
struct member {
	enum kind kind;
	unsigned weight;
	unsigned length; /* calls take up to that many ticks */
	unsigned waiting, running;
	uint64_t work; /* ticks of places */
};

static struct {
	struct queue queue;
	struct request requests[REQUESTS];
	struct member teams[MEMBERS], tenants[TENANTS];
	unsigned places, run, now, longest;
	/* A tenant that begins to wait with a clean slate: how often others were served since. */
	bool watched[TENANTS];
	unsigned others[TENANTS][TENANTS];
	unsigned idle_since[TENANTS];
	struct seed seed;
	uint64_t number;
} world;

#define FAIL(text, ...) fail_msg("seed %" PRIu64 ", tick %u: " text, world.number, world.now, __VA_ARGS__)

static unsigned below(unsigned bound)
{
	return (unsigned)seed_below(&world.seed, bound);
}

static void create(uint64_t number)
{
	static const unsigned lengths[] = {1, 3, 30, LONG_CALL};
	memset(&world, 0, sizeof(world));
	world.number = world.seed.state = number;
	world.places = 1 + below(PLACES_MOST);
	assert_true(queue_init(&world.queue, CAPACITY, world.places));
	for (unsigned i = 0; i < MEMBERS; i++) {
		world.tenants[i / TEAMS].weight = i % TEAMS == 0 ? 1 + below(8) : world.tenants[i / TEAMS].weight;
		world.teams[i] = (struct member){(enum kind)below(KINDS), 1 + below(5), lengths[below(4)], 0, 0, 0};
		if (world.teams[i].kind == KIND_STEADY)
			world.tenants[i / TEAMS].kind = KIND_STEADY;
		if (world.teams[i].kind != KIND_NONE && world.teams[i].length > world.longest)
			world.longest = world.teams[i].length;
	}
}

/* What a member would have of that many places in the queue, were all others that have some, and the other one, to
 * have theirs. */
static double share_of(const struct member *members, unsigned count, unsigned own, unsigned other, double of)
{
	unsigned weights = 0;
	for (unsigned i = 0; i < count; i++)
		weights += members[i].waiting > 0 || i == own || i == other ? members[i].weight : 0;
	return of * members[own].weight / weights;
}

static double team_share(unsigned member, unsigned other)
{
	unsigned tenant = member / TEAMS;
	return share_of(&world.teams[tenant * TEAMS], TEAMS, member % TEAMS, other % TEAMS,
			world.tenants[tenant].waiting);
}

static void check_refused(unsigned member)
{
	unsigned tenant = member / TEAMS;
	if (world.tenants[tenant].waiting + 1 <= share_of(world.tenants, TENANTS, tenant, tenant, (double)CAPACITY))
		FAIL("tenant %u was refused with %u that wait", tenant, world.tenants[tenant].waiting);
	if (world.teams[member].waiting + 1 <= team_share(member, member))
		FAIL("team %u was refused with %u that wait", member, world.teams[member].waiting);
}

static void check_displaced(unsigned loser, unsigned newcomer)
{
	unsigned tenant = loser / TEAMS, other = newcomer / TEAMS;
	if (tenant != other &&
	    world.tenants[tenant].waiting < share_of(world.tenants, TENANTS, tenant, other, (double)CAPACITY))
		FAIL("tenant %u was displaced with %u that wait", tenant, world.tenants[tenant].waiting);
	if (loser != newcomer && /* else one of its networks yields to another */
	    world.teams[loser].waiting < team_share(loser, tenant == other ? newcomer : loser))
		FAIL("team %u was displaced with %u that wait", loser, world.teams[loser].waiting);
}

static void move_waiting(unsigned member, int change)
{
	struct member *tenant = &world.tenants[member / TEAMS];
	world.teams[member].waiting += (unsigned)change;
	tenant->waiting += (unsigned)change;
	if (tenant->waiting == 0)
		world.watched[member / TEAMS] = false;
	if (tenant->waiting == 0 && tenant->running == 0)
		world.idle_since[member / TEAMS] = world.now;
}

static void starts(struct request *request)
{
	struct member *team = &world.teams[request->member];
	request->state = REQUEST_RUNS;
	request->ends_at = world.now + 1 + below(team->length);
	team->running++;
	world.tenants[request->member / TEAMS].running++;
	world.run++;
}

static void note_service(unsigned tenant)
{
	world.watched[tenant] = false;
	for (unsigned i = 0; i < TENANTS; i++)
		if (world.watched[i] && ++world.others[i][tenant] > 1)
			FAIL("tenant %u was served %u times while tenant %u waited for its first place", tenant,
			     world.others[i][tenant], i);
}

static void give_places(void)
{
	while (world.run < world.places) {
		struct queue_lane *lane;
		struct request *next = (struct request *)queue_pop(&world.queue, &lane);
		if (next == NULL)
			break;
		next->place = lane;
		note_service(next->member / TEAMS);
		starts(next);
		move_waiting(next->member, -1);
	}
	if (world.run < world.places && world.queue.count > 0)
		FAIL("%zu requests wait beside a free place", world.queue.count);
}

/* A debt is forgotten once others were served as much; who stayed away for that long owes nothing. */
static void watch(unsigned tenant)
{
	const struct member *own = &world.tenants[tenant];
	if (own->waiting > 0 || own->running > 0 || own->kind == KIND_STEADY ||
	    world.now - world.idle_since[tenant] < 20 * LONG_CALL)
		return;
	world.watched[tenant] = true;
	memset(world.others[tenant], 0, sizeof(world.others[tenant]));
}

static void waits(struct request *request, const struct queue_party *party)
{
	if (world.queue.count == world.queue.capacity) {
		struct request *loser = (struct request *)queue_yield(&world.queue, party);
		if (loser == NULL) {
			check_refused(request->member);
			return;
		}
		check_displaced(loser->member, request->member);
		loser->state = REQUEST_IDLE;
		move_waiting(loser->member, -1);
	}
	watch(request->member / TEAMS);
	assert_true(queue_push(&world.queue, &request->entry, party));
	request->state = REQUEST_WAITS;
	move_waiting(request->member, 1);
}

static struct request *idle_request(void)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		if (world.requests[i].state == REQUEST_IDLE)
			return &world.requests[i];
	return NULL;
}

static void arrives(unsigned member)
{
	struct request *request = idle_request();
	assert_non_null(request);
	*request = (struct request){.member = member};
	const struct queue_tenant path = {
	    .levels = {{.name = member / TEAMS, .weight = world.tenants[member / TEAMS].weight},
		       {.name = member % TEAMS, .weight = world.teams[member].weight}},
	    .count = 2};
	const struct queue_party party = {.network = below(3), .client = below(1000), .tenant = &path};
	if (world.queue.count == 0 && world.run < world.places) {
		request->place = queue_begin(&world.queue, &party);
		assert_non_null(request->place);
		starts(request);
	} else {
		waits(request, &party);
	}
}

static void ends(struct request *request)
{
	queue_end(&world.queue, request->place);
	request->state = REQUEST_IDLE;
	world.teams[request->member].running--;
	world.tenants[request->member / TEAMS].running--;
	world.run--;
	move_waiting(request->member, 0);
}

static void leaves(struct request *request)
{
	if (request->state != REQUEST_WAITS || world.teams[request->member].kind == KIND_STEADY)
		return;
	queue_remove(&world.queue, &request->entry);
	request->state = REQUEST_IDLE;
	move_waiting(request->member, -1);
}

static void asks(unsigned member)
{
	const struct member *team = &world.teams[member];
	unsigned has = team->waiting + team->running;
	unsigned wants = 0;
	switch (team->kind) {
	case KIND_STEADY:
		wants = team->waiting > world.places ? 0 : world.places + 1 - team->waiting;
		break;
	case KIND_FLOOD:
		wants = below(6);
		break;
	case KIND_POLITE:
		wants = has < 2 && below(4) == 0;
		break;
	case KIND_VISITOR:
		wants = has == 0 && below(30000) == 0;
		break;
	default:
		break;
	}
	while (wants-- > 0)
		arrives(member);
}

static void tick(void)
{
	world.now++;
	queue_advance(&world.queue, 1000 * (uint64_t)world.now);
	for (unsigned i = 0; i < MEMBERS; i++) {
		world.teams[i].work += world.teams[i].running;
		world.tenants[i / TEAMS].work += world.teams[i].running;
	}
	for (unsigned i = 0; i < REQUESTS && world.run > 0; i++)
		if (world.requests[i].state == REQUEST_RUNS && world.requests[i].ends_at <= world.now)
			ends(&world.requests[i]);
	leaves(&world.requests[below(REQUESTS)]);
	give_places();
	for (unsigned i = 0, first = below(MEMBERS); i < MEMBERS; i++)
		asks((first + i) % MEMBERS);
	give_places();
}

static void forget_work(void)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		world.teams[i].work = world.tenants[i / TEAMS].work = 0;
}

/* Those that always waited have the same work by their weights, but for the longest call of each. */
static void check_shares(const struct member *members, unsigned count, const char *what)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < count; k++) {
			if (members[i].kind != KIND_STEADY || members[k].kind != KIND_STEADY)
				continue;
			double a = (double)members[i].work / members[i].weight;
			double b = (double)members[k].work / members[k].weight;
			double calls =
			    (double)world.longest / members[i].weight + (double)world.longest / members[k].weight;
			if (a > b * 1.05 + calls)
				FAIL("%s %u of weight %u had %" PRIu64 ", %u of weight %u had %" PRIu64, what, i,
				     members[i].weight, members[i].work, k, members[k].weight, members[k].work);
		}
}

static void tenants_have_their_shares_whatever_others_do(void **state)
{
	struct seed seed = seed_start();
	(void)state;
	for (unsigned i = 0; i < POPULATIONS; i++) {
		create(seed_below(&seed, UINT64_MAX));
		for (unsigned t = 0; t < TICKS; t++) {
			if (t == COUNTED_FROM)
				forget_work();
			tick();
		}
		check_shares(world.tenants, TENANTS, "tenant");
		for (unsigned tenant = 0; tenant < TENANTS; tenant++)
			check_shares(&world.teams[tenant * TEAMS], TEAMS, "team");
		queue_fini(&world.queue);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tenants_have_their_shares_whatever_others_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
