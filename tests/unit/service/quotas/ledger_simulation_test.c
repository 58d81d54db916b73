/* SPDX-License-Identifier: MIT */
/*
 * Random requests of random keys for random models under quotas of every kind, on a fake clock, each ending in a random
 * way. An account of its own, kept event by event, says after every step:
 *
 *   granted <= limit       in every window that ends now, whatever runs and whatever was used
 *   settled = used         of every limit
 *   refused => no room     but for the sixtieth of a window by which use counts longer
 *   reserved = 0 at rest
 */
#include "tests/unit/config/fixture.h"

#include "lib/timers.h"
#include "service/quotas/bill.h"
#include "tests/unit/seed.h"

enum {
	KEYS = 5,
	MODELS = 3,
	RUNNING_MOST = 300,
	EVENTS_MOST = 4096,
	RULES_MOST = 400,
	STEPS = 1000000,
	SECOND = 1000000
};

static const char yaml[] =
    "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\n"
    "models: { m0: b/x, m1: b/y, m2: { fallback: [b/x, b/y] } }\n"
    "auth: { pepper: 0123456789abcdef0123456789abcdef }\n"
    "prices: { b/x: { input: 1, output: 4 }, '*': { input: 3, output: 5, request: 0.000001 } }\n"
    "keys:\n"
    "  k0: { hash: 'aaaaaaa0:0000000000000000000000000000000000000000000000000000000000000000', tenant: acme/a, "
    "limits: { requests: [3/second, 60/minute], tokens: 20000/minute } }\n"
    "  k1: { hash: 'aaaaaaa1:0000000000000000000000000000000000000000000000000000000000000000', tenant: acme/a, "
    "limits: { concurrent: 4, spend: 0.4/hour } }\n"
    "  k2: { hash: 'aaaaaaa2:0000000000000000000000000000000000000000000000000000000000000000', tenant: acme/b }\n"
    "  k3: { hash: 'aaaaaaa3:0000000000000000000000000000000000000000000000000000000000000000', tenant: other, "
    "limits: { input_tokens: 9000/minute, output_tokens: [3000/second, 50000/hour] } }\n"
    "  k4: { hash: 'aaaaaaa4:0000000000000000000000000000000000000000000000000000000000000000' }\n"
    "quotas:\n"
    "  acme: { tenant: acme, tokens: 60000/minute, concurrent: 40 }\n"
    "  each-tenant: { each: tenant, requests: 200/minute }\n"
    "  pair: { each: [key, model], keys: ['k2', 'k4'], tokens: 15000/minute }\n"
    "  dear: { models: [m2], spend: 2/hour, requests: 20/second }\n";

/* ---- the account of its own ---- */

struct use {
	uint64_t us, amount;
};

/* One limit, by whom it is for. */
struct rule {
	char name[160];
	unsigned unit;
	uint64_t limit, window_us, reserved;
	size_t first, count;
	struct use events[EVENTS_MOST];
};

static struct rule *rules;
static size_t rule_count;

static uint64_t used_within(const struct rule *rule, uint64_t now, uint64_t length)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < rule->count; i++) {
		const struct use *use = &rule->events[(rule->first + i) % EVENTS_MOST];
		if (use->us + length > now)
			sum += use->amount;
	}
	return sum;
}

static void note_use(struct rule *rule, uint64_t now, uint64_t amount)
{
	if (amount == 0 || rule->unit == QUOTA_CONCURRENT)
		return;
	while (rule->count > 0 && rule->events[rule->first].us + rule->window_us * 2 < now) {
		rule->first = (rule->first + 1) % EVENTS_MOST;
		rule->count--;
	}
	struct use *last = &rule->events[(rule->first + rule->count + EVENTS_MOST - 1) % EVENTS_MOST];
	if (rule->count > 0 && last->us == now) {
		last->amount += amount;
		return;
	}
	assert_true(rule->count < EVENTS_MOST);
	rule->events[(rule->first + rule->count++) % EVENTS_MOST] = (struct use){now, amount};
}

