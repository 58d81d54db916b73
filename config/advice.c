/* SPDX-License-Identifier: MIT */
/* One function for each piece of advice; advice.h lists them. */
#include "config/advice.h"

#include <inttypes.h>
#include <stdio.h>

#include "config/advice_limits.h"

enum { ADVICE_KEY_MAX = 512, SECOND_US = 1000000, MILLISECOND_US = 1000, CALL_LEAST_US = 100000 };

/* The paths that calls append to a backend's URL. */
static const char *const operations[] = {"/chat/completions", "/completions", "/embeddings"};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void check_url(const struct config_backend *backend, struct findings *findings)
{
	char key[ADVICE_KEY_MAX];
	if (backend->url == NULL)
		return;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (!ends_with(backend->url, operations[i]))
			continue;
		snprintf(key, sizeof(key), "backends.%s.url", backend->name);
		findings_advise(findings, backend->line, key,
				"it ends in %s, which every call appends again; expected the part in front of it",
				operations[i]);
		return;
	}
}

/* Compares listener index with those before it. */
static void check_listener(const struct config *config, size_t index, struct findings *findings)
{
	const struct config_listener *listener = &config->listeners[index];
	char key[ADVICE_KEY_MAX];
	if (listener->host == NULL || strcmp(listener->port, "0") == 0)
		return;
	for (size_t i = 0; i < index; i++) {
		const struct config_listener *other = &config->listeners[i];
		if (other->host == NULL || strcmp(other->host, listener->host) != 0 ||
		    strcmp(other->port, listener->port) != 0)
			continue;
		snprintf(key, sizeof(key), "listen[%zu]", index);
		findings_advise(findings, listener->line, key, "the address is listed already, at line %u",
				other->line);
		return;
	}
}

/* A child is NULL where the file is wrong elsewhere, such as in its backends. */

/* The longest time to first content that a call of the plan may take. */
static uint64_t longest_wait(const struct config_plan *plan)
{
	if (plan == NULL)
		return 0;
	uint64_t most = plan->backend == NULL ? 0 : plan->backend->timeouts.first_content_us;
	for (size_t i = 0; i < plan->child_count; i++) {
		uint64_t wait = longest_wait(plan->children[i]);
		if (wait > most)
			most = wait;
	}
	return most;
}

static bool can_continue(const struct config_plan *plan)
{
	if (plan == NULL)
		return true;
	bool can = plan->backend != NULL && plan->backend->prefill != CONFIG_PREFILL_NONE;
	for (size_t i = 0; i < plan->child_count && !can; i++)
		can = can_continue(plan->children[i]);
	return can;
}

static void write_duration(char text[32], uint64_t us)
{
	if (us % SECOND_US == 0)
		snprintf(text, 32, "%" PRIu64 "s", us / SECOND_US);
	else
		snprintf(text, 32, "%" PRIu64 "ms", us / MILLISECOND_US);
}

static void check_plan(const struct config_plan *plan, const char *key, struct findings *findings)
{
	if (plan == NULL)
		return;
	const struct config_plan_options *options = &plan->options;
	uint64_t wait = options->after_us == 0 ? 0 : longest_wait(plan->children[0]);
	if (wait != 0 && options->after_us >= wait) {
		char after[32], most[32];
		write_duration(after, options->after_us);
		write_duration(most, wait);
		findings_advise(findings, plan->line, key,
				"%s waits %s for its spare, but its first child gives up after %s "
				"(timeouts.first_content); expected a shorter \"after\"",
				plan->combinator, after, most);
	}
	if (options->resume == CONFIG_RESUME_CONTINUE && !can_continue(plan))
		findings_advise(findings, plan->line, key,
				"\"resume: continue\" needs a target whose backend has \"prefill\", and %s has none",
				plan->combinator);
	for (size_t i = 0; i < plan->child_count; i++)
		check_plan(plan->children[i], key, findings);
}

/* Warns of a queue so long that its last request gets a place only if calls are quicker than any model. */
static void check_queue(const struct config_backend *backend, struct findings *findings)
{
	const struct config_concurrency *concurrency = &backend->concurrency;
	uint64_t turns = concurrency->calls == 0 ? 0 : concurrency->queue / concurrency->calls;
	char key[ADVICE_KEY_MAX], wait[32];
	if (turns == 0 || concurrency->wait_us / turns >= CALL_LEAST_US)
		return;
	write_duration(wait, concurrency->wait_us);
	snprintf(key, sizeof(key), "backends.%s.concurrency", backend->name);
	findings_advise(
	    findings, backend->line, key,
	    "%u requests may wait for %u calls at once, but each for %s only: the last ones get no place unless a "
	    "call takes less than %" PRIu64 " ms; expected a shorter queue or a longer wait",
	    concurrency->queue, concurrency->calls, wait, concurrency->wait_us / turns / MILLISECOND_US);
}

void advice_give(const struct config *config, struct findings *findings)
{
	for (size_t i = 1; i < config->listener_count; i++)
		check_listener(config, i, findings);
	for (size_t i = 0; i < config->backend_count; i++) {
		check_url(&config->backends[i], findings);
		check_queue(&config->backends[i], findings);
	}
	for (size_t i = 0; i < config->model_count; i++) {
		char key[ADVICE_KEY_MAX];
		snprintf(key, sizeof(key), "models.%s", config->models[i].name);
		check_plan(config->models[i].plan, key, findings);
	}
	advice_give_limits(config, findings);
}
