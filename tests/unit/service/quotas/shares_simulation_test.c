/* SPDX-License-Identifier: MIT */
/*
 * Children with shares of a limit, and others without, that flood, ask for no more than their share, or pause, in
 * random order on a fake clock; once for each window. An account of its own says after every step:
 *
 *   used in the window + reserved <= limit
 *   a child that asks for no more than its share is not refused, once what was borrowed before it began has left the
 *   window; in a day or month: as long as it is not behind
 *   a child whose share nobody borrowed is not refused at all
 *   at rest nothing is reserved, and all of the limit is there
 */
#include "tests/unit/config/fixture.h"

#include "service/quotas/quotas.h"
#include "tests/unit/seed.h"

#define KEY(name, id, tenant)                                                                                   \
	"  " name ": { hash: 'aaaaaaa" id ":0000000000000000000000000000000000000000000000000000000000000000'," \
	" tenant: " tenant " }\n"

enum { PARTIES = 4, SHARES = 3, RUNNING = 200, EVENTS = 16384, STEPS = 150000, SECOND = 1000000, DAY_S = 86400 };
enum mode { PAUSES, MODEST, FLOODS, MODES };

/* One window after the other. */
static const struct scene {
	const char *limit;
	unsigned unit;
	enum quota_window kind;
	uint64_t most, window_us;
} scenes[] = {
    {"requests: 200/second", QUOTA_REQUESTS, QUOTA_SECOND, 200, SECOND},
    {"tokens: 100000/minute", QUOTA_TOKENS, QUOTA_MINUTE, 100000, 60 * (uint64_t)SECOND},
    {"requests: 200/hour", QUOTA_REQUESTS, QUOTA_HOUR, 200, 3600 * (uint64_t)SECOND},
    {"output_tokens: 1000000/day", QUOTA_OUTPUT_TOKENS, QUOTA_DAY, 1000000, DAY_S *(uint64_t)SECOND},
    {"requests: 600/month", QUOTA_REQUESTS, QUOTA_MONTH, 600, 30 * DAY_S *(uint64_t)SECOND},
    {"concurrent: 60", QUOTA_CONCURRENT, QUOTA_SECOND, 60, 60 * (uint64_t)SECOND},
};
enum { SCENES = sizeof(scenes) / sizeof(scenes[0]) };

static const unsigned percents[PARTIES] = {40, 25, 10, 0};

struct use {
	uint64_t us, amount;
};

struct party {
	enum mode mode;
	uint64_t asked_us, since_us; /* it asks without a pause since then */
	uint64_t ready_us;           /* what was borrowed before has left the window; UINT64_MAX = some still runs */
	uint64_t reserved, lost;
	size_t first, count;
	struct use uses[EVENTS];
	unsigned refused_early, granted_in_time;
};

struct running {
	size_t party;
	uint64_t begun_us, amount;
	struct quota_part part;
};

static struct world {
	const struct scene *scene;
	const struct config *config;
	struct quotas *quotas;
	struct quota_now now;
	uint64_t period; /* number of the day or month */
	struct seed seed;
	struct party parties[PARTIES];
	size_t count;
	struct running running[RUNNING];
	uint64_t granted, refused, early;
} world;

static bool is_calendar(void)
{
	return world.scene->unit != QUOTA_CONCURRENT && world.scene->kind >= QUOTA_DAY;
}

static uint64_t share_of(size_t party)
{
	return world.scene->most * percents[party] / 100;
}

/* Use that may still count: a slot longer than the window is. */
static uint64_t used_by(struct party *party, uint64_t longer_us)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < party->count; i++) {
		const struct use *use = &party->uses[(party->first + i) % EVENTS];
		if (is_calendar() || use->us + world.scene->window_us + longer_us > world.now.us)
			sum += use->amount;
	}
	return sum;
}

static uint64_t slot_us(void)
{
	return world.scene->window_us / 60 + 2;
}

static void note_use(struct party *party, uint64_t amount)
{
	if (amount == 0 || world.scene->unit == QUOTA_CONCURRENT)
		return;
	while (!is_calendar() && party->count > 0 &&
	       party->uses[party->first].us + world.scene->window_us * 2 < world.now.us) {
		party->first = (party->first + 1) % EVENTS;
		party->count--;
	}
	struct use *last = &party->uses[(party->first + party->count + EVENTS - 1) % EVENTS];
	if (party->count > 0 && (is_calendar() || last->us == world.now.us)) {
		last->amount += amount;
		return;
	}
	assert_true(party->count < EVENTS);
	party->uses[(party->first + party->count++) % EVENTS] = (struct use){world.now.us, amount};
}

/* ---- time ---- */

