/* SPDX-License-Identifier: MIT */
/*
 * Calls and probes, as they change the cells that all workers share; health_cells.h has the cells and the order of
 * their locks, refusal.c decides whether a call may enter.
 */
#include "service/health/health.h"

#include "lib/log.h"
#include "service/health/health_cells.h"

enum {
	COOLING_LEAST_US = 1000000,
	COOLING_MOST_US = 300000000,
	COOLING_ALONE_US = 5000000,
	REFUSAL_HOLDS_US = 600000000
};

/* ---- what a change of a breaker's state looks like in the log ---- */

struct change {
	enum health_breaker from;
	enum health_breaker to;
	const char *why;
	enum error_code last;
	uint64_t next_probe_us; /* from now */
};

/* What changed since from; to be logged when the lock is given back. */
static struct change change_since(const struct operation_cell *cell, enum health_breaker from, uint64_t now_us)
{
	const struct breaker *breaker = &cell->breaker;
	bool open = breaker->state == HEALTH_BREAKER_OPEN;
	return (struct change){.from = from,
			       .to = breaker->state,
			       .why = breaker_why_name(breaker->why),
			       .last = cell->last,
			       .next_probe_us = open ? from_now(breaker->until_us, now_us) : 0};
}

static void log_change(const struct health *health, const struct health_use *use, const struct change *change)
{
	struct log_line line;
	if (change->from == change->to)
		return;
	log_begin(&line, change->to == HEALTH_BREAKER_OPEN ? LOG_WARN : LOG_INFO, "breaker changed");
	log_str(&line, "target", span_of(health->config->targets[use->target].name));
	log_str(&line, "operation", span_of(health_operation_name(use->operation)));
	log_str(&line, "from", span_of(health_breaker_name(change->from)));
	log_str(&line, "to", span_of(health_breaker_name(change->to)));
	log_str(&line, "why", span_of(change->why));
	log_str(&line, "error", span_of(error_row(change->last)->code));
	if (change->to == HEALTH_BREAKER_OPEN)
		log_ms(&line, "next_probe_ms", change->next_probe_us);
	log_end(&line);
}

/* ---- a call ---- */

static void leave_budget(struct backend_cell *backend, const struct health_call *call, enum error_code code,
			 uint64_t now_us)
{
	bool failed = code != ERROR_NONE && code != ERROR_CLIENT_CLOSED;
	pthread_mutex_lock(&backend->base.lock);
	retry_budget_leave(&backend->budget, call->extra, failed, now_us);
	pthread_mutex_unlock(&backend->base.lock);
}

static void begin_call(struct health *health, struct health_call *call, const struct health_use *use,
		       enum health_purpose purpose, uint64_t now_us)
{
	struct operation_cell *cell = operation_of(health, use);
	*call = (struct health_call){.health = health,
				     .use = *use,
				     .started_us = now_us,
				     .extra = purpose == HEALTH_REPEAT,
				     .scout = purpose == HEALTH_DIVERTED || purpose == HEALTH_OVERDUE};
	breaker_enter(&cell->breaker, call, now_us);
	cell->standby.scouts += call->scout;
	health_target(health, use->target)->running++;
}

enum health_reason health_enter(struct health *health, struct health_call *call, const struct health_use *use,
				enum health_purpose purpose, uint64_t now_us, uint64_t *wait_us)
{
	struct target_cell *cell = health_target(health, use->target);
	struct operation_cell *operation = operation_of(health, use);
	pthread_mutex_lock(&cell->base.lock);
	enum health_breaker before = operation->breaker.state;
	enum health_reason reason = health_ask(health, use, purpose, now_us, wait_us);
	if (reason == HEALTH_OK)
		begin_call(health, call, use, purpose, now_us);
	else if (reason != HEALTH_UNPROVEN)
		cell->refused[reason]++;
	if (reason == HEALTH_OPEN)
		breaker_refuse(&operation->breaker);
	struct change change = change_since(operation, before, now_us);
	pthread_mutex_unlock(&cell->base.lock);
	log_change(health, use, &change);
	return reason;
}

void health_give_up(struct health *health, size_t target)
{
	struct target_cell *cell = health_target(health, target);
	pthread_mutex_lock(&cell->base.lock);
	cell->refused[HEALTH_UNPROVEN]++;
	pthread_mutex_unlock(&cell->base.lock);
}

/* A real call succeeded: more than any probe can tell. */
static void prove(struct health *health, size_t target, uint64_t now_us)
{
	struct backend_cell *backend = backend_of(health, target);
	pthread_mutex_lock(&backend->base.lock);
	liveness_proven(&backend->liveness, now_us);
	pthread_mutex_unlock(&backend->base.lock);
}

void health_first_content(struct health_call *call, uint64_t now_us)
{
	struct health *health = call->health;
	if (health == NULL || call->content)
		return;
	struct target_cell *cell = health_target(health, call->use.target);
	struct operation_cell *operation = operation_of(health, &call->use);
	pthread_mutex_lock(&cell->base.lock);
	enum health_breaker before = operation->breaker.state;
	breaker_content(&operation->breaker, call, now_us);
	standby_content(&operation->standby, call->scout, now_us);
	success_rate_note(&operation->success, true, now_us);
	call->scout = false;
	latency_observe(&operation->latency[call->use.stream], from_now(now_us, call->started_us), now_us);
	struct change change = change_since(operation, before, now_us);
	pthread_mutex_unlock(&cell->base.lock);
	log_change(health, &call->use, &change);
	prove(health, call->use.target, now_us);
}

