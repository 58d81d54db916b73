/* SPDX-License-Identifier: MIT */
/*
 * Three replicas under limits that they share, on a fake clock: the real accounts, holdings and calls, and a model of
 * the script for their Redis. Messages are lost, late or executed after their sender gave up; replicas crash; Redis
 * stops, comes back, and sometimes has lost everything; wall clocks of replicas step. An account of its own says after
 * every grant, over all replicas:
 *
 *   used in the window + reserved <= limit
 *
 * and at rest, when messages arrive again: nothing is reserved, after the lease nothing is held, after the window
 * nothing is used, and Redis has heard of exactly what was used.
 *
 * Two of the limits have shares. In epochs in which no message is lost, a child that asks for less than its share is
 * never refused once what was borrowed before has left the window.
 *
 * Not counted: what Redis forgot when it lost everything, for a window; and what still runs at a replica that was cut
 * off from a Redis that others reached for longer than the lease.
 */
#include "tests/unit/config/fixture.h"

#include "lib/timers.h"
#include "service/quotas/borrow.h"
#include "tests/unit/seed.h"
#include "tests/unit/service/quotas/script_model.h"

enum {
	REPLICAS = 3,
	RULES = 9,
	MODELS = 7,
	SHARED = 5, /* from that model on tenants have shares */
	PARTIES = 3,
	RUNNING = 60,
	MESSAGES = 512,
	EVENTS = 8192,
	STEPS = 1500000,
	EPOCH = 20000,
	EPOCHS = 5, /* of which the last three are gentle */
	MS = 1000,
	SECOND = 1000000,
	BUDGET = 20 * MS
};

#define KEY(name, id, tenant)                                                                                   \
	"  " name ": { hash: 'aaaaaaa" id ":0000000000000000000000000000000000000000000000000000000000000000'," \
	" tenant: " tenant " }\n"

static const char yaml[] =
    "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nredis: { servers: 127.0.0.1:1 }\n"
    "models: { m0: b/x, m1: b/x, m2: b/x, m3: b/x, m4: b/x, m5: b/x, m6: b/x }\n"
    "auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys:\n" KEY("k0", "0", "acme/modest")
	KEY("k1", "1", "acme/search")
	    KEY("k2", "2", "acme/else") "quotas:\n"
					"  q0: { models: [m0], requests: [20/second, 300/minute], on_loss: refuse }\n"
					"  q1: { models: [m1], concurrent: 12, on_loss: refuse }\n"
					"  q2: { models: [m2], tokens: 20000/minute, on_loss: refuse }\n"
					"  q3: { models: [m3], requests: 100/minute, concurrent: 6 }\n"
					"  q4: { models: [m4], tokens: 500000/day, on_loss: refuse }\n"
					"  q5: { models: [m5], tenant: acme, tokens: 20000/minute, on_loss: refuse, "
					"shares: { acme/modest: 40%, "
					"acme/search: 20% } }\n"
					"  q6: { models: [m6], tenant: acme, concurrent: 20, on_loss: refuse, shares: "
					"{ acme/modest: 40%, acme/search: 20% } "
					"}\n";

/* ---- the account of its own ---- */

struct use {
	uint64_t us, amount;
};

/* One limit. Times are those of Redis. */
struct rule {
	size_t model;
	unsigned unit;
	enum quota_window kind;
	uint64_t limit, window_us;
	bool refuses;
	uint64_t excused_us; /* Redis had lost everything: not judged until then */
	int lost;            /* that was in this epoch (2), or in the one before (1): late reports are counted twice */
	uint64_t running, total;
	size_t first, count;
	struct use events[EVENTS];
	struct model_account model_account;
};

