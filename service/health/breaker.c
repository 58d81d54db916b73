/* SPDX-License-Identifier: MIT */
/* The rules of the breaker; breaker.h tells them. */
#include "service/health/breaker.h"

#include "service/health/jitter.h"

void breaker_init(struct breaker *breaker, const struct config_breaker *options, bool alone, uint64_t seed)
{
	*breaker = (struct breaker){.options = options, .alone = alone, .random = jitter_seed(seed)};
}

const char *breaker_why_name(enum breaker_why why)
{
	static const char *const names[] = {NULL, "consecutive", "share", "unreachable", "probe"};
	return names[why];
}

static uint64_t latest(const struct breaker *breaker, uint64_t now_us)
{
	return now_us > breaker->latest_us ? now_us : breaker->latest_us;
}

static void forget_outcomes(struct breaker *breaker)
{
	for (unsigned i = 0; i < BREAKER_BUCKETS; i++)
		breaker->buckets[i] = (struct breaker_bucket){.number = breaker->buckets[i].number};
	breaker->failures = 0;
	breaker->breaks = 0;
	breaker->unreachable = 0;
	breaker->row = (struct blame){0};
}

/* The one place where a breaker changes its state. */
static void breaker_set_state(struct breaker *breaker, enum health_breaker state, uint64_t now_us)
{
#define FROM(st) (1u << HEALTH_BREAKER_##st)
	static const unsigned allowed[HEALTH_BREAKER_STATES] = {
	    [HEALTH_BREAKER_CLOSED] = FROM(HALF_OPEN),
	    [HEALTH_BREAKER_OPEN] = FROM(CLOSED) | FROM(HALF_OPEN),
	    [HEALTH_BREAKER_HALF_OPEN] = FROM(OPEN),
	};
#undef FROM
	if ((allowed[state] & 1u << breaker->state) == 0)
		__builtin_trap();
	breaker->state = state;
	breaker->generation++;
	breaker->changes[state]++;
	breaker->probes = 0;
	breaker->successes = 0;
	breaker->refused = 0;
	breaker->due = BREAKER_ALONE_SHARE - 1;
	if (state == HEALTH_BREAKER_CLOSED) {
		breaker->opened_by = (struct blame){0};
		breaker->closed_us = now_us;
		forget_outcomes(breaker);
	}
}

static uint64_t full_wait(const struct breaker *breaker)
{
	const struct config_breaker *options = breaker->options;
	uint64_t wait = options->wait_us;
	for (unsigned i = 1; i < breaker->opened && wait < options->wait_most_us; i++)
		wait = wait > UINT64_MAX / 2 ? UINT64_MAX : wait * 2;
	if (breaker->alone && breaker->quick && wait > BREAKER_ALONE_WAIT_US)
		wait = BREAKER_ALONE_WAIT_US;
	return wait < options->wait_most_us ? wait : options->wait_most_us;
}

static void open_up(struct breaker *breaker, enum breaker_why why, uint64_t now_us)
{
	breaker->opened++;
	breaker->why = why;
	breaker->until_us = now_us + jitter_half_to_full(&breaker->random, full_wait(breaker));
	breaker_set_state(breaker, HEALTH_BREAKER_OPEN, now_us);
}

static uint64_t bucket_number(const struct breaker *breaker, uint64_t now_us)
{
	uint64_t width = breaker->options->window_us / BREAKER_BUCKETS;
	return now_us / (width == 0 ? 1 : width);
}

static struct breaker_bucket *bucket_of(struct breaker *breaker, uint64_t now_us)
{
	uint64_t number = bucket_number(breaker, now_us);
	struct breaker_bucket *bucket = &breaker->buckets[number % BREAKER_BUCKETS];
	if (bucket->number != number)
		*bucket = (struct breaker_bucket){.number = number};
	return bucket;
}

struct breaker_bucket breaker_window(const struct breaker *breaker, uint64_t now_us)
{
	uint64_t now = bucket_number(breaker, latest(breaker, now_us));
	struct breaker_bucket sum = {.number = now};
	for (unsigned i = 0; i < BREAKER_BUCKETS; i++) {
		if (now - breaker->buckets[i].number >= BREAKER_BUCKETS)
			continue;
		sum.outcomes += breaker->buckets[i].outcomes;
		sum.failed += breaker->buckets[i].failed;
		blame_join(&sum.blame, &breaker->buckets[i].blame);
	}
	return sum;
}

