/* SPDX-License-Identifier: MIT */
/*
 * Why health refuses a call: the one place of the decision, for calls that are about to start (health.c) and for
 * choosers that look ahead (health_report.c). How long the refusal holds is computed by retry_after.c.
 *
 * Asked in this order: probes of the backend, a pause that the backend asked for, the breaker; then, of a call that
 * starts, the rule of standbys and the retry budget.
 */
#include "service/health/health_cells.h"
#include "service/health/retry_after.h"

const char *health_reason_name(enum health_reason reason)
{
	static const char *const names[HEALTH_REASON_COUNT] = {"ok",     "open",    "cooling", "down",
							       "budget", "failing", "unproven"};
	return names[reason];
}

bool health_is_down(struct backend_cell *backend)
{
	pthread_mutex_lock(&backend->base.lock);
	bool down = backend->liveness.state == LIVENESS_DOWN;
	pthread_mutex_unlock(&backend->base.lock);
	return down;
}

/* A pause holds for the client who was asked for it, until another one is. */
static bool holds_pause(const struct target_cell *cell, uint64_t client, uint64_t now_us)
{
	return cell->cooling_until_us > now_us && (cell->cooling_others || cell->cooling_client == client);
}

enum health_reason health_reason_of(const struct health *health, const struct health_use *use, uint64_t now_us,
				    uint64_t *wait_us)
{
	const struct target_cell *cell = health_target(health, use->target);
	const struct breaker *breaker = &operation_of(health, use)->breaker;
	enum health_reason reason = HEALTH_OK;
	if (health_is_down(backend_of(health, use->target)))
		reason = HEALTH_DOWN;
	else if (holds_pause(cell, use->client, now_us))
		reason = HEALTH_COOLING;
	else if (!breaker_admits(breaker, use->client, now_us))
		reason = HEALTH_OPEN;
	*wait_us = reason == HEALTH_OK ? 0 : retry_after_refusal_us(reason, cell, breaker, now_us);
	return reason;
}

/* Whether the target may be tried as a standby (standby.h). */
static enum health_reason ask_standby(const struct health *health, const struct health_use *use,
				      enum health_purpose purpose, uint64_t now_us)
{
	if (purpose != HEALTH_DIVERTED && purpose != HEALTH_OVERDUE)
		return HEALTH_OK;
	unsigned plans = atomic_load_explicit(&health->plans, memory_order_relaxed);
	switch (
	    standby_ask(&operation_of(health, use)->standby, &health->config->retries, use->client, plans, now_us)) {
	case STANDBY_FAILS:
		return HEALTH_FAILING;
	case STANDBY_WAIT:
		return purpose == HEALTH_OVERDUE ? HEALTH_OK : HEALTH_UNPROVEN;
	default:
		return HEALTH_OK;
	}
}

/* Takes a place at the backend; false when the call is a repeat and the retry budget has no place left. */
static bool enter_budget(const struct health *health, struct backend_cell *backend, bool extra, uint64_t now_us)
{
	bool alone = atomic_load_explicit(&health->plans, memory_order_relaxed) <= 1;
	pthread_mutex_lock(&backend->base.lock);
	bool allowed = !extra || retry_budget_allows(&backend->budget, &health->config->retries, alone, now_us);
	if (allowed)
		retry_budget_enter(&backend->budget, extra);
	pthread_mutex_unlock(&backend->base.lock);
	return allowed;
}

enum health_reason health_ask(const struct health *health, const struct health_use *use, enum health_purpose purpose,
			      uint64_t now_us, uint64_t *wait_us)
{
	enum health_reason reason = health_reason_of(health, use, now_us, wait_us);
	if (reason == HEALTH_OK)
		reason = ask_standby(health, use, purpose, now_us);
	if (reason == HEALTH_OK &&
	    !enter_budget(health, backend_of(health, use->target), purpose == HEALTH_REPEAT, now_us))
		reason = HEALTH_BUDGET;
	return reason;
}