static struct rule rules[RULES] = {
    {.model = 0, .unit = QUOTA_REQUESTS, .kind = QUOTA_SECOND, .limit = 20, .window_us = SECOND, .refuses = true},
    {.model = 0, .unit = QUOTA_REQUESTS, .kind = QUOTA_MINUTE, .limit = 300, .window_us = 60 * SECOND, .refuses = true},
    {.model = 1, .unit = QUOTA_CONCURRENT, .limit = 12, .refuses = true},
    {.model = 2, .unit = QUOTA_TOKENS, .kind = QUOTA_MINUTE, .limit = 20000, .window_us = 60 * SECOND, .refuses = true},
    {.model = 3, .unit = QUOTA_REQUESTS, .kind = QUOTA_MINUTE, .limit = 100, .window_us = 60 * SECOND},
    {.model = 3, .unit = QUOTA_CONCURRENT, .limit = 6},
    {.model = 4, .unit = QUOTA_TOKENS, .kind = QUOTA_DAY, .limit = 500000, .window_us = SECOND, .refuses = true},
    {.model = 5, .unit = QUOTA_TOKENS, .kind = QUOTA_MINUTE, .limit = 20000, .window_us = 60 * SECOND, .refuses = true},
    {.model = 6, .unit = QUOTA_CONCURRENT, .limit = 20, .refuses = true},
};

/* What Redis forgot for good is not counted in a day. */
static uint64_t used_now(const struct rule *rule, uint64_t now_us)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < rule->count; i++) {
		const struct use *use = &rule->events[(rule->first + i) % EVENTS];
		if (rule->kind == QUOTA_DAY
			? use->us / SECOND / 86400 == now_us / SECOND / 86400 && use->us >= rule->excused_us
			: use->us + rule->window_us > now_us)
			sum += use->amount;
	}
	return sum;
}

static void note_use(struct rule *rule, uint64_t now_us, uint64_t amount)
{
	uint64_t kept_us = rule->kind == QUOTA_DAY ? 86400 * (uint64_t)SECOND : rule->window_us;
	rule->total += amount;
	while (rule->count > 0 && rule->events[rule->first].us + kept_us < now_us) {
		rule->first = (rule->first + 1) % EVENTS;
		rule->count--;
	}
	struct use *last = &rule->events[(rule->first + rule->count + EVENTS - 1) % EVENTS];
	uint64_t grain = rule->kind == QUOTA_DAY ? 60 * (uint64_t)SECOND : 1;
	if (rule->count > 0 && last->us / grain == now_us / grain) {
		last->amount += amount;
		return;
	}
	assert_true(rule->count < EVENTS);
	rule->events[(rule->first + rule->count++) % EVENTS] = (struct use){now_us, amount};
}

/* ---- replicas ---- */

struct running {
	struct quota_waiter waiter;
	struct replica *replica;
	struct quota_subject *subject;
	struct quota_part part;
	size_t model;
	size_t party; /* of a model whose limit has shares: 0 = the modest child */
	bool waits;
	bool orphaned[RULES]; /* its replica lost that holding while it ran */
};

struct replica {
	struct quotas *quotas;
	struct quota_port *port;
	struct timers timers; /* its own monotonic clock */
	uint64_t ahead_us;    /* of the fake time */
	int64_t wall_ahead_s;
	char id[SCRIPT_ID_SIZE]; /* as Redis knows it */
	bool posted;
	bool cut_off;
	uint64_t quiet_until_us; /* nobody asks it anything */
	size_t count;
	struct running *running[RUNNING];
};

struct message {
	struct quota_call *call; /* NULL = its sender has given up */
	struct replica *replica;
	struct script_ask ask;
	size_t rule;
	uint64_t executed_us; /* UINT64_MAX = it was, or never is */
	uint64_t answered_us; /* UINT64_MAX = never */
	uint64_t deadline_us;
	uint64_t sent_us;
	int64_t numbers[SCRIPT_REPLIES];
	bool heard;
};

static struct world {
	const struct config *config;
	struct seed seed;
	uint64_t now_us;
	struct replica replicas[REPLICAS];
	struct message messages[MESSAGES];
	size_t message_count;
	bool calm;          /* every message arrives */
	bool harsh;         /* replicas crash, Redis loses its data, nets are cut for long: only the limit is judged */
	bool gentle;        /* nothing is lost, nobody dies */
	uint64_t gentle_us; /* since then */
	struct {
		struct use uses[EVENTS]; /* of tokens, by the modest child */
		size_t count;
		uint64_t running; /* tokens */
		uint64_t places;
		uint64_t judged; /* granted when its share had to be there */
	} modest;
	uint64_t down_until_us;
	uint64_t granted, refused, lost, calls, crashes, losses, late;
} world;

static int64_t wall_step_s; /* of the replica that runs now */

/* Replaces that of the C library. */
time_t time(time_t *at)
{
	time_t now = (time_t)((int64_t)(world.now_us / SECOND) + wall_step_s);
	if (at != NULL)
		*at = now;
	return now;
}