static enum breaker_why rule_that_opens(const struct breaker *breaker, uint64_t now_us)
{
	const struct config_breaker *options = breaker->options;
	struct breaker_bucket window = breaker_window(breaker, now_us);
	if (!options->enabled)
		return BREAKER_NEVER;
	if (breaker->unreachable >= options->unreachable)
		return BREAKER_NO_CONNECTION;
	if (breaker->failures >= options->consecutive || breaker->breaks >= options->consecutive)
		return BREAKER_CONSECUTIVE;
	if (window.outcomes >= options->calls &&
	    (uint64_t)window.failed * 100 >= (uint64_t)window.outcomes * options->percent)
		return BREAKER_SHARE;
	return BREAKER_NEVER;
}

static void forget_row(struct breaker *breaker)
{
	if (breaker->failures == 0 && breaker->breaks == 0)
		breaker->row = (struct blame){0};
}

static void count_success(struct breaker *breaker, uint64_t now_us)
{
	bucket_of(breaker, now_us)->outcomes++;
	breaker->failures = 0;
	breaker->unreachable = 0;
	forget_row(breaker);
}

/* No request is at fault when there was no connection. */
static void blame_call(struct blame *blame, const struct health_call *call, bool unreachable)
{
	if (unreachable)
		blame_all(blame);
	else
		blame_note(blame, call->use.client);
}

static void count_failure(struct breaker *breaker, const struct health_call *call, bool unreachable, uint64_t now_us)
{
	struct breaker_bucket *bucket = bucket_of(breaker, now_us);
	bucket->outcomes++;
	bucket->failed++;
	blame_call(&bucket->blame, call, unreachable);
	breaker->failures++;
	blame_call(&breaker->row, call, unreachable);
	breaker->unreachable = unreachable ? breaker->unreachable + 1 : 0;
	enum breaker_why why = rule_that_opens(breaker, now_us);
	if (why == BREAKER_NEVER)
		return;
	breaker->opened_by = why == BREAKER_SHARE ? breaker_window(breaker, now_us).blame : breaker->row;
	open_up(breaker, why, now_us);
}

/* The call's content was counted as a success: it is none any more, if the window still knows it. */
static void take_success_back(struct breaker *breaker, const struct health_call *call)
{
	uint64_t number = bucket_number(breaker, call->content_us);
	struct breaker_bucket *bucket = &breaker->buckets[number % BREAKER_BUCKETS];
	if (bucket->number == number)
		bucket->outcomes--;
}

/* Half-open: how long the probes that are out may still keep others from probing. */
static uint64_t probes_hold(const struct breaker *breaker, uint64_t now)
{
	uint64_t since_us = now - breaker->probed_us;
	return since_us < BREAKER_PROBE_US ? BREAKER_PROBE_US - since_us : 0;
}

static bool share_is_due(const struct breaker *breaker)
{
	return breaker->alone && breaker->refused >= breaker->due && breaker->probes < BREAKER_ALONE_MOST;
}

uint64_t breaker_wait_us(const struct breaker *breaker, uint64_t now_us)
{
	uint64_t now = latest(breaker, now_us);
	if (breaker->state == HEALTH_BREAKER_CLOSED)
		return 0;
	if (breaker->state == HEALTH_BREAKER_OPEN)
		return breaker->until_us > now ? breaker->until_us - now : 0;
	if (breaker->probes < 1u << breaker->successes || share_is_due(breaker))
		return 0;
	return probes_hold(breaker, now);
}

bool breaker_admits(const struct breaker *breaker, uint64_t client, uint64_t now_us)
{
	return breaker_wait_us(breaker, now_us) == 0 || blame_spares(&breaker->opened_by, client);
}

void breaker_refuse(struct breaker *breaker)
{
	breaker->refused++;
}

/* From none to twice of what makes the share, so that no rhythm of clients meets the same ones each time. */
static unsigned draw_due(struct breaker *breaker)
{
	return (unsigned)(jitter_next(&breaker->random) % (2 * BREAKER_ALONE_SHARE - 1));
}

