/* SPDX-License-Identifier: MIT */
/* Stored responses in memory; response_store.h holds the contract. */
#include "service/responses/response_store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/ledger.h"

enum { BUCKETS = 4096, RECORD_OVERHEAD = 128 /* bytes of the allocator and of the tables */ };

struct tenant;

struct stored_response {
	atomic_uint holders;
	struct stored_response *next;             /* in its bucket */
	struct stored_response *newer, **in_line; /* of its tenant, oldest first */
	struct tenant *tenant;                    /* NULL = it is not in the table any more */
	bool shared;                              /* Redis has it, or had it */
	uint64_t expires_us;
	size_t bytes;
	struct span id, answer, input; /* all behind the record */
	char texts[];
};

/* Whoever has answers here. */
struct tenant {
	struct tenant *next;
	struct stored_response *oldest, **newest; /* where the next one goes */
	size_t bytes;
	size_t name_len;
	char name[];
};

struct response_store {
	pthread_mutex_t lock;
	struct stored_response *buckets[BUCKETS];
	struct tenant *tenants;
	size_t bytes;
};

struct response_store *response_store_create(void)
{
	struct response_store *store = calloc(1, sizeof(*store));
	if (store != NULL)
		pthread_mutex_init(&store->lock, NULL);
	return store;
}

/* ---- records ---- */

static struct span copy(char **at, struct span text)
{
	char *start = *at;
	if (text.len > 0)
		memcpy(start, text.at, text.len);
	*at += text.len;
	return (struct span){start, text.len};
}

/* more: bytes that it is counted for besides. */
static struct stored_response *make_record(struct span id, struct span answer, struct span input, size_t more)
{
	size_t texts = id.len + answer.len + input.len;
	struct stored_response *record = malloc(sizeof(*record) + texts);
	if (record == NULL)
		return NULL;
	char *at = record->texts;
	memset(record, 0, sizeof(*record));
	atomic_init(&record->holders, 1);
	record->bytes = sizeof(*record) + texts + more + RECORD_OVERHEAD;
	record->id = copy(&at, id);
	record->answer = copy(&at, answer);
	record->input = copy(&at, input);
	ledger_evicted_add(record->bytes);
	return record;
}

void stored_response_drop(struct stored_response *record)
{
	if (record == NULL || atomic_fetch_sub(&record->holders, 1) > 1)
		return;
	ledger_evicted_remove(record->bytes);
	free(record);
}

struct span stored_response_answer(const struct stored_response *record)
{
	return record->answer;
}

struct span stored_response_input(const struct stored_response *record)
{
	return record->input;
}

/* ---- the table; with the lock ---- */

static struct stored_response **bucket_of(struct response_store *store, struct span id)
{
	return &store->buckets[hash_bytes(HASH_START, id) % BUCKETS];
}

static bool is_of(const struct stored_response *record, struct span tenant)
{
	return span_equal((struct span){record->tenant->name, record->tenant->name_len}, tenant);
}

/* Takes a tenant without answers out. */
static void forget_tenant(struct response_store *store, struct tenant *tenant)
{
	struct tenant **link = &store->tenants;
	while (*link != tenant)
		link = &(*link)->next;
	*link = tenant->next;
	free(tenant);
}

/* Takes a record out of the table; returns whether its tenant is still there. */
static bool take_out(struct response_store *store, struct stored_response *record)
{
	struct tenant *tenant = record->tenant;
	struct stored_response **link = bucket_of(store, record->id);
	while (*link != record)
		link = &(*link)->next;
	*link = record->next;
	*record->in_line = record->newer;
	if (record->newer != NULL)
		record->newer->in_line = record->in_line;
	else
		tenant->newest = record->in_line;
	tenant->bytes -= record->bytes;
	store->bytes -= record->bytes;
	record->tenant = NULL;
	stored_response_drop(record);
	if (tenant->oldest != NULL)
		return true;
	forget_tenant(store, tenant);
	return false;
}

/* Returns the record, unless it has expired. */
static struct stored_response *find(struct response_store *store, struct span id, uint64_t now_us)
{
	struct stored_response *at = *bucket_of(store, id);
	while (at != NULL && !span_equal(at->id, id))
		at = at->next;
	if (at == NULL || at->expires_us > now_us)
		return at;
	take_out(store, at);
	return NULL;
}

/* Takes out what has expired; records of a tenant expire in their order, as long as the limit stays the same. */
static void expire(struct response_store *store, uint64_t now_us)
{
	for (struct tenant *next, *at = store->tenants; at != NULL; at = next) {
		next = at->next;
		while (at->oldest != NULL && at->oldest->expires_us <= now_us)
			if (!take_out(store, at->oldest))
				break;
	}
}

