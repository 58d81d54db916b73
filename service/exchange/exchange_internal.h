/* SPDX-License-Identifier: MIT */
/* What the files that make up exchanges share: the exchange itself, and what it may say. Nobody else includes this. */
#ifndef SLUICE_SERVICE_EXCHANGE_INTERNAL_H
#define SLUICE_SERVICE_EXCHANGE_INTERNAL_H

#include "service/exchange/caching.h"
#include "service/exchange/exchange.h"
#include "service/flights/flight.h"
#include "service/exchange/reading.h"
#include "service/exchange/report.h"
#include "service/exchange/respond.h"
#include "service/loop/offload.h"

enum exchange_state {
	EXCHANGE_ST_NEW,     /* nothing is known yet */
	EXCHANGE_ST_READING, /* a helper thread reads the request; nothing was sent */
	EXCHANGE_ST_WAITING, /* the flight runs, nothing was sent */
	EXCHANGE_ST_STREAM,  /* the head of a stream was sent */
	EXCHANGE_ST_BODY,    /* the head of a whole answer was sent */
	EXCHANGE_ST_ENDED,   /* the response is complete, aborted, or nobody waits for it */
	EXCHANGE_ST_COUNT
};

struct decoded;
struct exchange;
struct reading_job;
struct recast;

/* What makes an exchange of a request. */
struct exchange_kind {
	/* Reads the request. Thread-safe: knows nothing but what the reading says. */
	void (*read)(struct reading *reading);
	/* Takes what was read well, but for exchange->request, which is there. The plan to run; NULL with findings to
	 * refuse it. */
	const struct plan *(*admit)(struct exchange *exchange, struct reading *reading);
	/* Any event of the flight but an error. */
	void (*on_event)(struct exchange *exchange, const struct event *event);
	/* The exchange is over. NULL = nothing to do. */
	void (*close)(struct exchange *exchange);
};

extern const struct exchange_kind exchange_relay;
extern const struct exchange_kind exchange_fanout;

struct exchange {
	struct exchange_worker *worker;
	const struct exchange_kind *kind;
	struct respond_to to;
	struct offload_owner owner;
	enum exchange_state state;
	struct exchange *next;  /* of the worker */
	struct exchange **back; /* NULL = it is being ended */
	bool paused;
	struct timer stalled;   /* while it is paused */
	uint64_t taken;         /* bytes that the client had taken when the timer was started */
	struct timer keepalive; /* until a stream has been silent for too long (keepalive.c) */
	uint64_t sent_us;       /* when something was sent last */
	struct flight *flight;  /* its own; only its arena is used when it follows a shared one */
	struct flight_subscriber subscriber;
	struct openai_request request;
	struct reading_job *reading; /* EXCHANGE_ST_READING: the helper's */
	struct decoded *decoded;     /* what request is a part of, held by the flight; NULL = of nothing */
	struct run_tap *tap;         /* for the flight; NULL = none */
	struct fanout_run *fanout;   /* of a fan-out, in the flight's arena */
	struct caching caching;
	struct recast *recast; /* a complete answer that is being made and sent; NULL = none */
	struct buf out;        /* one framed event, or an error body */
	uint32_t party;        /* who is charged for it in the ledger */
	struct report report;
};

static inline uint64_t exchange_now(const struct exchange *exchange)
{
	return timers_now(&exchange->worker->flights.plan.reactor->timers);
}

/* The one that changes the state; traps when the step is not allowed. */
void exchange_set_state(struct exchange *exchange, enum exchange_state state);

/* The request itself is at fault: tells the first finding, with all of them as its details. The exchange is gone. */
void exchange_refuse_findings(struct exchange *exchange, const struct findings *findings);

/* Returns a small number in decimal digits; -1 for anything else. */
int64_t exchange_read_count(struct span text);

/* Reads the request, now or by a helper, and starts on what it asks for, unless the cache answers; refuses what is at
 * fault. Never CACHING_PASSED or CACHING_FAILED. */
enum caching_step exchange_admit(struct exchange *exchange, const struct exchange_request *request);

/* A helper has read the request of an exchange in EXCHANGE_ST_READING. decoded: takes a holder if it needs one. */
void exchange_on_read(struct exchange *exchange, struct reading *reading, struct decoded *decoded);

/* Calls that were started for it so far. */
unsigned exchange_attempts(const struct exchange *exchange);

/* Watches for silence from here on, and no more. */
void keepalive_begin(struct exchange *exchange);
void keepalive_end(struct exchange *exchange);
/* A backend sent a comment: as good as one of ours. */
void keepalive_on_comment(struct flight_subscriber *subscriber);

/* The head of a good answer; that of a stream may have gone out before. target: who gives it, NULL = several.
 * content_length: bytes, -1 = unknown. */
void exchange_head(struct exchange *exchange, enum exchange_state state, const struct config_plan *target,
		   int64_t content_length);

/* Sends bytes, and pauses the flight when the client falls behind. False when out of memory. */
bool exchange_send(struct exchange *exchange, struct span bytes);

/* As exchange_send; false when the exchange ended over it. */
bool exchange_write(struct exchange *exchange, struct span bytes);

/* The ends of an exchange, which is gone when they return: complete; visibly cut; told as far as it still can be. */
void exchange_finish(struct exchange *exchange);
void exchange_abort(struct exchange *exchange, enum error_code code);
void exchange_fail_code(struct exchange *exchange, enum error_code code);

#endif