/* What a request causes by itself is told once: its repeats count no more. */
static enum failure_verdict judge(const struct health_call *call, const struct health_outcome *outcome)
{
	enum failure_verdict verdict = failure_row(outcome->kind)->breaker;
	bool known = outcome->repeat && !call->probe; /* a probe that fails says that the target is not back */
	return verdict == FAILURE_IS_FAILED && known ? FAILURE_IS_ANSWERED : verdict;
}

/*
 * The failure says something of the target, to whoever would ask it next. A 400 says it of its request, whatever its
 * words are: a client may have put them there.
 */
static bool tells_of_target(const struct health_outcome *outcome)
{
	if (outcome->repeat || outcome->code == ERROR_NONE)
		return false;
	switch (outcome->kind) {
	case FAILURE_RATE_LIMIT:
	case FAILURE_OVERLOAD:
		return true;
	case FAILURE_CREDENTIALS:
	case FAILURE_ACCOUNT:
	case FAILURE_MODEL:
		return outcome->status != 0 && outcome->status != 400 && outcome->status != 422;
	default:
		return failure_row(outcome->kind)->breaker >= FAILURE_IS_FAILED;
	}
}

/*
 * The pause that a backend asks for may be about this client's request, such as its tokens: it holds for others when
 * they are asked for one, too. Where there is no other target, it is soon found out whether it still holds.
 */
static void cool_down(struct target_cell *cell, const struct health_call *call, uint64_t retry_after_us,
		      uint64_t now_us)
{
	bool alone = call->health->config->targets[call->use.target].alone;
	uint64_t most = alone ? COOLING_ALONE_US : COOLING_MOST_US;
	uint64_t pause = retry_after_us < COOLING_LEAST_US ? COOLING_LEAST_US : retry_after_us;
	uint64_t until = now_us + (pause > most ? most : pause);
	if (retry_after_us == 0)
		return;
	bool anew = cell->cooling_until_us <= now_us;
	cell->cooling_others = !anew && (cell->cooling_others || cell->cooling_client != call->use.client);
	if (anew)
		cell->cooling_client = call->use.client;
	if (until > cell->cooling_until_us)
		cell->cooling_until_us = until;
}

/* Whoever waited for the first content gave up: the client, a hedge or race that another one won, or our own limit. */
static bool was_given_up(const struct health_call *call, enum error_code code)
{
	bool waited =
	    code == ERROR_CLIENT_CLOSED || code == ERROR_UPSTREAM_FIRST_CONTENT || code == ERROR_UPSTREAM_TOTAL;
	return waited && !call->content;
}

/* The target's share of health_leave; under its lock. */
static void end_call(struct target_cell *cell, struct operation_cell *operation, const struct health_call *call,
		     const struct health_outcome *outcome, uint64_t now_us)
{
	enum health_breaker before = operation->breaker.state;
	cell->running--;
	operation->standby.scouts -= call->scout;
	if (tells_of_target(outcome)) {
		standby_failed(&operation->standby, call->use.client, now_us);
		success_rate_note(&operation->success, false, now_us);
	}
	if (was_given_up(call, outcome->code))
		latency_exceeds(&operation->latency[call->use.stream], from_now(now_us, call->started_us), now_us);
	breaker_leave(&operation->breaker, call, judge(call, outcome), now_us);
	if (operation->breaker.state == HEALTH_BREAKER_OPEN && before != HEALTH_BREAKER_OPEN)
		operation->last = outcome->code;
	cool_down(cell, call, outcome->retry_after_us, now_us);
}

void health_leave(struct health_call *call, const struct health_outcome *outcome, uint64_t now_us)
{
	struct health *health = call->health;
	if (health == NULL)
		return;
	struct target_cell *cell = health_target(health, call->use.target);
	struct operation_cell *operation = operation_of(health, &call->use);
	pthread_mutex_lock(&cell->base.lock);
	enum health_breaker before = operation->breaker.state;
	end_call(cell, operation, call, outcome, now_us);
	struct change change = change_since(operation, before, now_us);
	pthread_mutex_unlock(&cell->base.lock);
	log_change(health, &call->use, &change);
	leave_budget(backend_of(health, call->use.target), call, outcome->code, now_us);
	if (outcome->code == ERROR_NONE)
		prove(health, call->use.target, now_us);
	*call = (struct health_call){0};
}

void health_plan_begins(struct health *health)
{
	atomic_fetch_add_explicit(&health->plans, 1, memory_order_relaxed);
}

void health_plan_ends(struct health *health)
{
	atomic_fetch_sub_explicit(&health->plans, 1, memory_order_relaxed);
}

/* ---- what a backend refuses ---- */

bool health_refuses(const struct health *health, size_t target, enum health_rewrite what, uint64_t now_us)
{
	const struct backend_cell *backend = backend_of(health, target);
	return atomic_load_explicit(&backend->refuses_until_us[what], memory_order_relaxed) > now_us;
}

bool health_note_refused(struct health *health, size_t target, enum health_rewrite what, uint64_t now_us)
{
	struct backend_cell *backend = backend_of(health, target);
	return atomic_exchange(&backend->refuses_until_us[what], now_us + REFUSAL_HOLDS_US) <= now_us;
}

/* ---- probes ---- */

bool health_probed(struct health *health, size_t backend, bool alive, uint64_t now_us)
{
	struct backend_cell *cell = health_backend(health, backend);
	pthread_mutex_lock(&cell->base.lock);
	bool changed = liveness_probed(&cell->liveness, &health->config->backends[backend].probe, alive, now_us);
	pthread_mutex_unlock(&cell->base.lock);
	return changed;
}
