/* SPDX-License-Identifier: MIT */
/*
 * Health, breakers, pauses, standby rules and the choice of balance together, on a fake clock: a random population of
 * good, slow and failing targets, and of clients that are polite or not. Each client's request goes to the better of
 * two targets, then to the others while it fails in a way that another one may mend. Invariants:
 *
 *   a target that never fails a polite client's requests refuses none of them, whatever others do there
 *   while one such target is there, every polite request is served
 *   a target whose calls fail at once gets some requests' first calls and then about one or two a second, however many
 *   requests there are, and also where no breaker opens (429) and where it was the fastest before
 *
 * With 1, 8, 30 and 300 clients. The seed is printed; SLUICE_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "service/health/health.h"
#include "service/health/success_rate.h"
#include "service/plan/balance.h"
#include "tests/unit/seed.h"

#define SECOND 1000000ull

enum {
	TARGETS = 4,
	CLIENTS = 300,
	REQUESTS = 64,
	TICK_US = 5000,
	POPULATIONS = 60,
	TICKS = 12000,
	LIMITED_TICK = 1000
};

/* TARGET_LIMITED is the fastest one until LIMITED_TICK, and answers 429 at once from then on: no breaker opens. */
enum target_kind { TARGET_GOOD, TARGET_SLOW, TARGET_LIMITED, TARGET_FAILING, TARGET_FLAPPING, TARGET_KINDS };
/* Those behind CLIENT_FAULTY are there once at most: what two clients meet is taken for everybody's. */
enum client_kind { CLIENT_POLITE, CLIENT_LEAVER, CLIENT_FAULTY, CLIENT_LIMITED, CLIENT_POISON, CLIENT_KINDS };

/* A request under way. */
struct request {
	bool busy;
	unsigned client;
	bool tried[TARGETS];
	unsigned tries, failures;
	size_t target;
	bool preferred; /* a choice of balance, by which not most of the target's calls fail */
	struct health_call call;
	bool waits;        /* for others to try the target first */
	uint64_t since_us; /* it began */
	uint64_t due_us;   /* something happens */
	bool content;      /* at due_us it gets content; else it ends */
	enum failure_kind kind;
};

static struct {
	struct config_backend backends[TARGETS];
	struct config_target targets[TARGETS];
	struct config_model models[1];
	struct config config;
	struct health *health;
	enum target_kind kinds[TARGETS];
	enum client_kind clients[CLIENTS];
	struct request requests[REQUESTS];
	unsigned client_count;
	uint64_t now, limited_from;
	struct seed seed;
	unsigned polite, served;
	unsigned first[TARGETS];   /* first calls that failed there at once */
	unsigned running[TARGETS]; /* at present */
	unsigned most[TARGETS];    /* that were running there when another one began */
} world;

static uint64_t below(uint64_t bound)
{
	return seed_below(&world.seed, bound);
}

static void create(uint64_t seed, unsigned client_count)
{
	static const char *const names[TARGETS] = {"a/m", "b/m", "c/m", "d/m"};
	memset(&world, 0, sizeof(world));
	world.seed.state = seed;
	world.now = 1000 * SECOND;
	world.limited_from = world.now + LIMITED_TICK * TICK_US;
	world.client_count = client_count;
	for (unsigned i = 0; i < TARGETS; i++) {
		world.backends[i] = (struct config_backend){
		    .name = names[i],
		    .breaker = {true, 60 * SECOND, 10, 50, 5, 3, 5 * SECOND, 30 * SECOND},
		    .probe = {.fall = 3, .rise = 2, .slow_start_us = 30 * SECOND},
		};
		world.targets[i] = (struct config_target){&world.backends[i], "m", names[i], false};
		world.kinds[i] = i == 0 ? TARGET_GOOD : (enum target_kind)below(TARGET_KINDS);
	}
	world.clients[0] = CLIENT_POLITE;
	world.clients[1] = CLIENT_FAULTY + (enum client_kind)below(CLIENT_KINDS - CLIENT_FAULTY);
	for (unsigned i = 2; i < client_count; i++)
		world.clients[i] = (enum client_kind)below(CLIENT_FAULTY + 1);
	world.models[0] = (struct config_model){.name = "m"};
	world.config = (struct config){.backends = world.backends,
				       .backend_count = TARGETS,
				       .targets = world.targets,
				       .target_count = TARGETS,
				       .models = world.models,
				       .model_count = 1,
				       .retries = {20, 3}};
	world.health = health_create(&world.config, seed, NULL);
	assert_non_null(world.health);
}