static void enter(struct replica *replica)
{
	replica->timers.now_us = world.now_us + replica->ahead_us;
	wall_step_s = replica->wall_ahead_s;
}

static struct quota_now now_of(struct replica *replica)
{
	enter(replica);
	return (struct quota_now){replica->timers.now_us, (uint64_t)time(NULL)};
}

/* ---- messages ---- */

static size_t rule_of(struct span name)
{
	for (size_t i = 0; i < RULES; i++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "q%zu%c%u%c%u%c", rules[i].model, 0, rules[i].unit, 0,
				   (unsigned)rules[i].kind, 0);
		if (name.len >= (size_t)len && memcmp(name.at, text, (size_t)len) == 0)
			return i;
	}
	fail_msg("an unknown account: %.*s", SPAN_ARG(name));
	return 0;
}

static bool send_call(void *context, struct quota_call *call, struct span name)
{
	struct replica *replica = context;
	bool down = world.now_us < world.down_until_us || replica->cut_off;
	if ((down && seed_below(&world.seed, 2) == 0) || world.message_count == MESSAGES)
		return false;
	struct message *message = &world.messages[world.message_count++];
	uint64_t there_us = 1 + seed_below(&world.seed, 3 * MS), back_us = seed_below(&world.seed, 3 * MS);
	if (!world.calm && !world.gentle) {
		if (seed_below(&world.seed, 100) == 0)
			there_us = seed_below(&world.seed, (world.harsh ? 30000 : 1000) * (uint64_t)MS);
		if (seed_below(&world.seed, 100) == 0)
			back_us = UINT64_MAX;
		if (seed_below(&world.seed, 150) == 0)
			there_us = UINT64_MAX;
	}
	if (down && seed_below(&world.seed, 2) == 0)
		there_us = UINT64_MAX;
	*message = (struct message){.call = call,
				    .replica = replica,
				    .ask = call->ask,
				    .rule = rule_of(name),
				    .executed_us = there_us == UINT64_MAX ? UINT64_MAX : world.now_us + there_us,
				    .answered_us = back_us,
				    .sent_us = world.now_us,
				    .deadline_us = world.now_us + BUDGET};
	memcpy(replica->id, call->ask.id, SCRIPT_ID_SIZE);
	world.calls++;
	return true;
}

static void post(void *context)
{
	((struct replica *)context)->posted = true;
}

static const struct quota_port_ops port_ops = {sizeof(struct quota_call), send_call, post};

/* What runs under a holding that was lost goes on. */
static void orphan(struct rule *rule, const struct replica *replica)
{
	size_t index = (size_t)(rule - rules);
	for (size_t i = 0; i < replica->count; i++) {
		struct running *running = replica->running[i];
		if (running->model != rule->model || running->orphaned[index] || running->waits)
			continue;
		running->orphaned[index] = true;
		rule->running -= running->part.reserved.of[rule->unit];
	}
}

enum { PROCESS_ID = 16 /* bytes of an id that are the process' own */ };

static void orphan_expired(struct rule *rule)
{
	const struct model_account *account = &rule->model_account;
	for (size_t i = 0; i < account->expired_count && rule->unit != QUOTA_REQUESTS; i++)
		for (size_t j = 0; j < REPLICAS; j++)
			if (memcmp(world.replicas[j].id, account->expired[i], PROCESS_ID) == 0)
				orphan(rule, &world.replicas[j]);
}

static void execute(struct message *message)
{
	struct rule *rule = &rules[message->rule];
	message->executed_us = UINT64_MAX;
	if (world.now_us < world.down_until_us) {
		message->answered_us = UINT64_MAX;
		return;
	}
	world.late += message->call == NULL;
	model_call(&rule->model_account, &message->ask, (int64_t)(world.now_us / MS), message->numbers);
	orphan_expired(rule);
	message->heard = true;
	if (message->answered_us != UINT64_MAX)
		message->answered_us += world.now_us;
}

static void end_call(struct message *message, bool answered)
{
	struct script_answer answer;
	struct quota_call *call = message->call;
	message->call = NULL;
	enter(message->replica);
	bool good = answered && script_read(message->numbers, SCRIPT_REPLIES, &answer);
	quota_call_end(call, good ? &answer : NULL);
}