static uint64_t taken_by(size_t party)
{
	return used_by(&world.parties[party], slot_us()) + world.parties[party].reserved;
}

/* What a child is behind by is lost. A new day or month begins anew. */
static void note_lost(void)
{
	struct quota_now now = world.now;
	uint64_t rest_s = window_rest(world.scene->kind, now) / SECOND;
	for (size_t i = 0; i < SHARES; i++) {
		uint64_t left =
		    (uint64_t)((double)share_of(i) * (double)rest_s / (double)window_length(world.scene->kind, now));
		uint64_t taken = taken_by(i), share = share_of(i);
		uint64_t behind = share > taken + left ? share - taken - left : 0;
		if (behind > world.parties[i].lost)
			world.parties[i].lost = behind;
	}
}

static uint64_t period_at(uint64_t us)
{
	time_t at = (time_t)(us / SECOND + UINT64_C(1798761600)); /* January 2027 */
	struct tm day;
	gmtime_r(&at, &day);
	return world.scene->kind == QUOTA_DAY ? (uint64_t)at / DAY_S : (uint64_t)(day.tm_year * 12 + day.tm_mon);
}

static void end(size_t at);

/* No request runs when a day or month begins: what it uses would be of both. */
static void pass(uint64_t us)
{
	uint64_t period = is_calendar() ? period_at(world.now.us + us) : 0;
	while (period != world.period && world.count > 0)
		end(world.count - 1);
	world.now.us += us;
	world.now.s = world.now.us / SECOND + UINT64_C(1798761600);
	if (!is_calendar())
		return;
	if (period != world.period)
		for (size_t i = 0; i < PARTIES; i++)
			world.parties[i].count = world.parties[i].lost = 0;
	world.period = period;
	note_lost();
}

/* ---- requests ---- */

static void note_ask(struct party *party)
{
	uint64_t pause_us = world.scene->window_us; /* a longer one may be one: it begins anew */
	if (party->asked_us == 0 || world.now.us - party->asked_us > pause_us) {
		party->since_us = world.now.us;
		party->ready_us = world.now.us + world.scene->window_us + slot_us();
		if (world.scene->unit == QUOTA_CONCURRENT)
			party->ready_us = world.now.us;
	}
	party->asked_us = world.now.us;
}

static bool is_ready(size_t index)
{
	const struct party *party = &world.parties[index];
	if (is_calendar())
		return true;
	for (size_t i = 0; i < world.count; i++)
		if (world.running[i].party != index && world.running[i].begun_us <= party->since_us)
			return false;
	return world.now.us >= party->ready_us;
}

static void judge(void)
{
	uint64_t taken = 0;
	for (size_t i = 0; i < PARTIES; i++)
		taken += used_by(&world.parties[i], 0) + world.parties[i].reserved;
	if (taken > world.scene->most)
		fail_msg("%s: %llu are granted", world.scene->limit, (unsigned long long)taken);
}

static void begin(size_t index)
{
	struct party *party = &world.parties[index];
	const struct scene *scene = world.scene;
	struct running *running = &world.running[world.count];
	struct quota_refusal refusal;
	struct quota_habit habit;
	bool exhausted, once = scene->unit == QUOTA_REQUESTS || scene->unit == QUOTA_CONCURRENT;
	uint64_t amount = once ? 1 : 1 + seed_below(&world.seed, scene->most / (party->mode == MODEST ? 100 : 20));
	bool fits = taken_by(index) + amount + party->lost <= share_of(index);
	if (party->mode == PAUSES || (party->mode == MODEST && !fits))
		return;
	*running = (struct running){.party = index, .begun_us = world.now.us, .amount = amount};
	running->part.subject = quotas_find(world.quotas, &world.config->keys[index], &world.config->models[0],
					    world.now, &habit, &exhausted);
	assert_non_null(running->part.subject);
	running->part.reserved.of[scene->unit] = running->part.least.of[scene->unit] = amount;
	note_ask(party);
	bool granted = quotas_reserve(world.quotas, &running->part, 1, world.now, &refusal);
	bool guaranteed = index < SHARES && fits;
	party->granted_in_time += granted && guaranteed;
	if (granted) {
		if (scene->unit == QUOTA_REQUESTS)
			note_use(party, amount);
		else
			party->reserved += amount;
		judge();
		world.granted++;
		world.count++;
		return;
	}
	if (guaranteed && is_ready(index))
		fail_msg("%s: party %zu is refused %llu, has %llu of %llu", scene->limit, index,
			 (unsigned long long)amount, (unsigned long long)taken_by(index),
			 (unsigned long long)share_of(index));
	party->refused_early += guaranteed;
	world.refused++;
	assert_true(refusal.wait_us > 0);
	quotas_drop(world.quotas, running->part.subject);
}