static struct rule *rule_of(const char *quota, const char *whom, unsigned unit, uint64_t limit, uint64_t window_us)
{
	char name[160];
	snprintf(name, sizeof(name), "%s|%s|%u|%llu", quota, whom, unit, (unsigned long long)window_us);
	for (size_t i = 0; i < rule_count; i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	assert_true(rule_count < RULES_MOST);
	struct rule *rule = &rules[rule_count++];
	memcpy(rule->name, name, sizeof(name));
	rule->unit = unit;
	rule->limit = limit;
	rule->window_us = window_us;
	return rule;
}

enum { OWN_MOST = 16 };
struct own {
	size_t count;
	struct rule *rules[OWN_MOST];
};

static void add_rules(struct own *own, const struct config_quota *quota, const char *whom)
{
	static const uint64_t lengths_us[] = {SECOND, 60 * (uint64_t)SECOND, 3600 * (uint64_t)SECOND};
	if (quota->concurrent > 0)
		own->rules[own->count++] = rule_of(quota->name, whom, QUOTA_CONCURRENT, quota->concurrent, 0);
	for (unsigned unit = 0; unit < QUOTA_UNITS; unit++)
		for (size_t i = 0; i < quota->rates[unit].count; i++) {
			const struct config_rate *rate = &quota->rates[unit].list[i];
			own->rules[own->count++] =
			    rule_of(quota->name, whom, unit, rate->limit, lengths_us[rate->window]);
		}
	assert_true(own->count < OWN_MOST);
}

/* Says by hand what the quotas of the text above are for. */
static struct own rules_of(const struct config *config, size_t key, size_t model)
{
	static const char *const tenants[KEYS] = {"acme/a", "acme/a", "acme/b", "other", "k4"};
	struct own own = {.count = 0};
	char pair[32];
	snprintf(pair, sizeof(pair), "k%zu+m%zu", key, model);
	add_rules(&own, &config->keys[key].limits, "");
	if (strncmp(tenants[key], "acme/", 5) == 0)
		add_rules(&own, &config->quotas[0], "");
	add_rules(&own, &config->quotas[1], tenants[key]);
	if (key == 2 || key == 4)
		add_rules(&own, &config->quotas[2], pair);
	if (model == 2)
		add_rules(&own, &config->quotas[3], "");
	return own;
}

/* ---- requests ---- */

struct running {
	struct bill *bill;
	struct own own;
	const struct config_model *model;
	size_t body;
};

struct world {
	const struct config *config;
	struct quotas *quotas;
	struct timers timers;
	struct seed seed;
	struct running running[RUNNING_MOST];
	size_t count;
	uint64_t granted, refused, charged;
};

static struct world world;

static uint64_t now_us(void)
{
	return timers_now(&world.timers);
}

/* What the service says of a rule. */
static const struct quota_state *state_of(const struct quota_state *states, size_t count, const struct rule *rule)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(states[i].name);
		if (states[i].unit == rule->unit && strncmp(states[i].name, rule->name, len) == 0 &&
		    rule->name[len] == '|' && states[i].length_s * SECOND == rule->window_us)
			return &states[i];
	}
	return NULL;
}

/* Compares every limit of a bill with the account of its own. */
static void compare(struct bill *bill, const struct own *own)
{
	struct quota_state states[OWN_MOST];
	size_t count = 0;
	bill_look(bill, states, OWN_MOST, &count);
	assert_int_equal(count, own->count);
	for (size_t i = 0; i < own->count; i++) {
		struct rule *rule = own->rules[i];
		const struct quota_state *state = state_of(states, count, rule);
		assert_non_null(state);
		uint64_t exact = used_within(rule, now_us(), rule->window_us);
		uint64_t longer = used_within(rule, now_us(), rule->window_us + rule->window_us / 60 + 2);
		rule->reserved = state->reserved;
		uint64_t least_left =
		    longer + state->reserved < rule->limit ? rule->limit - longer - state->reserved : 0;
		uint64_t most_left = exact + state->reserved < rule->limit ? rule->limit - exact - state->reserved : 0;
		if (state->left < least_left || state->left > most_left)
			fail_msg("%s: %llu left, expected %llu to %llu", rule->name, (unsigned long long)state->left,
				 (unsigned long long)least_left, (unsigned long long)most_left);
	}
}

static void begin(void)
{
	size_t key = seed_below(&world.seed, KEYS), model = seed_below(&world.seed, MODELS);
	struct running *running = &world.running[world.count];
	const struct config_model *models[] = {&world.config->models[model]};
	struct bill_party party = {.key = &world.config->keys[key], .models = models, .model_count = 1};
	struct quota_refusal refusal;
	bool exhausted;
	*running = (struct running){
	    .own = rules_of(world.config, key, model), .model = models[0], .body = 100 + seed_below(&world.seed, 4000)};
	struct bill_estimate estimate = {.body = running->body,
					 .output_most = (int64_t)seed_below(&world.seed, 3000) - 500,
					 .choices = 1 + (int64_t)seed_below(&world.seed, 2)};
	if (estimate.output_most <= 0)
		estimate.output_most = -1;
	running->bill = bill_open(world.quotas, &party, &world.timers, &exhausted);
	assert_false(exhausted);
	assert_non_null(running->bill);
	compare(running->bill, &running->own);
	bool calls = seed_below(&world.seed, 5) > 0;
	bool taken = bill_admit(running->bill, calls ? &estimate : NULL, &refusal);
	for (size_t i = 0; taken && i < running->own.count; i++) {
		struct rule *rule = running->own.rules[i];
		if (rule->unit == QUOTA_REQUESTS)
			note_use(rule, now_us(), 1);
	}
	compare(running->bill, &running->own);
	for (size_t i = 0; taken && i < running->own.count; i++) {
		const struct rule *rule = running->own.rules[i];
		bool asked = rule->unit == QUOTA_REQUESTS || rule->unit == QUOTA_CONCURRENT || calls;
		if (asked && used_within(rule, now_us(), rule->window_us) + rule->reserved > rule->limit)
			fail_msg("%s: granted more than %llu", rule->name, (unsigned long long)rule->limit);
	}
	if (!taken) {
		assert_true(refusal.wait_us > 0);
		assert_non_null(refusal.name);
		world.refused++;
		bill_drop(running->bill);
		return;
	}
	world.granted++;
	if (calls && seed_below(&world.seed, 8) == 0) { /* it follows another one's flight after all */
		bill_need_no_calls(running->bill);
		if (seed_below(&world.seed, 2) == 0)
			bill_admit(running->bill, &estimate, &refusal);
	}
	world.count++;
}

