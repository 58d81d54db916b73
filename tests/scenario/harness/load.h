/* SPDX-License-Identifier: MIT */
/*
 * A skewed load of deterministic requests on several replicas: some questions
 * are asked often, most seldom, by several tenants, in both forms. Every answer
 * is judged when it is over: it is the simulator's own to exactly that
 * request, whole; or an error that says so, behind nothing but the beginning of that
 * answer. Whatever else it is fails the test.
 */
#ifndef SLUICE_TESTS_HARNESS_LOAD_H
#define SLUICE_TESTS_HARNESS_LOAD_H

#include "tests/scenario/harness/dice.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/sim.h"

enum { LOAD_TENANTS = 3, LOAD_MODELS = 3, LOAD_CODES = 24 };

/* The models that a load asks for; pace: settings of the simulator behind each, such as ";itl=1ms". */
#define LOAD_CONFIG(pace)                                                                \
	"models:\n  alpha: sim/alpha;tokens=12" pace "\n  beta: sim/beta;tokens=40" pace \
	"\n  odd: sim/utf8;tokens=20" pace "\n"

struct load_question;

struct load {
	/* how many, from whom */
	size_t requests;
	size_t questions;     /* different ones, of each tenant and model */
	const char *settings; /* of the simulator, that make a difference to the answers; NULL = none */
	bool leaves;          /* some clients leave at moments of their own */
	struct dice *dice;
	const struct sim *sim;
	/* for the caller: another one is over; NULL = nothing */
	void (*on_over)(struct load *load);
	void *user;
	/* results */
	size_t distinct; /* questions that were asked at least once */
	size_t over, whole, failed, left;
	struct load_code {
		char code[40];
		size_t count;
	} codes[LOAD_CODES]; /* of those that failed */
	/* its own */
	struct load_question *list;
	struct mass_job *jobs;
	struct load_question **asked; /* by job */
};

/* Deals the requests to that many services, and learns what the answers must be. */
void load_deal(struct load *load, unsigned services);

/* Runs them to their end, from where it stopped until that many are over. */
void load_run(struct load *load, struct sluice *const each[], unsigned services, enum via via, size_t until);

/* Prints what came of it. */
void load_tell(const struct load *load, const char *what);

void load_free(struct load *load);

#endif
