/* SPDX-License-Identifier: MIT */
/* The complete answer of a shared flight on its way into the cache; shared_internal.h holds the contract. */
#include <time.h>

#include "lib/ledger.h"
#include "lib/step.h"
#include "schemas/dialect.h"
#include "service/flights/shared_internal.h"
#include "service/flights/whole.h"
#include "service/loop/offload.h"

enum { SHARED_KEPT_IN_TURN = 256 << 10 /* bytes of events; more are put together by a helper */ };

/* Why the answer, the body of entry, is not kept, or that it can be; fills in what else its body tells. */
static enum keep_result judge_answer(const struct shared *shared, const struct whole *whole, struct cache_entry *entry,
				     struct arena *scratch)
{
	const struct config_cache_rule *rule = shared->keeping.rule;
	if (whole->events.begun && !shared->convertible)
		return KEEP_RESULT_FORM;
	if (entry->body.len > shared->worker->plan.config->cache.entry)
		return KEEP_RESULT_TOO_LARGE;
	if (whole->joined || !plan_is_first_choice(shared->plan, whole->target))
		return KEEP_RESULT_STAND_IN;
	const struct dialect *dialect = whole->dialect;
	struct json json;
	struct deltas deltas;
	if (!event_parse(entry->body, scratch, &json) ||
	    !dialect->answer_is_keepable(&json, rule->finish == CONFIG_CACHE_ANY))
		return KEEP_RESULT_UNFINISHED;
	if (dialect->deltas_read(&json, scratch, &deltas))
		entry->finish = deltas_finish(&deltas);
	entry->marks = dialect->replay_marks(&json);
	return KEEP_RESULT_YES;
}

static enum keep_result kept_of(enum cache_adopted adopted)
{
	static const enum keep_result results[] = {[CACHE_ADOPTED] = KEEP_RESULT_YES,
						   [CACHE_PURGED] = KEEP_RESULT_PURGED,
						   [CACHE_NOT_ONE] = KEEP_RESULT_NO_MEMORY};
	return results[adopted];
}

enum keep_result shared_keep_entry(const struct shared *shared, const struct cache_keeping *keeping,
				   const struct cache_entry *entry)
{
	return kept_of(cache_keep(shared->worker->cache, keeping, entry));
}

/* ---- the whole answer ---- */

/* Returns whether all events are in the log still, which those of an answer that can be kept are. */
static bool is_all_there(const struct shared *shared)
{
	return shared->log.bytes <= SHARED_MOST && shared->log.gone == 0;
}

void shared_stop_assembling(struct shared *shared)
{
	shared->assembly = SHARED_ASSEMBLES_NOT;
	if (shared->whole != NULL)
		whole_fini(shared->whole);
	free(shared->whole);
	shared->whole = NULL;
}

void shared_assemble(struct shared *shared, const struct event *event)
{
	bool wanted = event->kind == EVENT_CHUNK || event->kind == EVENT_USAGE;
	if (shared->assembly == SHARED_ASSEMBLES_NOT || !wanted)
		return;
	if (shared->assembly == SHARED_ASSEMBLES_NOTHING_YET) {
		shared->whole = malloc(sizeof(*shared->whole));
		if (shared->whole != NULL)
			whole_init(shared->whole, shared->request, SHARED_MOST, shared->party);
		shared->assembly = SHARED_ASSEMBLES;
	}
	if (shared->whole != NULL)
		whole_add(shared->whole, event);
	if (shared->whole == NULL || shared->whole->events.assembly.exhausted ||
	    shared->log.bytes > SHARED_KEPT_IN_TURN)
		shared_stop_assembling(shared);
}

/* An answer on its way into the cache. */
struct gathered {
	struct whole whole; /* of the log, when it was not put together as it came */
	struct buf body;
	struct arena scratch;
	struct cache_entry entry;
	enum keep_result kept; /* KEEP_RESULT_YES: it can be */
};

/* Returns the answer, which end completes: it is not in the log yet, as what is held; NULL when it is not all there. */
static struct whole *complete_answer(const struct shared *shared, const struct flight_record *end, struct whole *room)
{
	struct whole *whole = shared->whole != NULL ? shared->whole : room;
	if (!is_all_there(shared))
		return NULL;
	for (const struct flight_record *at = shared->log.first; at != NULL && whole == room; at = at->next)
		whole_add(whole, &at->event);
	if (shared->held != NULL)
		whole_add(whole, &shared->held->event);
	whole_add(whole, &end->event);
	return whole;
}

/* Thread-safe while nothing is appended. */
static void gather_answer(const struct shared *shared, const struct flight_record *end, struct gathered *gathered)
{
	arena_init(&gathered->scratch, 0);
	whole_init(&gathered->whole, shared->request, SHARED_MOST, LEDGER_NOBODY); /* for a moment */
	buf_init(&gathered->body, (size_t)SHARED_MOST * 2);
	gathered->entry = (struct cache_entry){.endpoint = shared->request->endpoint, .created = time(NULL)};
	gathered->kept = shared->log.bytes > SHARED_MOST ? KEEP_RESULT_TOO_LARGE : KEEP_RESULT_NO_MEMORY;
	struct whole *whole = complete_answer(shared, end, &gathered->whole);
	bool written = whole != NULL && whole_write(whole, &gathered->body);
	gathered->entry.body = buf_span(&gathered->body);
	if (whole == NULL)
		return;
	if (written)
		gathered->kept = judge_answer(shared, whole, &gathered->entry, &gathered->scratch);
	else if (whole->events.assembly.failed && !whole->events.assembly.too_large &&
		 !whole->events.assembly.exhausted)
		gathered->kept = KEEP_RESULT_FORM;
	gathered->entry.usage = whole->usage;
	gathered->entry.target = whole->target == NULL ? SPAN("") : span_of(whole->target->target);
}

