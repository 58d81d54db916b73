/* SPDX-License-Identifier: MIT */
/*
 * The plan algebra: an immutable tree of combinators whose leaves are targets,
 * and its runs. A combinator is one file with one struct plan_kind; plan.c lists
 * them, and nothing outside this folder knows which exist.
 *
 * Ownership: plans live in the arena they were built in. Every worker builds its
 * own, so what a node remembers from one run to the next (plan->state) needs no
 * lock. A run and all of its children live in the arena of their flight and are
 * never freed one by one.
 *
 * Calls down the tree (start, pause, cancel) never cause an event before they
 * return. Events go up by sink->on_event; inside it the receiver may pause or
 * cancel the run that sent it, and start others.
 */
#ifndef SLUICE_SERVICE_PLAN_PLAN_H
#define SLUICE_SERVICE_PLAN_PLAN_H

#include "clients/http/http_client.h"
#include "config/config.h"
#include "lib/arena.h"
#include "lib/reactor.h"
#include "schemas/metrics.h"
#include "schemas/request.h"
#include "service/health/health.h"
#include "service/plan/failure.h"

struct bill;
struct dialect;
struct health;
struct limit;
struct loop;
struct offload_port;
struct plan;
struct run;
struct usage_recorder;

/* What a worker lends to the runs of all its flights. */
struct plan_worker {
	struct reactor *reactor;
	const struct config *config;
	struct http_origin *const *origins; /* by index of the backend in config->backends */
	struct loop *loop; /* the worker's, where those who wait are called back; NULL in tests without queues */
	struct offload_port *offload; /* helper threads for heavy work; NULL = all is done in the loop's turn */
	struct health *health;        /* of the process; NULL = nothing is known, every call may start (tests) */
	struct limit *const *limits;  /* by index of the target in config->targets; NULL = none */
	struct metrics_cells *metrics;
	struct usage_recorder *usage; /* what calls used; NULL = nobody wants to know (tests) */
	struct arena *scratch;        /* for one event: emptied by the leaf that begins one, shared by all it passes */
};

struct run_resumption;
struct run_tap;

/* What a tap hears of each leaf: that it starts, its events, and how it ends; every one that starts ends once. */
struct run_tap_ops {
	/* A leaf starts. Returns the number by which it is named from here on. */
	unsigned (*on_started)(struct run_tap *tap, const struct plan *leaf);
	/* An event of a leaf, before the combinators around it see it. */
	void (*on_event)(struct run_tap *tap, unsigned lane, const struct event *event);
	/* A leaf was ended without an event, since nobody wants its answer any more. */
	void (*on_cancelled)(struct run_tap *tap, unsigned lane);
};

/*
 * Whoever listens to the leaves of a plan, whatever its combinators make of their answers. It may pause the
 * root run from within, but must not cancel it: combinators are up the stack, on their way to others.
 */
struct run_tap {
	const struct run_tap_ops *ops;
};

/* A target that failed this request. */
struct run_failed {
	const struct run_failed *next;
	const struct config_plan *target;
	bool backend; /* the failure says something of all of the backend's models */
};

/* What all runs of one flight have in common and may change. */
struct run_shared {
	uint64_t started_us;                           /* when the plan began, on the worker's clock */
	const struct run_failed *failed;               /* in the flight's arena */
	bool timed_out;                                /* one of them was silent for too long */
	unsigned attempts;                             /* calls started so far */
	unsigned retries;                              /* of them those that repeat a failed one */
	unsigned open_calls;                           /* calls not yet gone */
	struct run_tap *tap;                           /* hears the leaves; NULL = nobody does */
	void (*on_settled)(struct run_shared *shared); /* open_calls fell to 0; may be called many times */
	void (*on_comment)(
	    struct run_shared *shared);              /* a stream had a comment; may end the runs. NULL = no interest */
	void (*on_tight)(struct run_shared *shared); /* memory is tight before a read; may pause. NULL = no interest */
};

/* Why a call starts. */
enum call_reason { CALL_FIRST, CALL_RETRY, CALL_FALLBACK, CALL_HEDGE, CALL_RESUME };

/* Returns whether a call for this reason repeats or replaces one that failed. */
static inline bool call_follows_failure(enum call_reason reason)
{
	return reason == CALL_RETRY || reason == CALL_FALLBACK || reason == CALL_RESUME;
}

/* What runs are created with: the flight's, but for runs that go on where another one's answer broke off. */
struct run_context {
	struct run_shared *shared;
	const struct plan_worker *worker;
	struct arena *arena;                     /* for runs and whatever lives as long as the flight */
	const struct request *request;           /* validated */
	struct span id;                          /* of the answer, when one has to be made: "chatcmpl-…" */
	struct span request_id;                  /* x-request-id */
	struct span traceparent;                 /* W3C trace context to send on; empty = none */
	int64_t created;                         /* Unix seconds */
	int64_t retries_before;                  /* x-stainless-retry-count of the client; -1 = not told */
	uint64_t client;                         /* whose request it is: a hash of its credentials or address */
	uint64_t network;                        /* where it comes from, for fairness in queues: a hash */
	uint32_t party;                          /* who is charged for its buffers in the ledger */
	uint64_t deadline_us;                    /* when the client gives up, on the worker's clock; 0 = not told */
	struct bill *bill;                       /* held by the flight: who is charged for calls; NULL = nobody */
	enum call_reason reason;                 /* why the next call starts */
	size_t model_index;                      /* of the model asked for; their number = no single one */
	const struct run_resumption *resumption; /* what runs that go on must know (resume.h); NULL = they begin */
};

