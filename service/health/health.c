/* SPDX-License-Identifier: MIT */
/*
 * Calls and probes, as they change the cells that all workers share;
 * health_cells.h has the cells and the order of their locks.
 */
#include "service/health/health.h"

#include <stdlib.h>

#include "lib/log.h"
#include "service/health/health_cells.h"

enum { COOLING_LEAST_US = 1000000, COOLING_MOST_US = 300000000 };

/* ---- lives ---- */

static bool create_cells(struct health *health, const struct config *config)
{
	/* One more of each: there may be none. That of models is for plans that belong to no model. */
	health->targets = calloc(config->target_count + 1, sizeof(*health->targets));
	health->backends = calloc(config->backend_count + 1, sizeof(*health->backends));
	health->models = calloc(config->model_count + 1, sizeof(*health->models));
	return health->targets != NULL && health->backends != NULL && health->models != NULL;
}

struct health *health_create(const struct config *config, uint64_t seed)
{
	struct health *health = calloc(1, sizeof(*health));
	if (health == NULL)
		return NULL;
	if (!create_cells(health, config)) {
		free(health->targets);
		free(health->backends);
		free(health->models);
		free(health);
		return NULL;
	}
	health->config = config;
	pthread_mutex_init(&health->budget_lock, NULL);
	for (size_t i = 0; i < config->target_count; i++) {
		pthread_mutex_init(&health->targets[i].lock, NULL);
		breaker_init(&health->targets[i].breaker, &config->targets[i].backend->breaker, seed + i);
	}
	for (size_t i = 0; i < config->backend_count; i++)
		pthread_mutex_init(&health->backends[i].lock, NULL);
	for (size_t i = 0; i <= config->model_count; i++)
		pthread_mutex_init(&health->models[i].lock, NULL);
	return health;
}

void health_destroy(struct health *health)
{
	if (health == NULL)
		return;
	for (size_t i = 0; i < health->config->target_count; i++)
		pthread_mutex_destroy(&health->targets[i].lock);
	for (size_t i = 0; i < health->config->backend_count; i++)
		pthread_mutex_destroy(&health->backends[i].lock);
	for (size_t i = 0; i <= health->config->model_count; i++)
		pthread_mutex_destroy(&health->models[i].lock);
	pthread_mutex_destroy(&health->budget_lock);
	free(health->targets);
	free(health->backends);
	free(health->models);
	free(health);
}

/* ---- what a change of a breaker's state looks like in the log ---- */

struct change {
	enum health_breaker from;
	enum health_breaker to;
	const char *why;
	enum error_code last;
	uint64_t next_probe_us; /* from now */
};

/* What changed since from; to be logged when the lock is given back. */
static struct change change_since(const struct target_cell *cell, enum health_breaker from, uint64_t now_us)
{
	const struct breaker *breaker = &cell->breaker;
	bool open = breaker->state == HEALTH_BREAKER_OPEN;
	return (struct change){.from = from,
			       .to = breaker->state,
			       .why = breaker_why_name(breaker->why),
			       .last = cell->last,
			       .next_probe_us = open ? from_now(breaker->until_us, now_us) : 0};
}

static void log_change(const struct health *health, size_t target, const struct change *change)
{
	struct log_line line;
	if (change->from == change->to)
		return;
	log_begin(&line, change->to == HEALTH_BREAKER_OPEN ? LOG_WARN : LOG_INFO, "breaker changed");
	log_str(&line, "target", span_of(health->config->targets[target].name));
	log_str(&line, "from", span_of(health_breaker_name(change->from)));
	log_str(&line, "to", span_of(health_breaker_name(change->to)));
	log_str(&line, "why", span_of(change->why));
	log_str(&line, "error", span_of(error_row(change->last)->code));
	if (change->to == HEALTH_BREAKER_OPEN)
		log_ms(&line, "next_probe_ms", change->next_probe_us);
	log_end(&line);
}

/* ---- a call ---- */

/* Takes a place at the gateway and at the backend; false when it is an extra one and there is none left. */
static bool enter_budgets(struct health *health, struct backend_cell *backend, bool extra)
{
	const struct config_budget *options = &health->config->retries;
	pthread_mutex_lock(&health->budget_lock);
	bool allowed = !extra || (budget_allows(&health->budget, options) && budget_allows(&backend->budget, options));
	if (allowed) {
		budget_enter(&health->budget, extra);
		budget_enter(&backend->budget, extra);
	}
	pthread_mutex_unlock(&health->budget_lock);
	return allowed;
}

static void leave_budgets(struct health *health, struct backend_cell *backend, bool extra)
{
	pthread_mutex_lock(&health->budget_lock);
	budget_leave(&health->budget, extra);
	budget_leave(&backend->budget, extra);
	pthread_mutex_unlock(&health->budget_lock);
}

static void begin_call(struct health *health, struct health_call *call, size_t target, bool extra, uint64_t now_us)
{
	struct target_cell *cell = &health->targets[target];
	*call = (struct health_call){.health = health, .target = target, .started_us = now_us, .extra = extra};
	breaker_enter(&cell->breaker, call, now_us);
	cell->running++;
}

