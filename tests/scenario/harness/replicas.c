/* SPDX-License-Identifier: MIT */
/* Replicas around a real Redis; replicas.h holds the contract. */
#include "tests/scenario/harness/replicas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"

static void stop_redis(void *redis)
{
	redis_process_stop(redis);
}

struct replicas replicas_prepare_with(const char *redis)
{
	struct replicas replicas = {.sim = sim_start(NULL), .redis = redis_process_start(redis)};
	scenario_defer(stop_redis, replicas.redis);
	return replicas;
}

struct replicas replicas_prepare(void)
{
	return replicas_prepare_with("");
}

struct sluice *replicas_add(const struct replicas *replicas, const char *rest)
{
	return sluice_start("backends:\n"
			    "  sim: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
			    "  dead: { url: 'http://127.0.0.1:1/v1', breaker: { enabled: false } }\n"
			    "redis: { servers: [127.0.0.1:%d], budget: 5s }\n"
			    "%s",
			    replicas->sim->port, replicas->redis->port, rest);
}

struct sluice *replicas_add_hasty(const struct replicas *replicas, int redis_port, const struct haste *haste,
				  const char *rest)
{
	return sluice_start("backends:\n"
			    "  sim:\n"
			    "    url: 'http://127.0.0.1:%d/v1'\n"
			    "    breaker: { enabled: false }\n"
			    "    timeouts: { first_content: %s, idle: %s, total: 60s }\n"
			    "redis: { servers: [127.0.0.1:%d], budget: %s }\n"
			    "%s",
			    replicas->sim->port, haste->silence, haste->silence, redis_port, haste->budget, rest);
}

void replicas_wait_up(const struct sluice *sluice)
{
	struct patience patience = patience_for("sluice_redis_up");
	while (sluice_metric(sluice, "sluice_redis_up") != 1 ||
	       sluice_metric(sluice, "sluice_redis_connections") < sluice->workers)
		patience_wait(&patience);
}

struct replicas replicas_start(const char *rest)
{
	return replicas_start_with("", rest);
}

struct replicas replicas_start_with(const char *redis, const char *rest)
{
	struct replicas replicas = replicas_prepare_with(redis);
	for (int i = 0; i < REPLICAS; i++) {
		replicas.each[i] = replicas_add(&replicas, rest);
		replicas_wait_up(replicas.each[i]);
	}
	return replicas;
}

double replicas_redis(const struct replicas *replicas, int replica, const char *result)
{
	char sample[96];
	snprintf(sample, sizeof sample, "sluice_cache_redis_total{result=\"%s\"}", result);
	return sluice_metric(replicas->each[replica], sample);
}

void replicas_await(const struct replicas *replicas, int replica, const char *result, double count)
{
	struct patience patience = patience_for(result);
	while (replicas_redis(replicas, replica, result) < count)
		patience_wait(&patience);
}

size_t replicas_answers(const struct replicas *replicas, char name[REPLICAS_NAME_MOST])
{
	const char *text = redis_process_say(replicas->redis, "KEYS sluice:1:*}");
	size_t count = strtoul(text + 1, NULL, 10);
	const char *at = strstr(text, "sluice:1:");
	if (count > 0 && name != NULL) {
		assert_non_null(at);
		snprintf(name, REPLICAS_NAME_MOST, "%.*s", (int)strcspn(at, "\r"), at);
	}
	return count;
}

void replicas_wait_sharing(const struct replicas *replicas, const char *model)
{
	static unsigned serial;
	struct patience patience = patience_for("an answer of one replica to be given by the other one");
	for (bool given = false; !given;) {
		struct answer answer;
		char members[64];
		snprintf(members, sizeof members, CACHED_ZERO ",\"min_tokens\":%u", ++serial);
		const char *body = cached_body(model, false, members);
		double stored = replicas_redis(replicas, 0, "stored");
		cached_ask(replicas->each[0], "", body, &answer);
		answer_free(&answer);
		for (int look = 0; look < 50 && replicas_redis(replicas, 0, "stored") == stored; look++)
			patience_wait(&patience);
		cached_ask(replicas->each[1], "Cache-Control: only-if-cached\r\n", body, &answer);
		given = answer.status == 200;
		answer_free(&answer);
		patience_wait(&patience);
	}
}

void replicas_wait_idle(const struct replicas *replicas)
{
	sim_wait_idle(replicas->sim);
	for (int i = 0; i < REPLICAS; i++)
		sluice_wait_idle(replicas->each[i]);
	redis_process_await(replicas->redis, "KEYS *:lease", "*0");
	redis_process_await(replicas->redis, "KEYS *:lease:stream", "*0");
}
