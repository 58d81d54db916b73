/* SPDX-License-Identifier: MIT */
/*
 * The inside of exchanges, for the files that make them up; nobody else includes this. An exchange is a table of named
 * steps (exchange.c); each is a function that does its work and returns what comes next. A file never calls the steps
 * of another one: it names them. So the files build on each other in one direction, from bottom to top:
 *
 *   machine.c                    runs steps, and sets states
 *   caching.c                    the fields of HTTP that are about the cache
 *   observer.c, report.c         who hears of it, and its books
 *   respond.c                    the wire
 *   cache_keys.c                 keys in the cache
 *   cancel.c                     the client left, and the source of the answer is left
 *   send.c, keepalive.c          bytes to the client at the client's pace, comments into a silent stream
 *   recast.c, relay.c, fanout*.c what becomes of an answer
 *   join.c                       join, lead, pass: where an answer comes from
 *   cache_lookup.c, embedding*.c recall, look up, hit: answers that are kept
 *   fail.c                       what is told of a failure, or stands in for the answer
 *   look_back.c                  the conversation that the request goes on from
 *   admit.c                      reading the request, and finding what it asks for
 *   exchange.c                   the table, the beginning and the end
 */
#ifndef SLUICE_SERVICE_EXCHANGE_INTERNAL_H
#define SLUICE_SERVICE_EXCHANGE_INTERNAL_H

#include "schemas/request.h"
#include "service/exchange/caching.h"
#include "service/exchange/exchange.h"
#include "service/exchange/limiting.h"
#include "service/exchange/report.h"
#include "service/exchange/respond.h"
#include "service/flights/flight.h"

struct embedding;
struct fanout_run;
struct look_back;
struct reading;
struct recast;

/* What was sent to the client so far. Only exchange_set_state() changes it. */
enum exchange_state {
	EXCHANGE_ST_NEW,     /* nothing is known yet */
	EXCHANGE_ST_READING, /* a helper thread reads the request, or its conversation is fetched; nothing was sent */
	EXCHANGE_ST_WAITING, /* nothing was sent */
	EXCHANGE_ST_STREAM,  /* the head of a stream was sent */
	EXCHANGE_ST_BODY,    /* the head of a whole answer was sent */
	EXCHANGE_ST_ENDED,   /* the response is complete, aborted, or nobody waits for it */
	EXCHANGE_ST_COUNT
};

/* What is done for an exchange, in this order but for what exchange.c's table lists. */
enum exchange_step {
	EXCHANGE_LOOK_BACK,      /* fetches the stored conversation that it goes on from, as replicas share it */
	EXCHANGE_RECALL,         /* the same bytes were answered from the cache before: looks for that answer */
	EXCHANGE_DECODE,         /* reads the request, now or by a helper */
	EXCHANGE_ADMIT,          /* refuses it, or finds its plan and how it uses the cache */
	EXCHANGE_LOOK_UP,        /* looks for the answer in the cache */
	EXCHANGE_LOOK_UP_INPUTS, /* the same for each input of embeddings */
	EXCHANGE_HIT,            /* gives the answer that is kept */
	EXCHANGE_HIT_INPUTS,     /* gives vectors that are kept, with those that came */
	EXCHANGE_JOIN,           /* follows the flight of the same request, or a new one */
	EXCHANGE_JOIN_INPUTS,    /* the same for the inputs that are missing */
	EXCHANGE_LEAD,           /* runs the new one */
	EXCHANGE_PASS,           /* runs the plan for this exchange alone */
	EXCHANGE_RELAY,          /* passes on the answer as it comes */
	EXCHANGE_FAIL,           /* tells the failure, unless something stands in for the answer */
	EXCHANGE_END,            /* ends the response as exchange->ending says; the exchange is gone */
	EXCHANGE_STEPS,
	EXCHANGE_WAIT = EXCHANGE_STEPS /* no step: a callback will call exchange_go() */
};

struct exchange_step_row {
	const char *name;
	enum exchange_step (*run)(struct exchange *exchange); /* END: the exchange is freed, nothing comes next */
	unsigned next; /* bits of steps that may follow it, at once or later, besides FAIL and END */
};