/* Everything that is due. Calls that end may send others, which are added behind. */
static void deliver(void)
{
	for (size_t i = 0; i < world.message_count; i++) {
		if (world.messages[i].executed_us <= world.now_us)
			execute(&world.messages[i]);
		if (world.messages[i].call == NULL)
			continue;
		if (world.messages[i].heard && world.messages[i].answered_us <= world.now_us)
			end_call(&world.messages[i], true);
		else if (world.messages[i].deadline_us <= world.now_us)
			end_call(&world.messages[i], false);
	}
	size_t kept = 0;
	for (size_t i = 0; i < world.message_count; i++)
		if (world.messages[i].call != NULL || world.messages[i].executed_us != UINT64_MAX)
			world.messages[kept++] = world.messages[i];
	world.message_count = kept;
	for (size_t i = 0; i < REPLICAS; i++) {
		struct replica *replica = &world.replicas[i];
		if (!replica->posted)
			continue;
		replica->posted = false;
		enter(replica);
		quota_port_deliver(replica->port);
	}
}

/* ---- requests ---- */

static void forget_running(struct running *running)
{
	struct replica *replica = running->replica;
	for (size_t i = 0; i < replica->count; i++)
		if (replica->running[i] == running)
			replica->running[i] = replica->running[--replica->count];
	free(running);
}

static void judge(const struct rule *rule)
{
	uint64_t taken = used_now(rule, world.now_us) + rule->running;
	uint64_t most = rule->refuses ? rule->limit : rule->limit * (REPLICAS + 1);
	bool judged = world.now_us >= rule->excused_us && (rule->refuses || !world.harsh);
	if (judged && taken > most)
		fail_msg("model %zu, unit %u, window %u: %llu of %llu are granted", rule->model, rule->unit, rule->kind,
			 (unsigned long long)taken, (unsigned long long)most);
}

/* ---- the child that asks for less than its share ---- */

enum {
	MODEST_TOKENS = 8000, /* its shares */
	MODEST_PLACES = 8,
	READY_US = 75 * SECOND /* a window, and until all that ran before has ended */
};

static bool is_modest(const struct running *running)
{
	return running->model >= SHARED && running->party == 0;
}

static uint64_t modest_used(void)
{
	uint64_t sum = 0;
	size_t kept = 0;
	for (size_t i = 0; i < world.modest.count; i++) {
		if (world.modest.uses[i].us + 66 * (uint64_t)SECOND <= world.now_us)
			continue;
		sum += world.modest.uses[i].amount;
		world.modest.uses[kept++] = world.modest.uses[i];
	}
	world.modest.count = kept;
	return sum;
}

/* Returns whether the request leaves it below its share. */
static bool is_within_share(const struct running *running)
{
	if (running->model == SHARED)
		return modest_used() + world.modest.running + running->part.reserved.of[QUOTA_TOKENS] <= MODEST_TOKENS;
	return world.modest.places < MODEST_PLACES;
}

static void note_modest_begin(const struct running *running)
{
	if (!is_modest(running))
		return;
	if (running->model == SHARED)
		world.modest.running += running->part.reserved.of[QUOTA_TOKENS];
	else
		world.modest.places++;
}

/* Ends what note_modest_begin() counted. */
static void note_modest_end(const struct running *running, uint64_t used)
{
	if (!is_modest(running))
		return;
	if (running->model != SHARED) {
		world.modest.places--;
		return;
	}
	world.modest.running -= running->part.reserved.of[QUOTA_TOKENS];
	assert_true(world.modest.count < EVENTS);
	world.modest.uses[world.modest.count++] = (struct use){world.now_us, used};
}

static void judge_refusal(const struct running *running)
{
	bool ready = world.gentle && world.now_us >= world.gentle_us + READY_US;
	if (is_modest(running) && ready)
		fail_msg("model %zu: the modest child is refused %llu, has %llu and %llu, %llu places", running->model,
			 (unsigned long long)running->part.reserved.of[QUOTA_TOKENS], (unsigned long long)modest_used(),
			 (unsigned long long)world.modest.running, (unsigned long long)world.modest.places);
}

