/* SPDX-License-Identifier: MIT */
/*
 * The ledger: one account of the memory that clients cause, for all threads of the process (limits.memory).
 *
 * Serves all clients. A party is a client's address; several that share a number count as one. Connections, requests,
 * bodies, buffers and flights are charged to the party that caused them, in amounts of kilobytes: buffers up to
 * LEDGER_BLOCK are covered by the amounts that connections and requests are charged at their beginning.
 *
 * One party may begin new work while it holds at most LEDGER_BEGIN_SHARE times what is then still free, and its work
 * may grow up to LEDGER_GROW_SHARE times that. So free memory is left for any newcomer, however many parties hold all
 * they may have: alone, a party begins new work up to two thirds of the ceiling, and holds three quarters at most. A
 * party that may begin nothing is tight: its streams go on in steps so small that they need no buffer beyond
 * LEDGER_BLOCK, and finish as their client reads. What a stream has read when its party becomes tight is charged in any
 * case: that is one read for each thread, and what one read makes a stream hold beyond LEDGER_BLOCK.
 *
 * The cache is charged to no party. It has what the parties leave free, and gives up entries as they take more. An
 * entry that is evicted while somebody reads it is memory that is not free, until its last reader has finished.
 *
 * Heals as requests end, connections close, and clients that read nothing are cut off.
 */
#ifndef SLUICE_LIB_LEDGER_H
#define SLUICE_LIB_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LEDGER_NOBODY = 0, /* is charged nothing and always allowed */
	LEDGER_PARTIES = 65536 + 1,
	LEDGER_BEGIN_SHARE = 2,
	LEDGER_GROW_SHARE = 3,
	LEDGER_BLOCK = 16 << 10, /* bytes; smaller buffers are not charged one by one */
	LEDGER_STEP = 64 << 10   /* most bytes of one overdraft */
};

/* Sets the ceiling in bytes; 0 = none, as before the first call. */
void ledger_set_ceiling(size_t ceiling);
size_t ledger_ceiling(void);

/* Charges bytes for new work. False: the party may not begin any at present; nothing is charged. */
bool ledger_begin(uint32_t party, size_t bytes);
/* Charges bytes for work that was begun. False: the party holds all that it may have; nothing is charged. */
bool ledger_grow(uint32_t party, size_t bytes);
/*
 * Charges bytes for what an admitted stream has read already, LEDGER_STEP at most. Never refused: the caller sees to it
 * that the stream reads no more before these bytes are gone, while its party is tight.
 */
void ledger_overdraw(uint32_t party, size_t bytes);
/* Takes back a charge, or a part of it. */
void ledger_give(uint32_t party, size_t bytes);

/* Bytes that all parties hold, and up to which none of them is tight. Of ledger.c alone, but for the look below. */
extern atomic_size_t ledger_all, ledger_calm;
bool ledger_holds_too_much(uint32_t party);

/* Returns whether the party may begin no new work. Asked for every streamed event. */
static inline bool ledger_is_tight(uint32_t party)
{
	size_t all = atomic_load_explicit(&ledger_all, memory_order_relaxed);
	return all > atomic_load_explicit(&ledger_calm, memory_order_relaxed) && ledger_holds_too_much(party);
}

/* Bytes that all parties hold, evicted entries that are still read included, and one of them. */
size_t ledger_taken(void);
size_t ledger_held(uint32_t party);
/* How often ledger_begin and ledger_grow have refused. */
uint64_t ledger_refusals(void);

/* The cache: something that holds memory and can give it up. */
struct ledger_cache {
	/* Thread-safe: gives up about that many bytes. Takes no lock under which a ledger function is called. */
	void (*yield)(void *context, size_t bytes);
	void *context;
};

/* Announces the cache; NULL: it is no longer there. While no other thread uses the ledger. */
void ledger_set_cache(const struct ledger_cache *cache);
/* The cache holds more bytes, or fewer. */
void ledger_cache_add(size_t bytes);
void ledger_cache_remove(size_t bytes);
/* Bytes that the cache has evicted while somebody reads them: held, but charged to no party. Free them again. */
void ledger_evicted_add(size_t bytes);
void ledger_evicted_remove(size_t bytes);
/* Bytes that the cache may hold at present. */
size_t ledger_cache_most(void);

#endif
