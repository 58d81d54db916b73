/* SPDX-License-Identifier: MIT */
/* Two rings under one lock; purge_log.h holds the contract. */
#include "service/cache/purge_log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/hash.h"

enum {
	LOG_RECORDS = 4096,  /* of each kind */
	LOG_RENEWED = 16384, /* a power of two */
	LOG_LISTED = 64,     /* keys of one question that are looked for one by one */
};

struct record {
	uint64_t turn;      /* what began before is meant */
	uint64_t noted;     /* never before turn */
	struct purge_id id; /* zero = of this process, its id is not known */
	bool has_key, has_model, has_tenant;
	bool told; /* of this process, and a stream has told of it since */
	struct cache_key key;
	uint32_t model;
	uint64_t tenant;
	uint64_t except;
};

struct ring {
	struct record *records;
	uint64_t count;            /* noted so far: the next one goes to count % LOG_RECORDS */
	uint64_t forgotten_turn;   /* of the last record that was written over */
	struct purge_id forgotten; /* up to there nothing is known */
	struct purge_id seen;
	atomic_bool heard;
	bool restarted;
	uint64_t before; /* records of before the stream began anew, whose ids tell nothing */
};

struct purge_log {
	pthread_mutex_t lock;
	_Atomic uint64_t turn;
	_Atomic uint64_t noted; /* turn of the last record */
	struct ring rings[PURGE_KINDS];
	uint16_t renewed[LOG_RENEWED]; /* renewals by hash of their key: most keys have none, and need no search */
};

bool purge_id_is_before(struct purge_id a, struct purge_id b)
{
	return a.ms != b.ms ? a.ms < b.ms : a.number < b.number;
}

bool purge_meets(const struct store_filter *filter, const struct purge_subject *subject)
{
	return (filter->key == NULL || cache_key_equal(filter->key, subject->key)) &&
	       (filter->model == NULL || *filter->model == subject->tags->model) &&
	       (filter->tenant == NULL || *filter->tenant == subject->tags->tenant) &&
	       (filter->except == NULL || *filter->except == 0 || *filter->except != subject->digest);
}

static bool record_meets(const struct record *record, bool renewal, const struct purge_subject *subject)
{
	const struct store_filter filter = {.key = record->has_key ? &record->key : NULL,
					    .model = record->has_model ? &record->model : NULL,
					    .tenant = record->has_tenant ? &record->tenant : NULL,
					    .except = renewal ? &record->except : NULL};
	return purge_meets(&filter, subject);
}

struct purge_log *purge_log_create(void)
{
	struct purge_log *log = calloc(1, sizeof(*log));
	if (log == NULL)
		return NULL;
	pthread_mutex_init(&log->lock, NULL);
	bool done = true;
	for (int kind = 0; kind < PURGE_KINDS; kind++) {
		log->rings[kind].records = calloc(LOG_RECORDS, sizeof(*log->rings[kind].records));
		done &= log->rings[kind].records != NULL;
	}
	if (done)
		return log;
	purge_log_destroy(log);
	return NULL;
}