static void gathered_fini(struct gathered *gathered)
{
	buf_fini(&gathered->body);
	whole_fini(&gathered->whole);
	arena_fini(&gathered->scratch);
}

/* ---- keeping ---- */

void shared_count_kept(const struct shared *shared, enum keep_result kept, size_t count)
{
	static const enum metrics_kept labels[] = {[KEEP_RESULT_YES] = METRICS_KEPT_YES,
						   [KEEP_RESULT_TOO_LARGE] = METRICS_KEPT_TOO_LARGE,
						   [KEEP_RESULT_UNFINISHED] = METRICS_KEPT_UNFINISHED,
						   [KEEP_RESULT_STAND_IN] = METRICS_KEPT_STAND_IN,
						   [KEEP_RESULT_FORM] = METRICS_KEPT_FORM,
						   [KEEP_RESULT_NO_MEMORY] = METRICS_KEPT_NO_MEMORY,
						   [KEEP_RESULT_PURGED] = METRICS_KEPT_PURGED};
	metrics_add(shared->worker->plan.metrics, count, METRIC_CACHE_KEPT, shared->options.model_index, labels[kept]);
}

void shared_renew(const struct shared *shared, const struct cache_keeping *keeping, enum keep_result kept)
{
	if (keeping->renews && kept != KEEP_RESULT_YES && kept != KEEP_RESULT_STAND_IN && kept != KEEP_RESULT_PURGED)
		cache_renew(shared->worker->cache, keeping, 0);
}

/* Counts what became of an answer of so many bytes. True when it is kept. */
static bool note_kept(const struct shared *shared, enum keep_result kept, size_t bytes)
{
	const struct flight_worker *worker = shared->worker;
	shared_renew(shared, &shared->keeping, kept);
	if (kept == KEEP_RESULT_YES)
		metrics_add(worker->plan.metrics, bytes, METRIC_CACHE_STORED_BYTES, shared->options.model_index);
	shared_count_kept(shared, kept, 1);
	return kept == KEEP_RESULT_YES;
}

bool shared_keep(struct shared *shared, const struct flight_record *end)
{
	struct gathered gathered;
	if (shared->batch != NULL) {
		shared_batch_keep(shared);
		return false; /* not as a whole */
	}
	struct step_mark before = step_enter("keep");
	gather_answer(shared, end, &gathered);
	enum keep_result kept = gathered.kept;
	if (kept == KEEP_RESULT_YES)
		kept = shared_keep_entry(shared, &shared->keeping, &gathered.entry);
	note_kept(shared, kept, gathered.entry.body.len);
	gathered_fini(&gathered);
	step_leave(before);
	return kept == KEEP_RESULT_YES;
}

/* ---- by a helper ---- */

struct keep_job {
	struct offload_job job; /* first */
	struct shared *shared;  /* held */
	struct flight_record *end;
	bool shares;
	enum keep_result kept;
	size_t bytes; /* of the body */
	bool packs;
	struct cache_packed packed;
};

/* On a helper thread. The log stands still: the flight waits for this before anything is appended. */
static void keep_work(struct offload_job *offloaded)
{
	struct keep_job *job = (struct keep_job *)offloaded;
	struct gathered gathered;
	gather_answer(job->shared, job->end, &gathered);
	job->kept = gathered.kept;
	job->bytes = gathered.entry.body.len;
	job->packs = job->kept == KEEP_RESULT_YES;
	if (job->packs)
		cache_pack(&job->shared->keeping, &gathered.entry, job->shares, &job->packed);
	gathered_fini(&gathered);
}

static void keep_done(struct offload_job *offloaded)
{
	struct keep_job *job = (struct keep_job *)offloaded;
	struct shared *shared = job->shared;
	if (job->job.refused)
		job->kept = KEEP_RESULT_NO_MEMORY;
	if (job->packs)
		job->kept = kept_of(cache_keep_packed(shared->worker->cache, &shared->keeping, &job->packed));
	bool kept = note_kept(shared, job->kept, job->bytes);
	shared_on_kept(shared, job->end, kept);
	if (job->packs)
		cache_packed_fini(&job->packed);
	free(job);
	shared_release(shared);
}

bool shared_keep_apart(struct shared *shared, struct flight_record *end)
{
	struct offload_port *port = shared->worker->plan.offload;
	size_t bytes = shared->log.bytes + (shared->held == NULL ? 0 : shared->held->behind);
	struct keep_job *job = NULL;
	if (shared->batch != NULL)
		return shared_batch_keep_apart(shared, end);
	if (port != NULL && bytes > SHARED_KEPT_IN_TURN && bytes <= SHARED_MOST)
		job = calloc(1, sizeof(*job));
	if (job == NULL)
		return false;
	shared_hold(shared);
	job->shared = shared;
	job->end = end;
	job->shares = shared->worker->cache->remote != NULL;
	job->job = (struct offload_job){.work = keep_work,
					.done = keep_done,
					.kind = OFFLOAD_KEEP,
					.owner = {shared->request->network, shared->request->identity},
					.bytes = bytes * 2};
	offload_submit(port, &job->job);
	return true;
}
