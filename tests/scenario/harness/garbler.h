/* SPDX-License-Identifier: MIT */
/*
 * A proxy in front of a real Redis, in a thread of the test. Tame, it forwards what it gets. Wild, it does to replies,
 * at random, whatever a broken proxy, server or network may do: flips bytes, makes replies up, leaves parts out, sends
 * replies twice, late, in another order or to another question, and cuts connections.
 */
#ifndef SLUICE_TESTS_HARNESS_GARBLER_H
#define SLUICE_TESTS_HARNESS_GARBLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum garble {
	GARBLE_NOT,
	GARBLE_FLIP,     /* one bit of it is another */
	GARBLE_MAKE_UP,  /* another reply, well formed or not */
	GARBLE_TRUNCATE, /* its end is missing; what follows comes at once */
	GARBLE_DROP,     /* it does not come */
	GARBLE_TWICE,    /* it comes twice */
	GARBLE_FOREIGN,  /* an earlier reply to another question, perhaps of another connection */
	GARBLE_SWAP,     /* it changes places with the next one, if that comes soon */
	GARBLE_DELAY,    /* it and all behind it come late */
	GARBLE_CUT,      /* the connection ends in the middle of it */
	GARBLE_COUNT
};

/* All of them, and those after which a connection goes on, so that more is met than the loss of connections. */
#define GARBLE_ANY (~0u)
#define GARBLE_BELIEVABLE (1u << GARBLE_FLIP | 1u << GARBLE_FOREIGN | 1u << GARBLE_SWAP)

struct garbler {
	int port; /* where it listens */
	struct garbler_thread *thread;
};

/* In front of that port of the loopback; tame. seed: of its chance. Ended at tear-down. */
struct garbler *garbler_start(int redis_port, uint64_t seed);

/* From now on: one in so many replies is garbled, in one of these ways (bits of enum garble). */
void garbler_set(struct garbler *garbler, unsigned one_in, unsigned ways);

/* From now on: none is, and what was held back goes out. */
void garbler_tame(struct garbler *garbler);

/* From now on: for so many replies that hold that text, this one comes instead. Both are borrowed for good. */
void garbler_answer(struct garbler *garbler, size_t times, const char *holds, const char *instead);

/* Lets that many more bytes through to Redis, of all connections together, then nothing. */
void garbler_choke(struct garbler *garbler, size_t bytes);

/* How many of those are left; whether it lets nothing through any more. */
size_t garbler_left(const struct garbler *garbler);
bool garbler_is_choked(const struct garbler *garbler);

/* Ends all connections, and lets everything of new ones through again. Done when it returns. */
void garbler_cut(struct garbler *garbler);

/* How often it did that so far. */
size_t garbler_count(const struct garbler *garbler, enum garble garble);

#endif