void purge_log_destroy(struct purge_log *log)
{
	if (log == NULL)
		return;
	for (int kind = 0; kind < PURGE_KINDS; kind++)
		free(log->rings[kind].records);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

static void lock(struct purge_log *log)
{
	pthread_mutex_lock(&log->lock);
}

static void unlock(struct purge_log *log)
{
	pthread_mutex_unlock(&log->lock);
}

struct purge_mark purge_log_mark(struct purge_log *log)
{
	struct purge_mark mark = {.turn = 0};
	lock(log);
	mark.turn = ++log->turn;
	for (int kind = 0; kind < PURGE_KINDS; kind++)
		mark.seen[kind] = log->rings[kind].seen;
	unlock(log);
	return mark;
}

static uint16_t *renewed_of(struct purge_log *log, const struct cache_key *key)
{
	return &log->renewed[cache_key_hash(key) % LOG_RENEWED];
}

/* Under the lock. */
static void note(struct purge_log *log, enum purge_kind kind, struct purge_id id, const struct store_filter *filter)
{
	struct ring *ring = &log->rings[kind];
	struct record *record = &ring->records[ring->count % LOG_RECORDS];
	if (ring->count++ >= LOG_RECORDS) {
		ring->forgotten_turn = record->noted;
		if (kind == PURGE_KIND_RENEWAL && record->has_key)
			--*renewed_of(log, &record->key);
		if (purge_id_is_before(ring->forgotten, record->id))
			ring->forgotten = record->id;
	}
	uint64_t now = ++log->turn;
	*record = (struct record){.turn = filter->began == 0 ? now : filter->began,
				  .noted = now,
				  .id = id,
				  .has_key = filter->key != NULL,
				  .has_model = filter->model != NULL,
				  .has_tenant = filter->tenant != NULL,
				  .model = filter->model == NULL ? 0 : *filter->model,
				  .tenant = filter->tenant == NULL ? 0 : *filter->tenant,
				  .except = filter->except == NULL ? 0 : *filter->except};
	if (filter->key != NULL)
		record->key = *filter->key;
	if (filter->key != NULL && kind == PURGE_KIND_RENEWAL)
		++*renewed_of(log, filter->key);
	log->noted = now;
}

/* The records that are there, the newest first. */
static struct record *nth_newest(const struct ring *ring, uint64_t n)
{
	return n < ring->count && n < LOG_RECORDS ? &ring->records[(ring->count - 1 - n) % LOG_RECORDS] : NULL;
}

/* Noted by this process, which does not know its id. */
static bool is_own(const struct record *record)
{
	return record->id.ms == 0 && record->id.number == 0;
}

/* A stream tells of a renewal that this process noted before, when it made it; under the lock. */
static void set_told(struct purge_log *log, const struct store_filter *filter)
{
	const struct ring *ring = &log->rings[PURGE_KIND_RENEWAL];
	struct record *record;
	bool known = *renewed_of(log, filter->key) > 0;
	for (uint64_t n = 0; known && (record = nth_newest(ring, n)) != NULL; n++) {
		bool same = is_own(record) && !record->told && record->except == *filter->except &&
			    cache_key_equal(&record->key, filter->key);
		record->told |= same;
		known = !same;
	}
}

void purge_log_note(struct purge_log *log, const struct store_filter *filter)
{
	lock(log);
	note(log, filter->except != NULL ? PURGE_KIND_RENEWAL : PURGE_KIND_PURGE, (struct purge_id){0, 0}, filter);
	unlock(log);
}

bool purge_log_hear(struct purge_log *log, enum purge_kind kind, struct purge_id id, const struct store_filter *filter)
{
	lock(log);
	struct ring *ring = &log->rings[kind];
	bool is_new = purge_id_is_before(ring->seen, id);
	if (is_new && filter != NULL && kind == PURGE_KIND_RENEWAL)
		set_told(log, filter);
	if (is_new && filter != NULL)
		note(log, kind, id, filter);
	if (is_new)
		ring->seen = id;
	unlock(log);
	return is_new;
}

void purge_log_set_heard(struct purge_log *log, enum purge_kind kind, struct purge_id from)
{
	lock(log);
	if (purge_id_is_before(log->rings[kind].forgotten, from))
		log->rings[kind].forgotten = from;
	log->rings[kind].heard = true;
	unlock(log);
}

bool purge_log_is_heard(struct purge_log *log, enum purge_kind kind)
{
	return log->rings[kind].heard;
}

bool purge_log_hear_end(struct purge_log *log, enum purge_kind kind, struct purge_id asked, struct purge_id end)
{
	struct ring *ring = &log->rings[kind];
	if (!purge_id_is_before(end, asked))
		return false;
	lock(log);
	ring->seen = ring->forgotten = end;
	ring->restarted = true;
	ring->before = ring->count;
	unlock(log);
	return true;
}

struct purge_id purge_log_seen(struct purge_log *log, enum purge_kind kind)
{
	lock(log);
	struct purge_id seen = log->rings[kind].seen;
	unlock(log);
	return seen;
}

struct purge_id purge_log_last(struct purge_log *log, const struct purge_subject *subject)
{
	lock(log);
	const struct ring *ring = &log->rings[PURGE_KIND_PURGE];
	const struct record *record;
	struct purge_id last = ring->forgotten;
	for (uint64_t n = 0; (record = nth_newest(ring, n)) != NULL; n++) {
		if (!is_own(record) && record_meets(record, false, subject)) {
			last = record->id;
			break;
		}
	}
	unlock(log);
	return last;
}

/* Keys that may have renewals: up to LOG_LISTED, of more than that only how many. */
struct renewed {
	const struct cache_key *list[LOG_LISTED];
	size_t count;
};

static bool is_listed(const struct renewed *renewed, const struct cache_key *key)
{
	bool found = renewed->count > LOG_LISTED; /* then all of them count */
	for (size_t i = 0; i < renewed->count && !found; i++)
		found = cache_key_equal(renewed->list[i], key);
	return found;
}

uint64_t purge_log_renewals(struct purge_log *log, const struct cache_key *keys, size_t count)
{
	struct renewed renewed = {.count = 0};
	const struct record *record;
	uint64_t sum = 0; /* in any order */
	lock(log);
	for (size_t i = 0; i < count; i++) {
		if (*renewed_of(log, &keys[i]) == 0)
			continue;
		if (renewed.count < LOG_LISTED)
			renewed.list[renewed.count] = &keys[i];
		renewed.count++;
	}
	for (uint64_t n = 0; renewed.count > 0; n++) {
		record = nth_newest(&log->rings[PURGE_KIND_RENEWAL], n);
		if (record == NULL)
			break;
		if (!record->told && is_listed(&renewed, &record->key))
			sum += hash_mix(cache_key_hash(&record->key), record->except);
	}
	unlock(log);
	return sum;
}

static bool ring_forbids_keeping(const struct ring *ring, bool renewal, uint64_t turn,
				 const struct purge_subject *subject)
{
	const struct record *record;
	for (uint64_t n = 0; (record = nth_newest(ring, n)) != NULL && record->noted > turn; n++)
		if ((record->turn > turn || subject->taken) && record_meets(record, renewal, subject))
			return true;
	return !renewal && ring->forgotten_turn > turn;
}

bool purge_log_forbids_keeping(struct purge_log *log, uint64_t turn, const struct purge_subject *subject)
{
	bool forbidden = false;
	if (log->noted < turn)
		return false;
	lock(log);
	for (int kind = 0; kind < PURGE_KINDS && !forbidden; kind++)
		forbidden = ring_forbids_keeping(&log->rings[kind], kind == PURGE_KIND_RENEWAL, turn, subject);
	unlock(log);
	return forbidden;
}

/*
 * Of renewals that were forgotten nothing is assumed: only a call that ended long after one of its key, and began
 * before it, would be taken wrongly.
 */
static bool ring_forbids_taking(const struct ring *ring, bool renewal, struct purge_id mark,
				const struct purge_subject *subject)
{
	const struct record *record;
	bool unknown =
	    purge_id_is_before(mark, ring->forgotten) || (ring->restarted && purge_id_is_before(ring->seen, mark));
	if (!ring->heard || (unknown && !renewal))
		return true;
	for (uint64_t n = 0; n < ring->count - ring->before && (record = nth_newest(ring, n)) != NULL; n++) {
		bool own = is_own(record);
		bool relevant = own ? renewal : purge_id_is_before(mark, record->id);
		if (relevant && record_meets(record, renewal, subject) && !record->told)
			return true;
	}
	return false;
}

bool purge_log_forbids_taking(struct purge_log *log, const struct purge_mark *mark, const struct purge_subject *subject)
{
	bool forbidden = false;
	lock(log);
	for (int kind = 0; kind < PURGE_KINDS && !forbidden; kind++)
		forbidden =
		    ring_forbids_taking(&log->rings[kind], kind == PURGE_KIND_RENEWAL, mark->seen[kind], subject);
	unlock(log);
	return forbidden;
}