static void note_granted(struct running *running)
{
	running->waits = false;
	world.modest.judged += is_modest(running) && world.gentle && world.now_us >= world.gentle_us + READY_US;
	for (size_t i = 0; i < RULES; i++) {
		struct rule *rule = &rules[i];
		if (rule->model != running->model)
			continue;
		if (rule->unit == QUOTA_REQUESTS)
			note_use(rule, world.now_us, 1);
		else
			rule->running += running->part.reserved.of[rule->unit];
		judge(rule);
	}
	world.granted++;
}

static void try_it(struct running *running)
{
	struct replica *replica = running->replica;
	struct quota_refusal refusal;
	if (quotas_reserve(replica->quotas, &running->part, 1, now_of(replica), &refusal)) {
		note_granted(running);
		return;
	}
	assert_true(refusal.wait_us > 0);
	if (refusal.short_only && quotas_wait(replica->quotas, &running->part, 1, now_of(replica), &running->waiter)) {
		running->waits = true;
		return;
	}
	judge_refusal(running);
	note_modest_end(running, 0);
	world.refused++;
	world.lost += refusal.lost;
	quotas_drop(replica->quotas, running->subject);
	forget_running(running);
}

static void on_ready(struct quota_waiter *waiter)
{
	try_it((struct running *)waiter); /* it comes first */
}

static void begin(struct replica *replica)
{
	struct quota_habit habit;
	bool exhausted;
	if (replica->count == RUNNING || world.now_us < replica->quiet_until_us)
		return;
	struct running *running = calloc(1, sizeof(*running));
	assert_non_null(running);
	running->replica = replica;
	running->model = seed_below(&world.seed, MODELS);
	running->party = seed_below(&world.seed, PARTIES);
	running->part.reserved.of[QUOTA_REQUESTS] = running->part.reserved.of[QUOTA_CONCURRENT] = 1;
	running->part.reserved.of[QUOTA_TOKENS] = 1 + seed_below(&world.seed, 1000);
	running->part.least = running->part.reserved;
	if (is_modest(running) && !is_within_share(running)) {
		free(running);
		return;
	}
	running->waiter = (struct quota_waiter){.on_ready = on_ready, .port = replica->port};
	running->subject =
	    quotas_find(replica->quotas, running->model < SHARED ? NULL : &world.config->keys[running->party],
			&world.config->models[running->model], now_of(replica), &habit, &exhausted);
	assert_non_null(running->subject);
	running->part.subject = running->subject;
	note_modest_begin(running);
	replica->running[replica->count++] = running;
	try_it(running);
}

static void end(struct running *running)
{
	struct replica *replica = running->replica;
	uint64_t used = seed_below(&world.seed, running->part.reserved.of[QUOTA_TOKENS] + 1);
	note_modest_end(running, running->waits ? 0 : used);
	if (running->waits) { /* its client leaves */
		enter(replica);
		quotas_abandon(replica->quotas, &running->waiter);
	} else {
		running->part.used.of[QUOTA_TOKENS] = used;
		quotas_settle(replica->quotas, &running->part, 1, now_of(replica));
		for (size_t i = 0; i < RULES; i++) {
			struct rule *rule = &rules[i];
			if (rule->model != running->model || rule->unit == QUOTA_REQUESTS)
				continue;
			if (!running->orphaned[i])
				rule->running -= running->part.reserved.of[rule->unit];
			if (rule->unit == QUOTA_CONCURRENT)
				continue;
			if (running->orphaned[i])
				rule->total += used;
			else
				note_use(rule, world.now_us, used);
		}
	}
	quotas_drop(replica->quotas, running->subject);
	forget_running(running);
}

/* ---- what goes wrong ---- */

static void start_replica(struct replica *replica)
{
	*replica = (struct replica){.ahead_us = seed_below(&world.seed, 1000000) * SECOND,
				    .wall_ahead_s = (int64_t)seed_below(&world.seed, 7200) - 3600};
	replica->quotas = quotas_create(world.config);
	assert_non_null(replica->quotas);
	replica->port = quota_port_create(replica->quotas, &port_ops, replica, &replica->timers);
	assert_non_null(replica->port);
}

