/* SPDX-License-Identifier: MIT */
/*
 * What all workers know about each target and backend: whether its breaker
 * lets calls through, whether it cools down, how many calls run, how fast its
 * first content comes, and what the retry budget still allows. One per configuration;
 * every function is thread-safe and short. Time is passed in, microseconds on
 * the monotonic clock, so that tests need no sleep.
 *
 * A call enters, may tell its first content, and leaves exactly once with its
 * outcome; health_call is its ticket, embedded in whoever makes the call.
 */
#ifndef SLUICE_SERVICE_HEALTH_HEALTH_H
#define SLUICE_SERVICE_HEALTH_HEALTH_H

#include "config/config.h"
#include "lib/failures.h"
#include "schemas/endpoint.h"

struct health;

/*
 * config: borrows, must outlive it. seed: of the jitter, so that tests repeat. earlier: of an earlier configuration, or
 * NULL: what is known of the targets, backends and models that have the same name is shared with it, by the options of
 * the later one. Either may be destroyed first. Indexes, and the tickets of calls, are those of one health. NULL: out
 * of memory.
 */
struct health *health_create(const struct config *config, uint64_t seed, const struct health *earlier);
/* No call may have entered that has not left. */
void health_destroy(struct health *health);

/* What a call does at a target. Breakers and latencies of different operations are kept apart. */
enum { HEALTH_OPERATIONS = ENDPOINT_COUNT };
struct health_use {
	size_t target;      /* its index in the configuration */
	unsigned operation; /* chat, completions, embeddings: enum endpoint */
	uint64_t client;    /* whose request it is: a hash */
	bool stream;        /* latencies of streamed and whole answers are kept apart, too */
};

/* Why a call may not start. */
enum health_reason {
	HEALTH_OK,
	HEALTH_OPEN,     /* the breaker is open, or half-open with the places of its probes taken */
	HEALTH_COOLING,  /* the backend asked for a pause (Retry-After) */
	HEALTH_DOWN,     /* its free probes fail */
	HEALTH_BUDGET,   /* the retry budget of its backend is spent */
	HEALTH_FAILING,  /* as a standby: its last calls failed */
	HEALTH_UNPROVEN, /* as a standby: others try it first; ask again soon */
	HEALTH_REASON_COUNT
};

/* "chat", "completions", "embeddings". */
const char *health_operation_name(unsigned operation);

/* "ok", "open", …: for metrics, logs and pages. */
const char *health_reason_name(enum health_reason reason);

/* Why a call is made. */
enum health_purpose {
	HEALTH_FIRST,    /* the first of its request, or one that its plan makes in any case (race, all, quorum) */
	HEALTH_REPEAT,   /* the request failed at this backend before: comes out of the backend's retry budget */
	HEALTH_DIVERTED, /* the request failed elsewhere: see standby.h */
	HEALTH_OVERDUE,  /* a diverted one that has waited long enough for others to try the target first */
	HEALTH_HEDGE,    /* hedge_take has allowed it */
};

/* A call's ticket. Zero-initialised means not entered. */
struct health_call {
	struct health *health; /* NULL = not entered */
	struct health_use use;
	uint64_t started_us;
	uint32_t generation; /* of the breaker, when it entered */
	bool probe;          /* one of the few that a half-open breaker lets through */
	bool aside;          /* let through beside a breaker that holds for another client */
	uint32_t round;      /* of probes, when it entered */
	bool extra;          /* takes a place of the retry budget */
	bool scout;          /* diverted, and without content yet */
	bool content;        /* its first content was told */
	uint64_t content_us; /* when */
};

/*
 * May a call start now? HEALTH_OK: it counts as running from here on, and health_leave must follow.
 * Otherwise *wait_us is how long the refusal holds, as far as known (0 = not known).
 */
enum health_reason health_enter(struct health *health, struct health_call *call, const struct health_use *use,
				enum health_purpose purpose, uint64_t now_us, uint64_t *wait_us);

/* Counts a call that was given up because others still tried the target (HEALTH_UNPROVEN). */
void health_give_up(struct health *health, size_t target);

/* Its first content arrived. */
void health_first_content(struct health_call *call, uint64_t now_us);

/* How a call ended. */
struct health_outcome {
	enum error_code code;   /* ERROR_NONE: well */
	enum failure_kind kind; /* decides what the breaker makes of it */
	int status;             /* that the backend answered with; 0 = none */
	bool repeat;            /* the request failed there before: its failure was counted then */
	/*
	 * The backend asks for a pause; 0 = it does not. At least 1 s and at most 5 min are kept, 5 s where some model
	 * has no other target. The pause holds for its client alone until another one is asked for it, too.
	 */
	uint64_t retry_after_us;
};