/* How the response ends. */
enum exchange_ending {
	EXCHANGE_COMPLETE,
	EXCHANGE_CUT,  /* in a way that the client can see */
	EXCHANGE_GONE, /* the client left */
};

/* What makes an exchange of a request. */
struct exchange_kind {
	/* Reads the request. Thread-safe: knows nothing but what the reading says. */
	void (*read)(struct reading *reading);
	/* Takes what was read well. Returns the plan to run; NULL with findings to refuse it. */
	const struct plan *(*admit)(struct exchange *exchange, struct reading *reading);
	/* Any event of the answer but an error. Returns what comes next. */
	enum exchange_step (*on_event)(struct exchange *exchange, const struct event *event);
	unsigned documents; /* that the body holds, one within the other */
	bool cached;        /* the cache may have the answer */
	bool named;         /* the events of a stream have names */
};

/* Where the answer comes from at present. */
struct exchange_source {
	/* As that of a kind; NULL: events go to the kind, or none come. */
	enum exchange_step (*on_event)(struct exchange *exchange, const struct event *event);
	/* Backpressure of the client. */
	void (*pause)(struct exchange *exchange, bool paused);
	/* Nothing may come from it any more. */
	void (*leave)(struct exchange *exchange);
	/* Calls that were started so far. NULL = those of the sources before. */
	unsigned (*attempts)(const struct exchange *exchange);
};

struct exchange {
	struct exchange_worker *worker;
	const struct exchange_kind *kind;
	const struct exchange_step_row *steps;
	struct respond_to to;
	struct exchange_request asked; /* the request as the client sent it; spans are borrowed */
	struct request *request;       /* the same, decoded */
	enum exchange_state state;
	enum exchange_step step; /* the last one that was begun */
	enum exchange_ending ending;
	const struct failure *failure; /* for EXCHANGE_FAIL; borrowed for the step; NULL: failure_code says it all */
	enum error_code failure_code;
	struct exchange *next;  /* of the worker */
	struct exchange **back; /* NULL = it is being ended */
	/* the client's pace */
	bool paused;
	struct timer stalled;   /* while it is paused */
	uint64_t taken;         /* bytes that the client had taken when the timer was started */
	struct timer keepalive; /* until a stream has been silent for too long */
	uint64_t sent_us;       /* when something was sent last */
	struct buf out;         /* one framed event, or an error body */
	/* the answer */
	const struct exchange_source *source; /* NULL = none yet */
	unsigned attempts;                    /* calls that sources before this one started */
	struct run_sink sink;
	struct flight_options options;
	struct flight *flight; /* that it runs alone; NULL = none */
	struct caching caching;
	struct limiting limiting;
	struct look_back *look_back; /* in the arena; NULL = none is under way */
	struct reading *reading;     /* from DECODE to ADMIT */
	struct fanout_run *fanout;   /* of a fan-out, in the arena */
	struct recast *recast;       /* a complete answer that is being made and sent; NULL = none */
	struct telling *telling;     /* a stream that is told in another dialect; NULL = none */
	bool relays_own;             /* the stream is that of a backend which speaks the client's dialect */
	struct observers observers;
	struct report report; /* one of them */
};

static inline struct plan_worker *exchange_plan(const struct exchange *exchange)
{
	return &exchange->worker->flights.plan;
}

static inline const struct config *exchange_config(const struct exchange *exchange)
{
	return exchange_plan(exchange)->config;
}

static inline struct timers *exchange_timers(const struct exchange *exchange)
{
	return &exchange_plan(exchange)->reactor->timers;
}

static inline uint64_t exchange_now(const struct exchange *exchange)
{
	return timers_now(exchange_timers(exchange));
}

/* Whatever lives as long as the exchange may be there, and lives as long as its flight then. */
static inline struct arena *exchange_arena(const struct exchange *exchange)
{
	return &exchange->request->arena;
}

/* An event of the answer, for all observers. relayed: it goes to the client, as a piece of the answer. */
static inline void exchange_note(const struct exchange *exchange, const struct event *event, bool relayed)
{
	observers_tell_event(&exchange->observers, event, relayed, exchange_now(exchange));
}

/* ---- machine.c ---- */

