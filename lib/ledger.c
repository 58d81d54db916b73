/* SPDX-License-Identifier: MIT */
/* Atomic numbers, of the process and of each party; ledger.h holds the contract. */
#include "lib/ledger.h"

#include <assert.h>

enum { YIELD_AHEAD = 1 << 20 /* bytes that the cache gives up beyond what is needed, so that it is seldom asked */ };

atomic_bool ledger_calm = true;
static atomic_size_t ceiling; /* 0 = none */
static atomic_size_t taken;
static atomic_size_t held[LEDGER_PARTIES];
static atomic_size_t cached;
static atomic_uint_least64_t refusals;
static const struct ledger_cache *cache;
static atomic_flag yielding = ATOMIC_FLAG_INIT;

static size_t load(const atomic_size_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

/*
 * After every change of what is taken: looks, and looks anew after it has noted something else, as another thread may
 * have looked before and noted after. So whichever thread comes last is right; that needs one order of changes, looks
 * and notes for all threads.
 */
static void note_calm(void)
{
	for (;;) {
		size_t most = load(&ceiling);
		bool calm = most == 0 || atomic_load(&taken) <= most / 2;
		if (atomic_load(&ledger_calm) == calm)
			return;
		atomic_store(&ledger_calm, calm);
	}
}

void ledger_set_ceiling(size_t bytes)
{
	atomic_store_explicit(&ceiling, bytes, memory_order_relaxed);
	note_calm();
}

size_t ledger_ceiling(void)
{
	return load(&ceiling);
}

/* Has the cache make room for what the parties hold; one thread at a time. */
static void make_room(size_t parties)
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
	size_t most = load(&ceiling), before = load(&taken);
	if (party == LEDGER_NOBODY)
		return true;
	do {
		size_t left = most > before ? most - before : 0;
		if (most != 0 && (bytes > left || (load(&held[party]) + bytes) / share > left - bytes)) {
			atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&taken, &before, before + bytes));
	atomic_fetch_add_explicit(&held[party], bytes, memory_order_relaxed);
	note_calm();
	make_room(before + bytes);
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

void ledger_give(uint32_t party, size_t bytes)
{
	if (party == LEDGER_NOBODY || bytes == 0)
		return;
	size_t had = atomic_fetch_sub_explicit(&held[party], bytes, memory_order_relaxed);
	assert(had >= bytes);
	(void)had;
	atomic_fetch_sub(&taken, bytes);
	note_calm();
}

bool ledger_holds_too_much(uint32_t party)
{
	size_t most = load(&ceiling), all = load(&taken);
	return party != LEDGER_NOBODY && most != 0 &&
	       load(&held[party]) / LEDGER_BEGIN_SHARE >= (most > all ? most - all : 0);
}

size_t ledger_taken(void)
{
	return load(&taken);
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

size_t ledger_cache_most(void)
{
	size_t most = load(&ceiling), all = load(&taken);
	if (most == 0)
		return SIZE_MAX;
	return most > all ? most - all : 0;
}