/* What kind of request it is, as far as its first content takes time. */
static inline struct health_kind run_kind(const struct run_context *context)
{
	return (struct health_kind){.operation = context->request->endpoint,
				    .stream = context->request->stream,
				    .size = context->request->json.text.len};
}

/* Whoever receives the events of an answer: a combinator those of its children, a flight those of its plan, an exchange
 * those of a flight. Nothing is called after the terminal event, or once the receiver cancelled or left. */
struct run_sink {
	/* run: whose event it is; NULL when it comes from a flight. */
	void (*on_event)(struct run_sink *sink, struct run *run, const struct event *event);
	/* A backend sent a comment within its stream. Of a flight only; NULL = no interest. */
	void (*on_comment)(struct run_sink *sink);
	/* The client that is charged may hold no more memory, and more is about to be read: pauses if it has enough,
	 * ends nothing. Of a flight only; NULL = no interest. */
	void (*on_tight)(struct run_sink *sink);
};

struct run_ops {
	/* Once. */
	void (*start)(struct run *run);
	/* Stops or restarts the flow of CHUNK and BODY events (a few may still come). Idempotent. */
	void (*pause)(struct run *run, bool paused);
	/* Ends it at once without an event: every call below is aborted. Harmless after the terminal event. */
	void (*cancel)(struct run *run);
};

struct run {
	const struct run_ops *ops;
	const struct plan *plan;
	struct run_context *context;
	struct run_sink *sink;
};

/* One combinator. */
struct plan_kind {
	const char *name; /* as in the configuration; NULL = the target, which has no name */
	const char *doc;  /* one line */
	size_t min_children;
	bool prefers;  /* the first child is the one that is meant, others stand in for it */
	bool asks_all; /* all children at once */
	/*
	 * Fills plan->width and what else it needs from plan->children and its options. NULL, or what is wrong with
	 * them; out of memory is the arena's own sticky failure.
	 */
	const char *(*prepare)(struct plan *plan, struct arena *arena);
	/* A new run of plan in the context's arena; NULL when out of memory. */
	struct run *(*create_run)(const struct plan *plan, struct run_context *context, struct run_sink *sink);
};

struct plan {
	const struct plan_kind *kind;
	const struct config_plan *source;
	const struct plan *const *children;
	size_t child_count;
	struct span loc;                  /* where it is in its model, a JSON array: ["plan"], ["plan",1,"b/large"] */
	size_t width;                     /* answers it gives to a request for one choice */
	bool gathers;                     /* its answers are made of several, by their choices */
	bool resumes;                     /* it, or a plan within it, goes on with streams that break off */
	bool compares;                    /* it compares answers: one choice is all that a request may ask for */
	const struct dialect *dialect;    /* of a leaf: what its backend speaks */
	const struct config_model *model; /* for which it is asked; NULL = above the models of a client's plan */
	void *state; /* what the combinator remembers from run to run, in the arena; NULL = nothing */
};

/*
 * Gives an expression of the configuration its meaning. The plan lives in arena and
 * borrows the configuration. NULL with a finding "FILE:LINE: models.NAME: …" appended to
 * errors, or without one when out of memory.
 */
const struct plan *plan_build(const struct config *config, const struct config_model *model, struct arena *arena,
			      struct buf *errors);

/*
 * As plan_build, for a plan that came with a request: its leaves are models' plans. errors then says what is wrong
 * without telling where in a file.
 */
const struct plan *plan_build_inline(const struct config *config, const struct config_plan *source, struct arena *arena,
				     struct buf *errors);

/*
 * True when an answer of target is what the plan is meant to give, and not that of another model that stood in. NULL,
 * for an answer of several: true when nobody could stand in.
 */
bool plan_is_first_choice(const struct plan *plan, const struct config_plan *target);

/* The preparation of what gives one of its children's answers: it is whatever they may be. */
const char *plan_take_widest(struct plan *plan, struct arena *arena);

/* Tokens that were told by an answer nobody gets are counted all the same. */
void run_count_lost(const struct run_context *context, const struct usage *usage);

/* Returns how often the request has failed at that target. */
unsigned run_failures(const struct run_shared *shared, const struct config_plan *target);

/* Tells the configuration's loader which combinators there are. Called once, before anything is loaded. */
void plan_declare_combinators(void);

/* Appends a table of the combinators as Markdown. */
void plan_describe(struct buf *out);

/* A new run of plan; NULL when out of memory. */
static inline struct run *plan_create_run(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	return plan->kind->create_run(plan, context, sink);
}

#endif
