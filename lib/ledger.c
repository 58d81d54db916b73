/* SPDX-License-Identifier: MIT */
/* Atomic numbers, of the process and of each party; ledger.h holds the contract. */
#include "lib/ledger.h"

#include <assert.h>

enum { YIELD_AHEAD = 1 << 20 /* bytes that the cache gives up beyond what is needed, so that it is seldom asked */ };

atomic_size_t ledger_all;
atomic_size_t ledger_calm = SIZE_MAX;
static atomic_size_t ceiling; /* 0 = none */
static atomic_size_t held[LEDGER_PARTIES];
static atomic_size_t cached;
static atomic_uint_least64_t refusals;
static const struct ledger_cache *cache;
static atomic_flag yielding = ATOMIC_FLAG_INIT;

static size_t load(const atomic_size_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

void ledger_set_ceiling(size_t bytes)
{
	atomic_store_explicit(&ceiling, bytes, memory_order_relaxed);
	/* a party holds at most what all hold, so none is tight before that is half of the ceiling */
	atomic_store_explicit(&ledger_calm, bytes == 0 ? SIZE_MAX : bytes / 2, memory_order_relaxed);
}

size_t ledger_ceiling(void)
{
	return load(&ceiling);
}

/* Has the cache make room for what the parties hold; one thread at a time. */
static void ledger_make_room(size_t parties)
{
	size_t most = load(&ceiling), all = parties + load(&cached);
	if (most == 0 || all <= most || cache == NULL || load(&cached) == 0)
		return;
	if (atomic_flag_test_and_set_explicit(&yielding, memory_order_acquire))
		return;
	cache->yield(cache->context, all - most + YIELD_AHEAD);
	atomic_flag_clear_explicit(&yielding, memory_order_release);
}

/* Charges the party if it then holds at most share times what is free. */
static bool take(uint32_t party, size_t bytes, size_t share)
{
	size_t most = load(&ceiling), before = load(&ledger_all);
	if (party == LEDGER_NOBODY)
		return true;
	do {
		size_t left = most > before ? most - before : 0;
		if (most != 0 && (bytes > left || (load(&held[party]) + bytes) / share > left - bytes)) {
			atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&ledger_all, &before, before + bytes, memory_order_relaxed,
							memory_order_relaxed));
	atomic_fetch_add_explicit(&held[party], bytes, memory_order_relaxed);
	ledger_make_room(before + bytes);
	return true;
}

bool ledger_begin(uint32_t party, size_t bytes)
{
	return take(party, bytes, LEDGER_BEGIN_SHARE);
}

bool ledger_grow(uint32_t party, size_t bytes)
{
	return take(party, bytes, LEDGER_GROW_SHARE);
}

void ledger_overdraw(uint32_t party, size_t bytes)
{
	if (party == LEDGER_NOBODY)
		return;
	size_t before = atomic_fetch_add_explicit(&ledger_all, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&held[party], bytes, memory_order_relaxed);
	ledger_make_room(before + bytes);
}

void ledger_give(uint32_t party, size_t bytes)
{
	if (party == LEDGER_NOBODY || bytes == 0)
		return;
	size_t had = atomic_fetch_sub_explicit(&held[party], bytes, memory_order_relaxed);
	assert(had >= bytes);
	(void)had;
	atomic_fetch_sub_explicit(&ledger_all, bytes, memory_order_relaxed);
}

bool ledger_holds_too_much(uint32_t party)
{
	size_t most = load(&ceiling), all = load(&ledger_all);
	return party != LEDGER_NOBODY && most != 0 &&
	       load(&held[party]) / LEDGER_BEGIN_SHARE >= (most > all ? most - all : 0);
}

size_t ledger_taken(void)
{
	return load(&ledger_all);
}

size_t ledger_held(uint32_t party)
{
	return load(&held[party]);
}

uint64_t ledger_refusals(void)
{
	return atomic_load_explicit(&refusals, memory_order_relaxed);
}

void ledger_set_cache(const struct ledger_cache *known)
{
	cache = known;
}

void ledger_cache_add(size_t bytes)
{
	atomic_fetch_add_explicit(&cached, bytes, memory_order_relaxed);
}

void ledger_cache_remove(size_t bytes)
{
	atomic_fetch_sub_explicit(&cached, bytes, memory_order_relaxed);
}

void ledger_evicted_add(size_t bytes)
{
	atomic_fetch_add_explicit(&ledger_all, bytes, memory_order_relaxed);
}

void ledger_evicted_remove(size_t bytes)
{
	atomic_fetch_sub_explicit(&ledger_all, bytes, memory_order_relaxed);
}

size_t ledger_cache_most(void)
{
	size_t most = load(&ceiling), all = load(&ledger_all);
	if (most == 0)
		return SIZE_MAX;
	return most > all ? most - all : 0;
}