static void enter_probe(struct breaker *breaker, struct health_call *call)
{
	if (probes_hold(breaker, breaker->latest_us) == 0) {
		breaker->probes = 0;
		breaker->round++;
	}
	call->round = breaker->round;
	breaker->probes++;
	breaker->probed_us = breaker->latest_us;
	breaker->refused = 0;
	breaker->due = draw_due(breaker);
}

void breaker_enter(struct breaker *breaker, struct health_call *call, uint64_t now_us)
{
	breaker->latest_us = latest(breaker, now_us);
	call->aside = breaker_wait_us(breaker, breaker->latest_us) != 0;
	call->generation = breaker->generation;
	if (call->aside)
		return;
	if (breaker->state == HEALTH_BREAKER_OPEN)
		breaker_set_state(breaker, HEALTH_BREAKER_HALF_OPEN, breaker->latest_us);
	call->generation = breaker->generation;
	call->probe = breaker->state == HEALTH_BREAKER_HALF_OPEN;
	if (call->probe)
		enter_probe(breaker, call);
}

static void give_place_back(struct breaker *breaker, const struct health_call *call)
{
	if (call->round == breaker->round)
		breaker->probes--;
}

static void probe_succeeded(struct breaker *breaker, const struct health_call *call, uint64_t now_us)
{
	give_place_back(breaker, call);
	breaker->successes++;
	breaker->opened = 0; /* a good probe ends the doubling of the wait */
	if (breaker->opened_by.several)
		breaker->opened_by = (struct blame){0};
	if (breaker->successes >= BREAKER_SUCCESSES)
		breaker_set_state(breaker, HEALTH_BREAKER_CLOSED, now_us);
}

/* A success, by content or by an end without. */
static void succeed(struct breaker *breaker, const struct health_call *call)
{
	if (call->probe)
		probe_succeeded(breaker, call, breaker->latest_us);
	else
		count_success(breaker, breaker->latest_us);
}

void breaker_content(struct breaker *breaker, struct health_call *call, uint64_t now_us)
{
	breaker->latest_us = latest(breaker, now_us);
	call->content = true;
	call->content_us = breaker->latest_us;
	if (call->generation == breaker->generation && !call->aside)
		succeed(breaker, call);
}

static void leave_probe(struct breaker *breaker, const struct health_call *call, enum failure_verdict verdict)
{
	if (verdict >= FAILURE_IS_FAILED) {
		blame_call(&breaker->opened_by, call, verdict == FAILURE_IS_UNREACHABLE);
		open_up(breaker, BREAKER_PROBE, breaker->latest_us);
	} else if (!call->content && verdict == FAILURE_IS_GOOD) {
		succeed(breaker, call);
	} else if (!call->content && verdict == FAILURE_IS_ANSWERED) {
		give_place_back(breaker, call);
	}
}

/* It was let through beside the breaker: a failure says that another client's fail, too. */
static void leave_aside(struct breaker *breaker, const struct health_call *call, enum failure_verdict verdict)
{
	if (verdict >= FAILURE_IS_FAILED && breaker->state != HEALTH_BREAKER_CLOSED)
		blame_call(&breaker->opened_by, call, verdict == FAILURE_IS_UNREACHABLE);
}

static void leave_closed(struct breaker *breaker, const struct health_call *call, enum failure_verdict verdict)
{
	if (verdict >= FAILURE_IS_FAILED) {
		if (call->content)
			take_success_back(breaker, call);
		breaker->breaks += call->content;
		count_failure(breaker, call, verdict == FAILURE_IS_UNREACHABLE, breaker->latest_us);
		return;
	}
	if (verdict == FAILURE_IS_ANSWERED)
		breaker->unreachable = 0;
	if (verdict != FAILURE_IS_GOOD)
		return;
	breaker->breaks = 0;
	forget_row(breaker);
	if (!call->content)
		succeed(breaker, call);
}

void breaker_leave(struct breaker *breaker, const struct health_call *call, enum failure_verdict verdict,
		   uint64_t now_us)
{
	breaker->latest_us = latest(breaker, now_us);
	if (call->aside)
		leave_aside(breaker, call, verdict);
	if (call->aside || call->generation != breaker->generation)
		return;
	breaker->quick = now_us < call->started_us + BREAKER_QUICK_US;
	if (call->probe)
		leave_probe(breaker, call, verdict);
	else
		leave_closed(breaker, call, verdict);
}