/* All at once is gone, what it had begun, too. What it sent is on its way. */
static void crash(struct replica *replica)
{
	for (size_t i = 0; i < world.message_count; i++)
		if (world.messages[i].replica == replica) {
			free(world.messages[i].call);
			world.messages[i].call = NULL;
		}
	for (size_t i = 0; i < replica->count; i++) {
		struct running *running = replica->running[i];
		note_modest_end(running, 0);
		for (size_t j = 0; j < RULES && !running->waits; j++)
			if (rules[j].model == running->model && rules[j].unit != QUOTA_REQUESTS &&
			    !running->orphaned[j])
				rules[j].running -= running->part.reserved.of[rules[j].unit];
		free(running);
	}
	quotas_destroy(replica->quotas);
	start_replica(replica);
	world.crashes++;
}

static void lose_everything(void)
{
	for (size_t i = 0; i < RULES; i++) {
		struct rule *rule = &rules[i];
		rule->model_account = (struct model_account){.known = false};
		rule->excused_us = world.now_us + 2 * rule->window_us + 30 * SECOND;
		rule->lost = 2;
		for (size_t j = 0; j < REPLICAS && rule->unit != QUOTA_REQUESTS; j++)
			orphan(rule, &world.replicas[j]);
	}
	world.losses++;
}

static void go_wrong(void)
{
	struct replica *replica = &world.replicas[seed_below(&world.seed, REPLICAS)];
	if (world.gentle)
		return;
	switch (seed_below(&world.seed, 8)) {
	case 0:
		world.down_until_us = world.now_us + seed_below(&world.seed, (world.harsh ? 20 : 6) * (uint64_t)SECOND);
		break;
	case 1:
		if (world.harsh)
			crash(replica);
		break;
	case 2:
		if (world.harsh && seed_below(&world.seed, 10) == 0)
			lose_everything();
		break;
	case 3:
		replica->cut_off = world.harsh;
		if (world.harsh && seed_below(&world.seed, 2) == 0) /* with what it holds */
			replica->quiet_until_us = world.now_us + seed_below(&world.seed, 20 * (uint64_t)SECOND);
		break;
	case 4:
		replica->wall_ahead_s = (int64_t)seed_below(&world.seed, 7200) - 3600;
		break;
	case 5:
		replica->cut_off = false;
		break;
	default:
		break;
	}
}

/* ---- steps ---- */

/* When the next message is executed, answered or given up; no later than until_us. */
static uint64_t next_us(uint64_t until_us)
{
	for (size_t i = 0; i < world.message_count; i++) {
		const struct message *message = &world.messages[i];
		const uint64_t times[] = {message->executed_us, message->heard ? message->answered_us : UINT64_MAX,
					  message->call != NULL ? message->deadline_us : UINT64_MAX};
		for (size_t j = 0; j < sizeof(times) / sizeof(times[0]); j++)
			if (times[j] > world.now_us && times[j] < until_us)
				until_us = times[j];
	}
	return until_us;
}

static void pass(uint64_t us)
{
	uint64_t until_us = world.now_us + us;
	do {
		world.now_us = next_us(until_us);
		deliver();
	} while (world.now_us < until_us);
}

static void renew_all(void)
{
	for (size_t i = 0; i < REPLICAS; i++) {
		enter(&world.replicas[i]);
		quota_port_renew(world.replicas[i].port);
	}
}

static void step(void)
{
	struct replica *replica = &world.replicas[seed_below(&world.seed, REPLICAS)];
	uint64_t choice = seed_below(&world.seed, 1000);
	if (choice < 400)
		begin(replica);
	else if (choice < 760 && replica->count > 0)
		end(replica->running[seed_below(&world.seed, replica->count)]);
	else if (choice < 990)
		pass(seed_below(&world.seed, 5 * MS));
	else if (choice < 997)
		pass(seed_below(&world.seed, 500 * MS));
	else if (choice == 998 || (world.harsh && choice == 997))
		go_wrong();
	else if (choice == 999)
		pass(seed_below(&world.seed, world.harsh ? 5 * SECOND : SECOND));
	if (choice % 16 == 0)
		renew_all();
}

static void wait_calmly(uint64_t us)
{
	for (uint64_t passed = 0; passed < us; passed += 50 * MS) {
		pass(50 * MS);
		renew_all();
	}
}