/* It ended. Harmless on a ticket that is not entered; the ticket is then as before health_enter. */
void health_leave(struct health_call *call, const struct health_outcome *outcome, uint64_t now_us);

/* The plan of a request begins and ends: one that runs alone may try a standby that fails. */
void health_plan_begins(struct health *health);
void health_plan_ends(struct health *health);

/* What the gateway may write into a request, and a backend may refuse. */
enum health_rewrite {
	HEALTH_REWRITE_USAGE,   /* being asked for usage on streams */
	HEALTH_REWRITE_PREFILL, /* the beginning of the answer */
	HEALTH_REWRITES
};
/* Whether a call found out, within the last ten minutes, that the target's backend refuses it. */
bool health_refuses(const struct health *health, size_t target, enum health_rewrite what, uint64_t now_us);
/* Notes that. True when it was not known before. */
bool health_note_refused(struct health *health, size_t target, enum health_rewrite what, uint64_t now_us);

/* No target: of a view that is of none. */
#define HEALTH_NO_TARGET SIZE_MAX

/* A target as a chooser sees it. */
struct health_view {
	size_t target;             /* whose view it is; or HEALTH_NO_TARGET */
	enum health_reason reason; /* HEALTH_OK: a call would be let through now */
	uint64_t wait_us;          /* otherwise: how long, as far as known */
	unsigned running;          /* calls under way, of all workers; as a chooser sees it, with those that wait */
	bool full;                 /* of a chooser: its places are taken, a call would wait for one */
	uint64_t latency_us; /* average (latency.h) of the time to first content, or of how long was waited for it in
				vain; 0 = not known yet */
	double share;        /* slow start: from 0.1 to 1 of what it would get */
	double failing;      /* share of its calls that fail: from 0 to 1 */
};
void health_view(struct health *health, const struct health_use *use, uint64_t now_us, struct health_view *view);

/*
 * What decides how long the first content of a request may take: a whole answer has it when all was generated, and a
 * long prompt is read first. Times of different kinds are kept apart, so that nobody's long prompts delay the spares of
 * others.
 */
enum { HEALTH_SIZES = 3, HEALTH_KINDS = HEALTH_OPERATIONS * 2 * HEALTH_SIZES };
struct health_kind {
	unsigned operation; /* as in health_use */
	bool stream;
	size_t size; /* bytes of the request: below 16 KiB, below 256 KiB, or more */
};

/* The live p95 of the time to first content of a configured model, all targets together; 0 = too few answers yet. */
uint64_t health_model_p95_us(struct health *health, size_t model, const struct health_kind *kind);
/* The time to first content of an answer of that model, as its plan gave it. */
void health_model_content(struct health *health, size_t model, const struct health_kind *kind, uint64_t took_us,
			  uint64_t now_us);

/*
 * May a request of that model start a spare call? percent: spares allowed per 100 requests.
 * Every request that could be hedged counts by health_hedge_request, and is under way until health_hedge_settled.
 */
void health_hedge_request(struct health *health, size_t model);
/* That request ended, or needs no spare any more. */
void health_hedge_settled(struct health *health, size_t model);
bool health_hedge_take(struct health *health, size_t model, unsigned percent);

/* The result of a free probe of a backend. True when its state changed. */
bool health_probed(struct health *health, size_t backend, bool alive, uint64_t now_us);

/* For pages and metrics: the breaker of a target. */
enum health_breaker { HEALTH_BREAKER_CLOSED, HEALTH_BREAKER_OPEN, HEALTH_BREAKER_HALF_OPEN };
struct health_report {
	struct health_view view;
	unsigned operation; /* whose breaker it is: of several that which lets the least through */
	enum health_breaker breaker;
	const char *why;           /* the rule that opened it last: "consecutive", "share", "unreachable" or, of a
				      half-open one, "probe"; NULL = never */
	enum error_code last;      /* the failure that opened it last */
	uint64_t next_probe_us;    /* of an open one, from now; 0 = now */
	unsigned opened;           /* times in a row */
	unsigned outcomes, failed; /* in the window */
	unsigned extra;            /* retries running at the target's backend */
	bool probed_down;
	uint64_t cooling_us; /* from now; 0 = it does not cool down */
};
void health_report(struct health *health, size_t target, uint64_t now_us, struct health_report *report);

/* "closed", "open", "half_open". */
const char *health_breaker_name(enum health_breaker breaker);
enum { HEALTH_BREAKER_STATES = 3 };

/* Since the start, of a target: how often its breaker came into that state, and calls that were refused. */
uint64_t health_changes(struct health *health, size_t target, enum health_breaker breaker);
uint64_t health_refused(struct health *health, size_t target, enum health_reason reason);

/* Extra calls running at a backend. */
unsigned health_extra(struct health *health, size_t backend);

#endif
