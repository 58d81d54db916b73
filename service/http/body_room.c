/* SPDX-License-Identifier: MIT */
/* One atomic number; body_room.h holds the contract. */
#include "service/http/body_room.h"

#include <stdatomic.h>

enum { CONNECTION_LEAST = 16 << 20 /* bytes */ };

static atomic_size_t taken;

bool body_room_take(const struct config_limits *limits, size_t bytes)
{
	size_t most = limits->bodies > limits->body ? limits->bodies : limits->body;
	size_t before = atomic_load_explicit(&taken, memory_order_relaxed);
	do {
		if (before > most || bytes > most - before)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&taken, &before, before + bytes, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

void body_room_give(size_t bytes)
{
	atomic_fetch_sub_explicit(&taken, bytes, memory_order_relaxed);
}

size_t body_room_of_connection(const struct config_limits *limits)
{
	return limits->body > CONNECTION_LEAST ? limits->body : CONNECTION_LEAST;
}
