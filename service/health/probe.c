/* SPDX-License-Identifier: MIT */
/*
 * A probe is a timer and at most one call. The timer bounds the call while there
 * is one, and is the time until the next otherwise. The status decides: the
 * body is only read so that the connection can be kept, and not far.
 */
#include "service/health/probe.h"

#include <stdlib.h>

#include "lib/container.h"
#include "lib/random.h"
#include "schemas/metrics.h"
#include "service/health/health.h"

enum {
	PROBE_LONGEST_US = 5000000,  /* a longer wait for an answer is no life */
	PROBE_BODY_BYTES = 64 * 1024 /* a model list is read to its end; a stream by mistake is not */
};

struct probe {
	struct prober *prober;
	size_t backend;
	struct timer timer;
	struct http_call *call; /* NULL = none under way */
	uint64_t asked_us;
	size_t body_bytes;
	bool alive; /* its head said so */
};

struct prober {
	struct prober_options options;
	size_t count;
	struct probe probes[];
};

static const struct config_probe *probe_config(const struct probe *probe)
{
	return &probe->prober->options.config->backends[probe->backend].probe;
}

static struct timers *probe_timers(const struct probe *probe)
{
	return &probe->prober->options.reactor->timers;
}

static void probe_on_due(struct timer *timer);

/* Without memory for a timer the backend is not asked any more: it is judged by its calls, as without a probe. */
static void probe_wait(struct probe *probe, uint64_t delay_us)
{
	timer_start(probe_timers(probe), &probe->timer, delay_us, probe_on_due);
}

/* 0.9 to 1.1 of the configured time. */
static uint64_t probe_period_us(const struct probe *probe)
{
	uint64_t every_us = probe_config(probe)->every_us;
	return every_us - every_us / 10 + random_u64() % (every_us / 5 + 1);
}

static void probe_settle(struct probe *probe, bool alive)
{
	const struct prober_options *options = &probe->prober->options;
	uint64_t now_us = timers_now(probe_timers(probe));
	uint64_t next_us = probe->asked_us + probe_period_us(probe);
	probe->call = NULL;
	metrics_count(options->metrics, METRIC_PROBES, probe->backend,
		      alive ? METRICS_PROBE_ALIVE : METRICS_PROBE_DEAD);
	probe_wait(probe, next_us > now_us ? next_us - now_us : 0);
	health_probed(options->health, probe->backend, alive, now_us);
}

static void probe_on_head(void *context, const struct http_head *head)
{
	struct probe *probe = context;
	probe->alive = head->status >= 200 && head->status < 300;
}

static void probe_cancel(struct probe *probe)
{
	http_call_cancel(probe->call);
	probe->call = NULL;
}

static void probe_on_body(void *context, struct span bytes)
{
	struct probe *probe = context;
	probe->body_bytes += bytes.len;
	if (probe->body_bytes <= PROBE_BODY_BYTES)
		return;
	probe_cancel(probe);
	probe_settle(probe, probe->alive);
}

static void probe_on_done(void *context, const struct http_call_result *result)
{
	struct probe *probe = context;
	probe_settle(probe, result->error == ERROR_NONE && probe->alive);
}

static void probe_ask(struct probe *probe)
{
	static const struct http_call_ops ops = {
	    .on_head = probe_on_head, .on_body = probe_on_body, .on_done = probe_on_done};
	uint64_t every_us = probe_config(probe)->every_us;
	struct http_call_request request = {.path = probe_config(probe)->path, .get = true};
	probe->asked_us = timers_now(probe_timers(probe));
	probe->alive = false;
	probe->body_bytes = 0;
	probe_wait(probe, every_us < PROBE_LONGEST_US ? every_us : PROBE_LONGEST_US);
	probe->call = http_call_start(probe->prober->options.origins[probe->backend], &request, &ops, probe);
}

static void probe_on_due(struct timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);
	if (probe->call == NULL) {
		probe_ask(probe); /* out of memory: the timer runs, and asks again */
		return;
	}
	probe_cancel(probe);
	probe_settle(probe, false);
}

struct prober *prober_create(const struct prober_options *options)
{
	size_t most = options->config->backend_count;
	struct prober *prober = calloc(1, sizeof(*prober) + most * sizeof(struct probe));
	if (prober == NULL)
		return NULL;
	prober->options = *options;
	for (size_t i = 0; i < most; i++) {
		if (options->config->backends[i].probe.path == NULL)
			continue;
		struct probe *probe = &prober->probes[prober->count++];
		probe->prober = prober;
		probe->backend = i;
		probe_wait(probe, random_u64() % (probe_config(probe)->every_us + 1));
	}
	return prober;
}

void prober_destroy(struct prober *prober)
{
	if (prober == NULL)
		return;
	for (size_t i = 0; i < prober->count; i++) {
		struct probe *probe = &prober->probes[i];
		timer_stop(probe_timers(probe), &probe->timer);
		if (probe->call != NULL)
			probe_cancel(probe);
	}
	free(prober);
}
