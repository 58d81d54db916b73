/* SPDX-License-Identifier: MIT */
/* Atomic numbers, of the process and of each address; body_memory.h holds the contract. */
#include "service/http/body_memory.h"

#include <stdatomic.h>

#include "lib/ledger.h"
#include "service/http/server.h"

enum { CONNECTION_LEAST = 16 << 20 /* bytes */ };

static atomic_size_t taken;
static atomic_size_t held[CROWD_ADDRESSES]; /* by address */

/* Takes bytes of the process's room. *left: what is free then. */
static bool take_of_all(const struct config_limits *limits, size_t bytes, size_t *left)
{
	size_t most = limits->bodies > limits->body ? limits->bodies : limits->body;
	size_t before = atomic_load_explicit(&taken, memory_order_relaxed);
	do {
		if (before > most || bytes > most - before)
			return false;
		*left = most - before - bytes;
	} while (!atomic_compare_exchange_weak_explicit(&taken, &before, before + bytes, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

static void give_back(size_t address, size_t bytes)
{
	atomic_fetch_sub_explicit(&held[address], bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&taken, bytes, memory_order_relaxed);
}

enum error_code body_memory_take(const struct config_limits *limits, size_t address, uint32_t party, size_t bytes)
{
	size_t left;
	if (!take_of_all(limits, bytes, &left))
		return ERROR_BODIES_FULL;
	size_t before = atomic_fetch_add_explicit(&held[address], bytes, memory_order_relaxed);
	bool shares = before == 0 || (before + bytes) / BODY_MEMORY_SHARE <= left;
	if (shares && ledger_begin(party, bytes))
		return ERROR_NONE;
	give_back(address, bytes);
	return shares ? ERROR_MEMORY_FULL : ERROR_BODIES_FULL;
}

void body_memory_fit(size_t address, uint32_t party, size_t *room, size_t need)
{
	if (*room <= need)
		return;
	give_back(address, *room - need);
	ledger_give(party, *room - need);
	*room = need;
}

size_t body_memory_of_connection(const struct config_limits *limits)
{
	return limits->body > CONNECTION_LEAST ? limits->body : CONNECTION_LEAST;
}