/* Somebody asks about every account, and needs nothing. */
static void look_at_all(void)
{
	for (size_t i = 0; i < RULES; i++) {
		int64_t numbers[SCRIPT_REPLIES];
		const struct config_quota *quota = &world.config->quotas[rules[i].model];
		struct script_ask ask = {.id = "looks",
					 .shares = quota->shares,
					 .share_count = quota->share_count,
					 .member = quota->share_count,
					 .asked_ms = -1,
					 .number = ++world.calls,
					 .limit = rules[i].limit,
					 .unit = rules[i].unit,
					 .kind = rules[i].kind,
					 .leaves = true};
		model_call(&rules[i].model_account, &ask, (int64_t)(world.now_us / MS), numbers);
	}
}

static void rest(void)
{
	world.calm = true;
	world.down_until_us = 0;
	for (size_t i = 0; i < REPLICAS; i++) {
		world.replicas[i].cut_off = false;
		while (world.replicas[i].count > 0)
			end(world.replicas[i].running[0]);
	}
	wait_calmly(35 * SECOND);     /* the last late message */
	for (int i = 0; i < 3; i++) { /* whoever died gets one more lease when nobody has called meanwhile */
		look_at_all();
		wait_calmly(11 * SECOND);
	}
	look_at_all();
	for (size_t i = 0; i < RULES; i++) {
		struct rule *rule = &rules[i];
		assert_int_equal(rule->running, 0);
		for (size_t j = 0; j < rule->model_account.holder_count; j++)
			if (rule->model_account.holders[j].held != 0)
				fail_msg(
				    "rule %zu: %s still holds %lld, last heard of %lld ms ago", i,
				    rule->model_account.holders[j].id, (long long)rule->model_account.holders[j].held,
				    (long long)((int64_t)(world.now_us / MS) - rule->model_account.holders[j].called));
		if (!world.harsh && rule->lost == 0 && rule->unit != QUOTA_CONCURRENT)
			if (rule->model_account.reported != (int64_t)rule->total)
				fail_msg("rule %zu: Redis heard of %lld, used were %llu", i,
					 (long long)rule->model_account.reported, (unsigned long long)rule->total);
		assert_int_equal(world.message_count, 0);
	}
	wait_calmly(62 * SECOND);
	for (size_t i = 0; i < RULES; i++) {
		struct rule *rule = &rules[i];
		if (rule->kind != QUOTA_DAY)
			model_forget(&rule->model_account, script_slot_ms(rule->unit, rule->kind),
				     (int64_t)(world.now_us / MS));
		if (rule->kind != QUOTA_DAY)
			assert_int_equal(model_used(&rule->model_account), 0);
		rule->model_account.reported = 0;
		rule->total = 0;
		rule->lost -= rule->lost > 0;
	}
	world.calm = false;
}

static void replicas_together_never_grant_more_than_the_limit(void **state)
{
	(void)state;
	world.config = fixture_good(yaml);
	world.seed = seed_start();
	world.now_us = UINT64_C(1800000000) * SECOND;
	for (size_t i = 0; i < REPLICAS; i++)
		start_replica(&world.replicas[i]);
	for (int i = 0; i < STEPS; i++) {
		if (i % EPOCH == 0) {
			if (i / EPOCH % EPOCHS <= 2) /* gentle ones go on */
				rest();
			world.harsh = i / EPOCH % EPOCHS == 1;
			if (i / EPOCH % EPOCHS == 2)
				world.gentle_us = world.now_us;
			world.gentle = i / EPOCH % EPOCHS >= 2;
		}
		step();
	}
	rest();
	printf("granted %llu, refused %llu (lost %llu), calls %llu (late %llu), crashes %llu, losses %llu\n",
	       (unsigned long long)world.granted, (unsigned long long)world.refused, (unsigned long long)world.lost,
	       (unsigned long long)world.calls, (unsigned long long)world.late, (unsigned long long)world.crashes,
	       (unsigned long long)world.losses);
	printf("the modest child: %llu granted when its share must be there\n",
	       (unsigned long long)world.modest.judged);
	assert_true(world.modest.judged > STEPS / 1000);
	assert_true(world.granted > STEPS / 12);
	assert_true(world.refused > STEPS / 100);
	assert_true(world.lost > 0);
	assert_true(world.late > 0);
	assert_true(world.crashes > 10);
	assert_true(world.losses > 0);
	for (size_t i = 0; i < REPLICAS; i++)
		quotas_destroy(world.replicas[i].quotas);
	config_drop(world.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(replicas_together_never_grant_more_than_the_limit)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