static struct health_use use_of(size_t target, unsigned client)
{
	return (struct health_use){.target = target, .client = client + 1, .stream = true};
}

/* How a client's own requests fail anywhere. */
static enum failure_kind kind_caused_by(enum client_kind client)
{
	if (client == CLIENT_LIMITED)
		return FAILURE_RATE_LIMIT;
	if (client == CLIENT_POISON)
		return FAILURE_SERVER;
	return below(2) == 0 ? FAILURE_REQUEST : FAILURE_UNSUPPORTED;
}

/* How long a target takes that does not fail. */
static uint64_t time_of(enum target_kind kind)
{
	if (kind == TARGET_SLOW)
		return SECOND + below(3 * SECOND);
	return kind == TARGET_LIMITED ? 1000 + below(4000) : 50000 + below(100000);
}

static bool is_limited(size_t target)
{
	return world.kinds[target] == TARGET_LIMITED && world.now >= world.limited_from;
}

static bool is_down(size_t target)
{
	return world.kinds[target] == TARGET_FAILING || is_limited(target) ||
	       (world.kinds[target] == TARGET_FLAPPING && world.now / (7 * SECOND) % 2 == 0);
}

/* What becomes of a call: when, and how. */
static void deal_outcome(struct request *request)
{
	enum client_kind client = world.clients[request->client];
	bool down = is_down(request->target);
	request->content = !down;
	request->kind = is_limited(request->target) ? FAILURE_RATE_LIMIT : FAILURE_SERVER;
	request->due_us = world.now + (down ? 1000 + below(4000) : time_of(world.kinds[request->target]));
	if (client >= CLIENT_FAULTY && !down) { /* one that is down does not look at requests */
		request->content = false;
		request->kind = kind_caused_by(client);
		request->due_us = world.now + 1000 + below(4000);
	}
	if (client == CLIENT_LEAVER && request->due_us > world.now + 20000) {
		request->content = false;
		request->kind = FAILURE_CLIENT;
		request->due_us = world.now + 20000 + below(30000);
	}
}

static bool is_refusal_wrong(const struct request *request, enum health_reason reason)
{
	return world.clients[request->client] == CLIENT_POLITE && world.kinds[request->target] <= TARGET_SLOW &&
	       reason != HEALTH_UNPROVEN && reason != HEALTH_FAILING;
}

static void over(struct request *request, bool served)
{
	if (world.clients[request->client] == CLIENT_POLITE) {
		world.polite++;
		world.served += served;
	}
	health_plan_ends(world.health);
	request->busy = false;
}

/* Moves the candidates that take calls to the front, as balance does. Returns how many; all, when fewer than half do.
 */
static size_t keep_available(struct balance_candidate *candidates, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (candidates[i].view.reason == HEALTH_OK)
			candidates[kept++] = candidates[i];
	return kept;
}

/* The choice of balance among those that were not tried. TARGETS: there is none. */
static size_t choose(struct request *request)
{
	struct balance_candidate left[TARGETS], usable[TARGETS];
	size_t count = 0, available = 0, at;
	request->preferred = false;
	for (size_t i = 0; i < TARGETS; i++) {
		struct health_use use = use_of(i, request->client);
		left[count] = (struct balance_candidate){.child = i};
		health_view(world.health, &use, world.now, &left[count].view);
		available += left[count].view.reason == HEALTH_OK;
		count += !request->tried[i];
	}
	if (count == 0)
		return TARGETS;
	memcpy(usable, left, sizeof(left));
	size_t kept = keep_available(usable, count);
	if (available * 2 < TARGETS || kept == 0)
		return left[balance_by_p2c(left, count, below(UINT64_MAX))].child;
	bool works = false;
	for (size_t i = 0; i < kept; i++)
		works = works || usable[i].view.failing < 0.5;
	kept = balance_keep_working(usable, kept);
	at = balance_by_p2c(usable, kept, below(UINT64_MAX));
	request->preferred = usable[at].view.failing < 0.5;
	assert_true(request->preferred || !works);
	return usable[at].child;
}

