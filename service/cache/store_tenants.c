/* SPDX-License-Identifier: MIT */
/* Tenants in a ring, found by name in buckets; store_tenants.h holds the contract. */
#include "service/cache/store_tenants.h"

#include <stdlib.h>

#include "lib/ledger.h"

enum {
	TENANTS_LOOKED_AT = 8,
	TENANTS_EPOCH = 4 /* turnovers of the shard's bytes */
};

size_t store_entry_bytes(const struct store_entry *entry)
{
	return sizeof(*entry) + sizeof(*entry->value) + entry->value->len;
}

static void queue_add(struct store_queue *queue, struct store_entry *entry)
{
	entry->newer = NULL;
	entry->older = queue->newest;
	if (queue->newest == NULL)
		queue->oldest = entry;
	else
		queue->newest->newer = entry;
	queue->newest = entry;
	queue->bytes += store_entry_bytes(entry);
}

static void queue_remove(struct store_queue *queue, struct store_entry *entry)
{
	if (entry->newer == NULL)
		queue->newest = entry->older;
	else
		entry->newer->older = entry->older;
	if (entry->older == NULL)
		queue->oldest = entry->newer;
	else
		entry->older->newer = entry->newer;
	queue->bytes -= store_entry_bytes(entry);
}

static struct store_queue *queue_of(const struct store_entry *entry)
{
	return entry->main ? &entry->tenant->main : &entry->tenant->small;
}

static struct store_tenant **link_of(struct store_tenants *tenants, uint64_t name)
{
	struct store_tenant **link = &tenants->buckets[name % STORE_TENANT_BUCKETS];
	while (*link != NULL && (*link)->name != name)
		link = &(*link)->in_bucket;
	return link;
}

/* Stands just before the hand, so that all others are looked at first. */
static void ring_add(struct store_tenants *tenants, struct store_tenant *tenant)
{
	struct store_tenant *hand = tenants->hand;
	if (hand == NULL) {
		tenant->next = tenant->previous = tenant;
		tenants->hand = tenant;
		return;
	}
	tenant->next = hand;
	tenant->previous = hand->previous;
	hand->previous->next = tenant;
	hand->previous = tenant;
}

static void ring_remove(struct store_tenants *tenants, struct store_tenant *tenant)
{
	tenant->next->previous = tenant->previous;
	tenant->previous->next = tenant->next;
	if (tenants->hand == tenant)
		tenants->hand = tenant->next == tenant ? NULL : tenant->next;
}

/* Finds the tenant or makes it. NULL: out of memory. */
static struct store_tenant *tenant_open(struct store_tenants *tenants, uint64_t name)
{
	struct store_tenant **link = link_of(tenants, name);
	if (*link != NULL)
		return *link;
	struct store_tenant *tenant = calloc(1, sizeof(*tenant));
	if (tenant == NULL)
		return NULL;
	tenant->name = name;
	tenant->epoch = tenants->epoch;
	*link = tenant;
	ring_add(tenants, tenant);
	return tenant;
}

static void tenant_close(struct store_tenants *tenants, struct store_tenant *tenant)
{
	struct store_tenant **link = link_of(tenants, tenant->name);
	*link = tenant->in_bucket;
	ring_remove(tenants, tenant);
	free(tenant);
}

/* Hits count half after each epoch. */
static void tenant_age(const struct store_tenants *tenants, struct store_tenant *tenant)
{
	uint64_t passed = tenants->epoch - tenant->epoch;
	tenant->hits = passed < 64 ? tenant->hits >> passed : 0;
	tenant->epoch = tenants->epoch;
}

bool store_tenants_add(struct store_tenants *tenants, struct store_entry *entry)
{
	size_t bytes = store_entry_bytes(entry);
	entry->tenant = tenant_open(tenants, entry->value->tags.tenant);
	if (entry->tenant == NULL)
		return false;
	queue_add(queue_of(entry), entry);
	tenants->bytes += bytes;
	ledger_cache_add(bytes);
	tenants->fresh += bytes;
	if (tenants->fresh / TENANTS_EPOCH >= tenants->most) {
		tenants->fresh = 0;
		tenants->epoch++;
	}
	return true;
}

void store_tenants_remove(struct store_tenants *tenants, struct store_entry *entry)
{
	struct store_tenant *tenant = entry->tenant;
	tenants->bytes -= store_entry_bytes(entry);
	ledger_cache_remove(store_entry_bytes(entry));
	queue_remove(queue_of(entry), entry);
	if (tenant->small.oldest == NULL && tenant->main.oldest == NULL)
		tenant_close(tenants, tenant);
}

void store_tenants_move_to_main(struct store_entry *entry)
{
	queue_remove(queue_of(entry), entry);
	entry->main = true;
	entry->uses = 0;
	queue_add(&entry->tenant->main, entry);
}

void store_tenants_hit(struct store_tenants *tenants, struct store_entry *entry)
{
	tenant_age(tenants, entry->tenant);
	entry->tenant->hits++;
}

static size_t bytes_of(const struct store_tenant *tenant)
{
	return tenant->small.bytes + tenant->main.bytes;
}

struct store_tenant *store_tenants_victim(struct store_tenants *tenants)
{
	struct store_tenant *victim = tenants->hand;
	double most = 0;
	for (int i = 0; i < TENANTS_LOOKED_AT && tenants->hand != NULL; i++) {
		struct store_tenant *tenant = tenants->hand;
		tenants->hand = tenant->next;
		tenant_age(tenants, tenant);
		double cost = (double)bytes_of(tenant) / (double)(tenant->hits + 1);
		if (cost > most) {
			most = cost;
			victim = tenant;
		}
	}
	if (victim != NULL)
		tenants->hand = victim; /* it may have to give up more */
	return victim;
}