/* A call of a backend ends: complete, cut, cancelled, refused. */
static void charge(struct running *running)
{
	const struct config_plan *plan = running->model->plan;
	const struct config_plan *target =
	    plan->child_count == 0 ? plan : plan->children[seed_below(&world.seed, plan->child_count)];
	struct bill_call call = {.model = running->model, .target = target, .usage = USAGE_UNKNOWN};
	call.body = seed_below(&world.seed, 3) > 0 ? running->body : 0;
	call.outputs = seed_below(&world.seed, 200);
	if (call.body > 0 && seed_below(&world.seed, 3) > 0)
		call.usage = (struct usage){.prompt_tokens = (int64_t)running->body / 4,
					    .completion_tokens = (int64_t)seed_below(&world.seed, 3000),
					    .total_tokens = -1};
	bill_charge(running->bill, &call);
	world.charged++;
}

static void end(size_t index)
{
	struct running *running = &world.running[index];
	struct quota_amounts used;
	for (unsigned calls = (unsigned)seed_below(&world.seed, 4); calls > 0; calls--) {
		struct bill *flight = bill_hold(running->bill); /* flights and exchanges end in any order */
		charge(running);
		bill_drop(flight);
	}
	bill_used(running->bill, 0, &used);
	for (size_t i = 0; i < running->own.count; i++)
		if (running->own.rules[i]->unit != QUOTA_REQUESTS)
			note_use(running->own.rules[i], now_us(), used.of[running->own.rules[i]->unit]);
	bill_drop(running->bill);
	world.running[index] = world.running[--world.count];
}

static void step(void)
{
	uint64_t choice = seed_below(&world.seed, 100);
	if (choice < 45 && world.count < RUNNING_MOST)
		begin();
	else if (choice < 90 && world.count > 0)
		end(seed_below(&world.seed, world.count));
	else if (choice < 99)
		world.timers.now_us += seed_below(&world.seed, 400000);
	else
		world.timers.now_us += seed_below(&world.seed, 90 * (uint64_t)SECOND);
}

static void check_rest(void)
{
	while (world.count > 0)
		end(world.count - 1);
	for (size_t key = 0; key < KEYS; key++)
		for (size_t model = 0; model < MODELS; model++) {
			const struct config_model *models[] = {&world.config->models[model]};
			struct bill_party party = {&world.config->keys[key], models, 1};
			struct quota_state states[OWN_MOST];
			bool exhausted;
			size_t count;
			struct bill *bill = bill_open(world.quotas, &party, &world.timers, &exhausted);
			bill_look(bill, states, OWN_MOST, &count);
			assert_true(count > 0);
			for (size_t i = 0; i < count; i++)
				assert_int_equal(states[i].reserved, 0);
			bill_drop(bill);
		}
}

static void no_limit_is_exceeded_or_leaks_whatever_happens(void **state)
{
	(void)state;
	world.config = fixture_good(yaml);
	world.quotas = quotas_create(world.config);
	assert_non_null(world.quotas);
	world.seed = seed_start();
	world.timers.now_us = 1000 * (uint64_t)SECOND;
	rules = calloc(RULES_MOST, sizeof(*rules));
	assert_non_null(rules);
	for (int i = 0; i < STEPS; i++) {
		step();
		if (i % 20000 == 0)
			check_rest();
	}
	check_rest();
	assert_true(world.granted > STEPS / 20);
	assert_true(world.refused > STEPS / 100);
	assert_true(world.charged > STEPS / 20);
	free(rules);
	quotas_destroy(world.quotas);
	config_drop(world.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_limit_is_exceeded_or_leaks_whatever_happens)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