/* Takes steps until one has to wait. Returns false when the exchange is gone. */
bool exchange_go(struct exchange *exchange, enum exchange_step step);

/* The one that changes the state; traps when that is not allowed. */
void exchange_set_state(struct exchange *exchange, enum exchange_state state);

/* Calls that were started for it so far. */
unsigned exchange_attempts(const struct exchange *exchange);

/* These say what comes next: the exchange fails with the code's failure; is complete; is cut off. */
enum exchange_step exchange_fails(struct exchange *exchange, enum error_code code);
enum exchange_step exchange_completes(struct exchange *exchange);
enum exchange_step exchange_cuts(struct exchange *exchange, enum error_code code);

/* ---- cancel.c ---- */

/* Leaves the source of the answer for another one; NULL = none. */
void exchange_set_source(struct exchange *exchange, const struct exchange_source *source);

/* ---- send.c ---- */

/* The head of a good answer; that of a stream may have gone out before. target: who gives it, NULL = several.
 * content_length: bytes, -1 = unknown. */
void exchange_head(struct exchange *exchange, enum exchange_state state, const struct config_plan *target,
		   int64_t content_length);

/* Sends bytes, and pauses the source when the client falls behind. False when out of memory: exchange_cuts() then. */
bool exchange_send(struct exchange *exchange, struct span bytes);

/* Sends bytes. Returns what comes next: WAIT, or END when memory ran out. */
enum exchange_step exchange_write(struct exchange *exchange, struct span bytes);

/* The client has the answer already: says so (304). */
enum exchange_step exchange_send_unchanged(struct exchange *exchange);

/* Pauses the answer if enough of it waits for the client: memory is tight, and more is about to be read. */
void exchange_on_tight(struct run_sink *sink);

/* The client took what it was given. */
void exchange_resume(struct exchange *exchange);

/* ---- keepalive.c ---- */

/* Watches for silence from here on, and no more. */
void exchange_keepalive_begin(struct exchange *exchange);
void exchange_keepalive_end(struct exchange *exchange);
/* A backend sent a comment: as good as one of ours. */
void exchange_on_comment(struct run_sink *sink);

/* ---- cache_lookup.c ---- */

/* Says what an answer is kept with, but for its key; the model is known. */
void exchange_keep_under(struct exchange *exchange, struct span tenant);

/* ---- fail.c ---- */

/* The request itself is at fault: tells the first finding, with all of them as its details. */
enum exchange_step exchange_refuse_findings(struct exchange *exchange, const struct findings *findings);

/* ---- join.c ---- */

/* Gathers a whole answer, of which this is an event; sends it once it is complete, in the form and dialect that the
 * client asked for. */
enum exchange_step exchange_gather(struct exchange *exchange, const struct event *event);
enum exchange_step exchange_give_gathered(struct exchange *exchange);

/* Follows the flight of that request, or a new one, with events for source. */
enum exchange_step exchange_follow(struct exchange *exchange, struct shared_request *ask,
				   const struct exchange_source *source);

/* The methods of a source that is a shared flight. */
void exchange_pause_follower(struct exchange *exchange, bool paused);
void exchange_leave_follower(struct exchange *exchange);
unsigned exchange_follower_attempts(const struct exchange *exchange);

/* Another replica, or somebody before, runs what was a miss here. */
void exchange_note_collapse(struct exchange *exchange);

/* ---- limiting.c ---- */

/* Says what comes next when limiting_take() did not take the request: WAIT, or FAIL. */
enum exchange_step limiting_stops(struct exchange *exchange, enum limiting_verdict verdict);

/* ---- the kinds, and the steps of each file ---- */

enum exchange_step exchange_recall(struct exchange *exchange);
enum exchange_step exchange_decode(struct exchange *exchange);
enum exchange_step exchange_admit(struct exchange *exchange);
enum exchange_step exchange_look_up(struct exchange *exchange);
enum exchange_step exchange_hit(struct exchange *exchange);
enum exchange_step exchange_join(struct exchange *exchange);
enum exchange_step exchange_lead(struct exchange *exchange);
enum exchange_step exchange_pass(struct exchange *exchange);
enum exchange_step exchange_fail(struct exchange *exchange);

#endif