enum health_reason health_enter(struct health *health, struct health_call *call, size_t target,
				enum health_purpose purpose, uint64_t now_us, uint64_t *wait_us)
{
	struct target_cell *cell = &health->targets[target];
	bool extra = purpose == HEALTH_EXTRA;
	pthread_mutex_lock(&cell->lock);
	enum health_breaker before = cell->breaker.state;
	enum health_reason reason = health_reason_of(health, target, now_us, wait_us);
	if (reason == HEALTH_OK && !enter_budgets(health, backend_of(health, target), extra))
		reason = HEALTH_BUDGET;
	if (reason == HEALTH_OK)
		begin_call(health, call, target, extra, now_us);
	else
		cell->refused[reason]++;
	struct change change = change_since(cell, before, now_us);
	pthread_mutex_unlock(&cell->lock);
	log_change(health, target, &change);
	return reason;
}

/* A real call succeeded: more than any probe can tell. */
static void prove(struct health *health, size_t target, uint64_t now_us)
{
	struct backend_cell *backend = backend_of(health, target);
	pthread_mutex_lock(&backend->lock);
	liveness_proven(&backend->liveness, now_us);
	pthread_mutex_unlock(&backend->lock);
}

void health_first_content(struct health_call *call, uint64_t now_us)
{
	struct health *health = call->health;
	if (health == NULL || call->content)
		return;
	struct target_cell *cell = &health->targets[call->target];
	pthread_mutex_lock(&cell->lock);
	enum health_breaker before = cell->breaker.state;
	breaker_content(&cell->breaker, call, now_us);
	latency_observe(&cell->latency, from_now(now_us, call->started_us), now_us);
	struct change change = change_since(cell, before, now_us);
	pthread_mutex_unlock(&cell->lock);
	log_change(health, call->target, &change);
	prove(health, call->target, now_us);
}

static enum breaker_outcome judge(enum error_code outcome)
{
	switch (outcome) {
	case ERROR_NONE:
		return BREAKER_GOOD;
	case ERROR_UPSTREAM_CONNECT:
	case ERROR_UPSTREAM_CONNECT_TIMEOUT:
	case ERROR_UPSTREAM_DNS:
	case ERROR_UPSTREAM_TLS:
		return BREAKER_UNREACHABLE;
	case ERROR_UPSTREAM_BUSY:
	case ERROR_UPSTREAM_REJECTED:
		return BREAKER_ANSWERED;
	default:
		return error_row(outcome)->blame == BLAME_BACKEND ? BREAKER_FAILED : BREAKER_NEUTRAL;
	}
}

static void cool_down(struct target_cell *cell, uint64_t retry_after_us, uint64_t now_us)
{
	uint64_t pause = retry_after_us < COOLING_LEAST_US ? COOLING_LEAST_US : retry_after_us;
	uint64_t until = now_us + (pause > COOLING_MOST_US ? COOLING_MOST_US : pause);
	if (retry_after_us != 0 && until > cell->cooling_until_us)
		cell->cooling_until_us = until;
}

/* Whoever waited for the first content gave up: the client, a hedge or race that another one won, or our own limit. */
static bool was_given_up(const struct health_call *call, enum error_code outcome)
{
	bool waited = outcome == ERROR_CLIENT_CLOSED || outcome == ERROR_UPSTREAM_FIRST_CONTENT ||
		      outcome == ERROR_UPSTREAM_TOTAL;
	return waited && !call->content;
}

/* The target's share of health_leave; under its lock. */
static void end_call(struct target_cell *cell, const struct health_call *call, enum error_code outcome,
		     uint64_t retry_after_us, uint64_t now_us)
{
	enum health_breaker before = cell->breaker.state;
	cell->running--;
	if (was_given_up(call, outcome))
		latency_exceeds(&cell->latency, from_now(now_us, call->started_us), now_us);
	breaker_leave(&cell->breaker, call, judge(outcome), now_us);
	if (cell->breaker.state == HEALTH_BREAKER_OPEN && before != HEALTH_BREAKER_OPEN)
		cell->last = outcome;
	if (outcome == ERROR_UPSTREAM_BUSY)
		cool_down(cell, retry_after_us, now_us);
}

void health_leave(struct health_call *call, enum error_code outcome, uint64_t retry_after_us, uint64_t now_us)
{
	struct health *health = call->health;
	if (health == NULL)
		return;
	struct target_cell *cell = &health->targets[call->target];
	pthread_mutex_lock(&cell->lock);
	enum health_breaker before = cell->breaker.state;
	end_call(cell, call, outcome, retry_after_us, now_us);
	struct change change = change_since(cell, before, now_us);
	pthread_mutex_unlock(&cell->lock);
	log_change(health, call->target, &change);
	leave_budgets(health, backend_of(health, call->target), call->extra);
	if (outcome == ERROR_NONE)
		prove(health, call->target, now_us);
	*call = (struct health_call){0};
}

/* ---- probes ---- */

bool health_probed(struct health *health, size_t backend, bool alive, uint64_t now_us)
{
	struct backend_cell *cell = &health->backends[backend];
	pthread_mutex_lock(&cell->lock);
	bool changed = liveness_probed(&cell->liveness, &health->config->backends[backend].probe, alive, now_us);
	pthread_mutex_unlock(&cell->lock);
	return changed;
}