static void end(size_t at)
{
	struct running running = world.running[at];
	struct party *party = &world.parties[running.party];
	unsigned unit = world.scene->unit;
	uint64_t used = unit == QUOTA_REQUESTS ? 0 : seed_below(&world.seed, running.amount + 1);
	running.part.used.of[unit] = used;
	quotas_settle(world.quotas, &running.part, 1, world.now);
	quotas_drop(world.quotas, running.part.subject);
	if (unit != QUOTA_REQUESTS) {
		party->reserved -= running.amount;
		note_use(party, used);
	}
	world.running[at] = world.running[--world.count];
	for (size_t i = 0; i < PARTIES; i++) /* it was borrowed before they began, and counts from now on */
		if (i != running.party && running.begun_us <= world.parties[i].since_us && unit != QUOTA_CONCURRENT &&
		    unit != QUOTA_REQUESTS)
			world.parties[i].ready_us = world.now.us + world.scene->window_us + slot_us();
	if (is_calendar())
		note_lost();
}

static void step(void)
{
	uint64_t choice = seed_below(&world.seed, 1000);
	if (choice < 550 && world.count < RUNNING)
		begin(seed_below(&world.seed, PARTIES));
	else if (choice < 850 && world.count > 0)
		end(seed_below(&world.seed, world.count));
	else if (choice < 990)
		pass(seed_below(&world.seed, world.scene->window_us / 200));
	else if (choice < 998)
		world.parties[seed_below(&world.seed, PARTIES)].mode = (enum mode)seed_below(&world.seed, MODES);
	else if (choice == 998)
		pass(seed_below(&world.seed, world.scene->window_us / 4));
	else if (seed_below(&world.seed, 10) == 0)
		pass(seed_below(&world.seed, world.scene->window_us * 2));
}

static void check_rest(void)
{
	while (world.count > 0)
		end(world.count - 1);
	pass(world.scene->window_us * 32);
	for (size_t i = 0; i < PARTIES; i++) {
		struct quota_state state;
		struct quota_habit habit;
		bool exhausted;
		size_t count;
		struct quota_subject *subject = quotas_find(world.quotas, &world.config->keys[i],
							    &world.config->models[0], world.now, &habit, &exhausted);
		quotas_look(world.quotas, subject, world.now, &state, 1, &count);
		assert_int_equal(state.reserved, 0);
		if (!is_calendar())
			assert_int_equal(state.left, world.scene->most);
		quotas_drop(world.quotas, subject);
	}
}

static void run(const struct scene *scene)
{
	char yaml[2048];
	snprintf(yaml, sizeof(yaml),
		 "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"
		 "auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys:\n" KEY("search", "0", "acme/search")
		     KEY("chat", "1", "acme/chat") KEY("bot", "2", "acme/team/bot")
			 KEY("other", "3", "acme/else") "quotas: { acme: { tenant: acme, %s, shares: { acme/search: "
							"40%%, acme/chat: 25%%, acme/team/bot: 10%% } "
							"} }\n",
		 scene->limit);
	world.scene = scene;
	world.config = fixture_good(yaml);
	world.quotas = quotas_create(world.config);
	assert_non_null(world.quotas);
	memset(world.parties, 0, sizeof(world.parties));
	world.granted = world.refused = world.period = 0;
	world.now.us = 1000 * (uint64_t)SECOND;
	pass(0);
	for (int i = 0; i < STEPS; i++) {
		step();
		if (i % 10000 == 9999)
			check_rest();
	}
	check_rest();
	uint64_t early = 0, in_time = 0;
	for (size_t i = 0; i < SHARES; i++) {
		early += world.parties[i].refused_early;
		in_time += world.parties[i].granted_in_time;
	}
	printf("%s: granted %llu (%llu of own shares), refused %llu (%llu before the share was there)\n", scene->limit,
	       (unsigned long long)world.granted, (unsigned long long)in_time, (unsigned long long)world.refused,
	       (unsigned long long)early);
	assert_true(world.granted > STEPS / 100);
	assert_true(world.refused > STEPS / 1000);
	assert_true(in_time > STEPS / 200);
	world.early += early;
	quotas_destroy(world.quotas);
	config_drop(world.config);
}

static void a_child_has_its_share_and_nobody_exceeds_the_limit(void **state)
{
	(void)state;
	world.seed = seed_start();
	for (size_t i = 0; i < SCENES; i++)
		run(&scenes[i]);
	assert_true(world.early > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_child_has_its_share_and_nobody_exceeds_the_limit)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