static struct tenant *need_tenant(struct response_store *store, struct span name)
{
	for (struct tenant *at = store->tenants; at != NULL; at = at->next)
		if (span_equal((struct span){at->name, at->name_len}, name))
			return at;
	struct tenant *tenant = malloc(sizeof(*tenant) + name.len);
	if (tenant == NULL)
		return NULL;
	*tenant = (struct tenant){.next = store->tenants, .name_len = name.len};
	tenant->newest = &tenant->oldest;
	if (name.len > 0)
		memcpy(tenant->name, name.at, name.len);
	return store->tenants = tenant;
}

static struct tenant *largest(const struct response_store *store)
{
	struct tenant *most = store->tenants;
	for (struct tenant *at = store->tenants; at != NULL; at = at->next)
		if (at->bytes > most->bytes)
			most = at;
	return most;
}

/* Puts the record in its place; takes it. */
static void put_in(struct response_store *store, struct stored_response *record, struct tenant *tenant)
{
	struct stored_response **bucket = bucket_of(store, record->id);
	record->tenant = tenant;
	record->next = *bucket;
	*bucket = record;
	record->in_line = tenant->newest;
	*tenant->newest = record;
	tenant->newest = &record->newer;
	tenant->bytes += record->bytes;
	store->bytes += record->bytes;
}

/* Makes room: of what was just put in nothing is taken out, as it is less than any bound. */
static void make_room(struct response_store *store, const struct response_store_limits *limits, struct tenant *tenant)
{
	while (tenant->bytes > limits->tenant_size)
		take_out(store, tenant->oldest);
	while (store->bytes > limits->size)
		take_out(store, largest(store)->oldest);
}

/* ---- what others call ---- */

void response_store_put(struct response_store *store, const struct response_store_limits *limits, struct span tenant,
			struct span id, struct span answer, struct span input, uint64_t now_us)
{
	size_t most = limits->tenant_size < limits->size ? limits->tenant_size : limits->size;
	struct stored_response *record = make_record(id, answer, input, tenant.len); /* it may be the only one */
	if (record == NULL || record->bytes > most) {
		stored_response_drop(record);
		return;
	}
	record->expires_us = now_us + limits->ttl_us;
	pthread_mutex_lock(&store->lock);
	expire(store, now_us);
	struct stored_response *before = find(store, id, now_us);
	struct tenant *owner = before != NULL && !is_of(before, tenant) ? NULL : need_tenant(store, tenant);
	if (owner != NULL) {
		put_in(store, record, owner);
		if (before != NULL)
			take_out(store, before);
		make_room(store, limits, owner);
	}
	pthread_mutex_unlock(&store->lock);
	if (owner == NULL)
		stored_response_drop(record);
}

struct stored_response *response_store_get(struct response_store *store, struct span tenant, struct span id,
					   uint64_t now_us)
{
	pthread_mutex_lock(&store->lock);
	struct stored_response *record = find(store, id, now_us);
	if (record != NULL && !is_of(record, tenant))
		record = NULL;
	if (record != NULL)
		atomic_fetch_add(&record->holders, 1);
	pthread_mutex_unlock(&store->lock);
	return record;
}

bool response_store_remove(struct response_store *store, struct span tenant, struct span id, uint64_t now_us)
{
	pthread_mutex_lock(&store->lock);
	struct stored_response *record = find(store, id, now_us);
	bool removed = record != NULL && is_of(record, tenant);
	if (removed)
		take_out(store, record);
	pthread_mutex_unlock(&store->lock);
	return removed;
}

void response_store_mark(struct response_store *store, struct span tenant, struct span id)
{
	pthread_mutex_lock(&store->lock);
	struct stored_response *record = find(store, id, 0);
	if (record != NULL && is_of(record, tenant))
		record->shared = true;
	pthread_mutex_unlock(&store->lock);
}

void response_store_unmark(struct response_store *store, struct span tenant, struct span id, uint64_t now_us)
{
	pthread_mutex_lock(&store->lock);
	struct stored_response *record = find(store, id, now_us);
	if (record != NULL && is_of(record, tenant) && record->shared)
		take_out(store, record);
	pthread_mutex_unlock(&store->lock);
}

size_t response_store_bytes(struct response_store *store)
{
	pthread_mutex_lock(&store->lock);
	size_t bytes = store->bytes;
	pthread_mutex_unlock(&store->lock);
	return bytes;
}

void response_store_destroy(struct response_store *store)
{
	if (store == NULL)
		return;
	for (struct tenant *next, *tenant = store->tenants; tenant != NULL; tenant = next) {
		next = tenant->next;
		for (struct stored_response *newer, *at = tenant->oldest; at != NULL; at = newer) {
			newer = at->newer;
			stored_response_drop(at);
		}
		free(tenant);
	}
	pthread_mutex_destroy(&store->lock);
	free(store);
}
