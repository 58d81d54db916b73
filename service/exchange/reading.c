/* SPDX-License-Identifier: MIT */
/*
 * Reading by helper threads; reading.h holds the contract. The job owns all that is touched: it holds the body, has an
 * arena, and copies what it needs of the request's fields. Only the loop looks at the exchange.
 */
#include "service/exchange/reading.h"

#include <stdlib.h>

#include "service/flights/decoded.h"
#include "service/exchange/embedding.h"
#include "service/exchange/exchange_internal.h"
#include "service/loop/offload.h"

enum {
	READING_OVERHEAD = 1 << 20, /* bytes of texts for findings, and what blocks leave unused */
	READING_IN_TURN = 4096,     /* values and names of members */
};

struct reading_job {
	struct offload_job job; /* first */
	const struct exchange_kind *kind;
	struct exchange *exchange; /* the loop's */
	struct reading reading;
	struct decoded *decoded;
};

void reading_init(struct reading *reading, const struct exchange *exchange, const struct exchange_request *request)
{
	*reading = (struct reading){.config = exchange->worker->flights.plan.config,
				    .endpoint = request->endpoint,
				    .limits = exchange->worker->flights.plan.config->limits.json,
				    .body = request->body,
				    .tenant = request->authorization,
				    .caches = exchange->worker->flights.cache != NULL &&
					      !exchange->caching.directives.no_store};
}

void reading_limit(struct reading *reading)
{
	if (reading->limits.values > READING_IN_TURN)
		reading->limits.values = READING_IN_TURN;
}

bool reading_is_heavy(const struct reading *reading)
{
	return reading->findings.count > 0 && reading->findings.list[0].code == ERROR_BODY_TOO_LARGE &&
	       reading->limits.values < reading->config->limits.json.values;
}

void reading_fini(struct reading *reading)
{
	if (reading->embedding != NULL)
		embedding_destroy(reading->embedding);
	reading->embedding = NULL;
}

static void job_free(struct reading_job *job)
{
	reading_fini(&job->reading);
	decoded_drop(job->decoded);
	free(job);
}

/* On a helper thread. */
static void on_work(struct offload_job *offloaded)
{
	struct reading_job *job = (struct reading_job *)offloaded;
	job->kind->read(&job->reading);
	if (job->reading.keyed) /* its flight may be shared */
		hash_checksum(HASH_START, job->reading.body, job->decoded->checksum);
}

static void on_done(struct offload_job *offloaded)
{
	struct reading_job *job = (struct reading_job *)offloaded;
	struct exchange *exchange = job->exchange;
	exchange->reading = NULL;
	if (job->job.refused)
		finding_only(&job->reading.findings, (struct finding){.code = ERROR_OVERLOADED});
	exchange_on_read(exchange, &job->reading, job->decoded);
	job_free(job);
}

static void on_discard(struct offload_job *offloaded)
{
	job_free((struct reading_job *)offloaded);
}

/* Nodes and escaped texts of the body, and of the one that is nested in a fan-out's. */
static size_t arena_most(const struct exchange *exchange, size_t body)
{
	size_t documents = exchange->kind == &exchange_fanout ? 2 : 1;
	size_t nodes = exchange->worker->flights.plan.config->limits.json.values * sizeof(struct json_node);
	return documents * (nodes + 2 * body) + READING_OVERHEAD;
}

bool reading_begin(struct exchange *exchange, const struct reading *reading)
{
	struct reading_job *job = malloc(sizeof(*job));
	struct bytes *body = job == NULL ? NULL : exchange->to.ops->hold_body(exchange->to.client);
	if (body == NULL) {
		free(job);
		return false;
	}
	job->decoded = decoded_create(body, arena_most(exchange, reading->body.len));
	if (job->decoded == NULL) {
		free(job);
		return false;
	}
	arena_charge(&job->decoded->arena, exchange->party);
	job->kind = exchange->kind;
	job->exchange = exchange;
	job->reading = (struct reading){.config = reading->config,
					.endpoint = reading->endpoint,
					.limits = reading->config->limits.json,
					.body = reading->body,
					.caches = reading->caches,
					.apart = true};
	job->reading.arena = &job->decoded->arena;
	job->reading.request = &job->decoded->request;
	job->reading.tenant = arena_copy(&job->decoded->arena, reading->tenant);
	job->job = (struct offload_job){.work = on_work,
					.done = on_done,
					.discard = on_discard,
					.kind = METRICS_OFFLOAD_DECODE,
					.owner = exchange->owner,
					.bytes = reading->body.len};
	exchange->reading = job;
	offload_submit(exchange->worker->flights.plan.offload, &job->job);
	return true;
}

void reading_cancel(struct exchange *exchange)
{
	struct reading_job *job = exchange->reading;
	exchange->reading = NULL;
	if (job != NULL)
		offload_cancel(&job->job);
}
