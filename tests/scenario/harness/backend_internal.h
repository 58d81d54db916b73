/* SPDX-License-Identifier: MIT */
/* What the scripted backend and its players share; for backend.c and backend_player.c only. */
#ifndef SLUICE_TESTS_HARNESS_BACKEND_INTERNAL_H
#define SLUICE_TESTS_HARNESS_BACKEND_INTERNAL_H

#include <pthread.h>

#include "tests/scenario/harness/backend.h"

struct request {
	struct bytes text; /* head and body */
	size_t body_at;
	uint64_t left_us; /* 0 while the peer is there */
};

struct backend {
	int listener;
	int port;
	int gates[BACKEND_GATES]; /* eventfds, semaphores */
	int stop;                 /* eventfd, readable for ever once set */
	pthread_t acceptor;
	pthread_mutex_t lock; /* over all that follows */
	struct step **scripts;
	size_t script_count;
	struct request *requests;
	size_t request_count;
	size_t connection_count;
	size_t players; /* threads alive */
};

struct player {
	struct backend *backend;
	int fd;
	size_t request; /* index of the one being answered */
	bool over;      /* the peer left, or the test ends */
};

/* Room for one more element in an array whose capacity is the next power of two. */
void *backend_grow(void *array, size_t count, size_t size);

/* A thread: plays scripts on one connection until it is over; frees the player. */
void *player_run(void *argument);

#endif
