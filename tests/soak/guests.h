/* SPDX-License-Identifier: MIT */
/*
 * Clients that take their time while the traffic goes on: idle connections that
 * were used once, readers that hardly read, connections that say nothing, and
 * bytes that are no HTTP.
 */
#ifndef SLUICE_TESTS_SOAK_GUESTS_H
#define SLUICE_TESTS_SOAK_GUESTS_H

#include "tests/scenario/harness/client.h"

enum { GUESTS = 24 };

struct guest {
	enum { GUEST_AWAY, GUEST_IDLE, GUEST_SLOW, GUEST_SILENT } is;
	enum via via;
	struct client client;
	size_t looks; /* since it came */
};

struct guests {
	const struct sluice *sluice;
	struct guest all[GUESTS];
	size_t arrivals; /* guests that came so far */
	size_t served;   /* slow readers that got all of their answer */
	size_t refused;  /* connections that sent no HTTP, and were told so */
};

/* Lets some come, read a little, or leave; call it now and then, not more often than every 20 ms. */
void guests_look(struct guests *guests);

/* All leave at once, slow readers in the midst of their answer. */
void guests_leave(struct guests *guests);

#endif
