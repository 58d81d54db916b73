/* SPDX-License-Identifier: MIT */
/*
 * Random plans for the plan fuzzer: made, written as YAML, and asked what may
 * become of them. An oracle of sets: it says which ends a plan may take, never
 * more precisely than timing allows, so what it rules out must not happen.
 */
#ifndef SLUICE_TESTS_HARNESS_FUZZ_PLAN_H
#define SLUICE_TESTS_HARNESS_FUZZ_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/scenario/harness/bytes.h"
#include "tests/unit/seed.h"

enum fuzz_kind { FUZZ_TARGET, FUZZ_BALANCE, FUZZ_RETRY, FUZZ_FALLBACK, FUZZ_HEDGE, FUZZ_RACE, FUZZ_ALL, FUZZ_QUORUM };

/* How a plan may end; a set. */
enum fuzz_end {
	FUZZ_OK = 1,    /* a whole answer */
	FUZZ_EARLY = 2, /* a failure before content that another target may mend */
	FUZZ_FINAL = 4, /* one that none may */
	FUZZ_LATE = 8,  /* broken behind its first content */
};

enum { FUZZ_WIDEST = 4, FUZZ_TEXTS = 64, FUZZ_BIG_FROM = 60, FUZZ_CHOICES = 128 };

/* The backends that the YAML must define: what each may do to its targets is the oracle's. */
enum fuzz_backend {
	FUZZ_A,        /* exact: neither breaker nor queue, long timeouts */
	FUZZ_B,        /* the same */
	FUZZ_TERSE,    /* short timeouts: any call may fail */
	FUZZ_MESSAGES, /* speaks Anthropic's dialect: refuses several choices, and wants an end of streams */
	FUZZ_QUEUE,    /* a short queue and a touchy breaker: any call may be refused */
	FUZZ_REFUSE,   /* closes its listener now and then */
	FUZZ_DEAD,     /* nobody listens */
	FUZZ_BACKENDS
};
extern const char *const fuzz_backend_names[FUZZ_BACKENDS];

struct fuzz_plan {
	enum fuzz_kind kind;
	struct fuzz_plan *children[FUZZ_WIDEST];
	unsigned count;
	unsigned width;     /* answers for one choice, at most */
	bool compares;      /* a quorum is in it */
	const char *resume; /* how streams that break off are gone on with, "" = not */
	const char *on;     /* of retry and fallback: as written, "" = none */
	unsigned attempts, after_ms, hedges, agree, by;
	/* of a target */
	enum fuzz_backend backend;
	unsigned text;    /* which text it answers */
	unsigned ends[2]; /* whole, streamed */
	char model[120];  /* the simulator's */
	char target[128]; /* "backend/model" */
};

/* What plans are made for. */
struct fuzz_style {
	bool extra_calls_refused; /* the retry budget may be spent */
	bool calm;                /* nothing is ever cancelled, nor hidden from the simulators */
};

struct fuzz_maker {
	struct seed *seed;
	struct fuzz_style style;
	unsigned serial; /* makes every target another one */
	unsigned left;   /* targets that the plan may still get */
};

/* A random plan of at most that depth. Freed by fuzz_plan_free. */
struct fuzz_plan *fuzz_plan_make(struct fuzz_maker *maker, unsigned depth);
void fuzz_plan_free(struct fuzz_plan *plan);

/*
 * Some that are not left to chance: a quorum on a long answer, so that a slow reader pauses it; a hedge whose first
 * child is always slow; a fallback whose first child fails in a way that the other must not mend; streams that break
 * off and are gone on with.
 */
struct fuzz_plan *fuzz_plan_make_long(struct fuzz_maker *maker);
struct fuzz_plan *fuzz_plan_make_hedge(struct fuzz_maker *maker, unsigned hedges);
struct fuzz_plan *fuzz_plan_make_final(struct fuzz_maker *maker);
struct fuzz_plan *fuzz_plan_make_resumed(struct fuzz_maker *maker);

/* Appends it in flow style. */
void fuzz_plan_write(const struct fuzz_plan *plan, struct bytes *yaml);

/* The model's name and settings of a text; the text depends on the name only. */
void fuzz_text_model(unsigned text, char *model, size_t size);

/* The ends that it may take. */
unsigned fuzz_plan_ends(const struct fuzz_plan *plan, const struct fuzz_style *style, bool stream);

/* The target of that name, NULL when the plan has none. */
const struct fuzz_plan *fuzz_plan_find(const struct fuzz_plan *plan, const char *target);

/*
 * True when these choices may be an answer of plan: targets[index] is who gave it, NULL = there is no such choice;
 * FUZZ_CHOICES of them. per: choices that were asked for. A stream numbers the choices of each child of an all from a
 * base that leaves room for its widest answer, and whole: none may lack. A whole answer numbers them one by one.
 */
bool fuzz_plan_fits_stream(const struct fuzz_plan *plan, const struct fuzz_plan *const *targets, unsigned per,
			   bool whole);
bool fuzz_plan_fits_whole(const struct fuzz_plan *plan, const struct fuzz_plan *const *targets, unsigned per);

/* The most spare calls that a plan's hedges may start for so many requests. */
double fuzz_plan_spares(const struct fuzz_plan *plan, double requests);

#endif