static void ask(struct request *request, enum health_purpose purpose)
{
	uint64_t wait;
	struct health_use use = use_of(request->target, request->client);
	enum health_reason reason = health_enter(world.health, &request->call, &use, purpose, world.now, &wait);
	request->waits = reason == HEALTH_UNPROVEN;
	if (reason == HEALTH_OK) {
		size_t target = request->target;
		bool down = world.kinds[target] == TARGET_FAILING || is_limited(target);
		world.first[target] += request->tries == 0 && request->preferred && down;
		request->tries++;
		world.running[target]++;
		world.most[target] =
		    world.running[target] > world.most[target] && down ? world.running[target] : world.most[target];
		deal_outcome(request);
		return;
	}
	if (is_refusal_wrong(request, reason))
		fail_msg("a good target refused a polite client: %s", health_reason_name(reason));
	request->due_us = world.now + (request->waits ? 20000 : 0);
}

static void next_target(struct request *request)
{
	request->target = choose(request);
	if (request->target == TARGETS) {
		over(request, false);
		return;
	}
	request->tried[request->target] = true;
	ask(request, request->failures == 0 ? HEALTH_FIRST : HEALTH_DIVERTED);
}

static void end_call(struct request *request)
{
	world.running[request->target]--;
	struct health_outcome outcome = {.code = ERROR_NONE, .kind = FAILURE_NONE};
	if (request->content) {
		health_first_content(&request->call, world.now);
		health_leave(&request->call, &outcome, world.now);
		over(request, true);
		return;
	}
	bool limited = request->kind == FAILURE_RATE_LIMIT;
	outcome.kind = request->kind;
	outcome.code = request->kind == FAILURE_CLIENT ? ERROR_CLIENT_CLOSED
		       : limited                       ? ERROR_UPSTREAM_BUSY
						       : ERROR_UPSTREAM_STATUS;
	outcome.status = limited ? 429 : 500;
	/* what is asked of a client for its own requests; a limited target says nothing, as most servers do */
	outcome.retry_after_us = world.clients[request->client] == CLIENT_LIMITED ? 300 * SECOND : 0;
	health_leave(&request->call, &outcome, world.now);
	request->failures++;
	if (failure_row(request->kind)->elsewhere)
		next_target(request);
	else
		over(request, false);
}

static void advance(struct request *request)
{
	if (request->call.health != NULL)
		end_call(request);
	else if (request->waits)
		ask(request, world.now - request->since_us > SECOND ? HEALTH_OVERDUE : HEALTH_DIVERTED);
	else
		next_target(request);
}

static void tick(void)
{
	world.now += TICK_US;
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct request *request = &world.requests[i];
		if (request->busy && request->due_us <= world.now)
			advance(request);
		else if (!request->busy && below(20) == 0) {
			*request = (struct request){.busy = true,
						    .client = (unsigned)below(world.client_count),
						    .since_us = world.now,
						    .due_us = world.now};
			health_plan_begins(world.health);
		}
	}
}

/*
 * A target is chosen while less than half of its calls fail. most calls that begin together then bring that share to
 * high at most. Each of them adds at least a tenth of what is left to 1, and of the share 1/tau is forgotten in a
 * second: what was added is what was forgotten and what is left.
 */
static unsigned bound_of(unsigned most)
{
	double high = 1 - 0.5 * pow(0.9, most);
	double seconds = (double)TICKS * TICK_US / SECOND, tau = SUCCESS_RATE_TAU_US / (double)SECOND;
	return (unsigned)((high + high * seconds / tau) / (0.1 * (1 - high))) + 1;
}

static void check_population(uint64_t seed, unsigned client_count)
{
	create(seed, client_count);
	for (unsigned i = 0; i < TICKS; i++)
		tick();
	if (world.served != world.polite)
		fail_msg("seed %llu, %u clients: %u of %u polite requests were served", (unsigned long long)seed,
			 client_count, world.served, world.polite);
	for (size_t i = 0; i < TARGETS; i++)
		if (world.first[i] > bound_of(world.most[i]))
			fail_msg("seed %llu, %u clients: %u first calls to a target of kind %d, where %u are the most",
				 (unsigned long long)seed, client_count, world.first[i], world.kinds[i],
				 bound_of(world.most[i]));
	assert_true(world.polite > 500);
	for (unsigned i = 0; i < REQUESTS; i++)
		health_leave(&world.requests[i].call,
			     &(struct health_outcome){.code = ERROR_CLIENT_CLOSED, .kind = FAILURE_CLIENT}, world.now);
	health_destroy(world.health);
}

static void random_populations_find_no_counterexample(void **state)
{
	static const unsigned clients[] = {1, 8, 30, 300};
	struct seed seed = seed_start();
	(void)state;
	for (unsigned i = 0; i < POPULATIONS; i++)
		check_population(seed_below(&seed, UINT64_MAX), clients[i % 4]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_populations_find_no_counterexample),
	};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
