/* SPDX-License-Identifier: MIT */
/* The complete answer of a shared flight goes into the cache, when the rule for it says so. */
#include <time.h>

#include "lib/step.h"
#include "schemas/openai_caching.h"
#include "service/exchange/report.h"
#include "service/exchange/shared_internal.h"
#include "service/exchange/whole.h"

/* Why the answer, the body of entry, is not kept, or that it can be; fills in what else its body tells. */
static enum metrics_kept shared_judge(const struct shared *shared, const struct whole *whole, struct cache_entry *entry,
				      struct arena *scratch)
{
	const struct config_cache_rule *rule = shared->keeping.rule;
	if (whole->streamed && !shared->convertible)
		return METRICS_KEPT_FORM;
	if (entry->body.len > shared->worker->plan.config->cache.entry)
		return METRICS_KEPT_TOO_LARGE;
	if (whole->joined || !plan_is_first_choice(shared->plan, whole->target))
		return METRICS_KEPT_STAND_IN;
	entry->finish = openai_finish_reason(entry->body, scratch);
	bool keepable = openai_answer_is_keepable(entry->body, rule->finish == CONFIG_CACHE_ANY, scratch) &&
			openai_replay_mark(entry->body, scratch, &entry->marks);
	return keepable ? METRICS_KEPT_YES : METRICS_KEPT_UNFINISHED;
}

enum metrics_kept shared_keep_entry(const struct shared *shared, const struct cache_keeping *keeping,
				    const struct cache_entry *entry)
{
	static const enum metrics_kept results[] = {[CACHE_ADOPTED] = METRICS_KEPT_YES,
						    [CACHE_PURGED] = METRICS_KEPT_PURGED,
						    [CACHE_NOT_ONE] = METRICS_KEPT_NO_MEMORY};
	return results[cache_keep(shared->worker->cache, keeping, entry)];
}

static bool keep(struct shared *shared)
{
	if (shared->batch != NULL) {
		shared_batch_keep(shared);
		return false; /* not as a whole */
	}
	const struct exchange_worker *worker = shared->worker;
	struct cache_entry entry = {.endpoint = shared->request.endpoint, .created = time(NULL)};
	enum metrics_kept kept = METRICS_KEPT_TOO_LARGE;
	struct arena scratch;
	struct whole whole;
	struct buf body;
	arena_init(&scratch, 0);
	whole_init(&whole, SHARED_MOST);
	buf_init(&body, (size_t)SHARED_MOST * 2);
	for (const struct record *at = shared->log.bytes > SHARED_MOST ? NULL : shared->log.first; at != NULL;
	     at = at->next)
		whole_add(&whole, &at->event);
	bool written = whole_write(&whole, &body);
	entry.body = buf_span(&body);
	if (written)
		kept = shared_judge(shared, &whole, &entry, &scratch);
	entry.usage = whole.usage;
	entry.target = whole.target == NULL ? SPAN("") : span_of(whole.target->target);
	if (kept == METRICS_KEPT_YES)
		kept = shared_keep_entry(shared, &shared->keeping, &entry);
	if (shared->keeping.renews &&
	    (kept == METRICS_KEPT_FORM || kept == METRICS_KEPT_TOO_LARGE || kept == METRICS_KEPT_UNFINISHED))
		cache_renew(worker->cache, &shared->keeping, 0);
	if (kept == METRICS_KEPT_YES)
		metrics_add(worker->plan.metrics, entry.body.len, METRIC_CACHE_STORED_BYTES,
			    shared->keeping.tags.model);
	metrics_count(worker->plan.metrics, METRIC_CACHE_KEPT, shared->keeping.tags.model, kept);
	buf_fini(&body);
	whole_fini(&whole);
	arena_fini(&scratch);
	return kept == METRICS_KEPT_YES;
}

bool shared_keep(struct shared *shared)
{
	struct step_mark before = step_enter("keep");
	bool kept = keep(shared);
	step_leave(before);
	return kept;
}
