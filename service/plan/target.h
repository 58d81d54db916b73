/* SPDX-License-Identifier: MIT */
/*
 * The run of a target, shared by the files that implement it: target.c (the
 * run's life, timeouts, ends), target_answer.c (head, body and end of what comes back), target_gate.c (whether and when
 * a call may start), target_request.c (the request that goes out), target_timeouts.c (the limits of silence),
 * target_writing.c (the same in another dialect), target_stream.c (streamed answers), target_whole.c (whole answers),
 * target_translate.c (backends of another dialect than the request's), target_form.c (answers of the other form than
 * was asked for) and target_refusal.c (error statuses).
 */
#ifndef SLUICE_SERVICE_PLAN_TARGET_H
#define SLUICE_SERVICE_PLAN_TARGET_H

#include "lib/decoder.h"
#include "schemas/dialect.h"
#include "schemas/sse.h"
#include "service/health/health.h"
#include "service/health/limit.h"
#include "service/plan/answer_slices.h"
#include "service/plan/plan.h"
#include "service/plan/resume.h"

enum target_state {
	TARGET_ST_NEW,
	TARGET_ST_QUEUED,  /* waits for a place among the target's calls */
	TARGET_ST_HELD,    /* waits until others have tried the target (service/health/standby.h) */
	TARGET_ST_WAITING, /* the request is out, or a helper writes it; no head yet */
	TARGET_ST_STREAM,  /* a streamed answer arrives */
	TARGET_ST_WHOLE,   /* a whole answer arrives */
	TARGET_ST_READ,    /* it is there, and a helper reads it or puts it together */
	TARGET_ST_REFUSAL, /* the body of an error status arrives */
	TARGET_ST_LINGER,  /* the answer is complete, the transfer may take a moment to end by itself */
	TARGET_ST_ENDED,   /* the terminal event was sent, or the run was cancelled */
	TARGET_ST_COUNT
};

/* What the backend's x-should-retry says. */
enum target_advice { TARGET_ADVICE_NONE, TARGET_ADVICE_RETRY, TARGET_ADVICE_STOP };

struct target_run {
	struct run run;
	enum target_state state;
	unsigned busy;      /* depth of callbacks under way: buffers must stay */
	bool asked_usage;   /* we ask for usage, the client did not */
	bool usage_refused; /* the backend refused that, and was asked again without */
	bool content_seen;  /* the first content event went up */
	bool paused;
	uint64_t contents; /* events with content */
	uint64_t content_bytes;
	struct usage usage; /* that was told last */
	bool tapped;        /* the tap was told that it started, and not yet how it ended */
	bool started;       /* a call went out */
	bool placed;        /* it holds a place of the target's limit */
	bool resent;        /* once more on another connection, as the first was stale */
	bool idle;          /* silence is bounded by the idle limit, no more by that of the first content */
	const struct config_plan *target;
	struct http_call *call;  /* NULL = none under way */
	int status;              /* of the response head */
	struct span retry_after; /* seconds, clamped; arena */
	enum target_advice advice;
	enum call_reason reason;   /* why it was started */
	unsigned lane;             /* what the tap calls it */
	struct health_call health; /* ticket */
	struct limit_waiter waiter;
	struct timer hold;         /* until it asks again for leave to start */
	uint64_t hold_step_us;     /* the next wait */
	uint64_t hold_until_us;    /* then it waits no more */
	uint64_t started_us;       /* of the call */
	uint64_t first_content_us; /* how long it took; 0 = there was none yet */
	uint64_t last_event_us;    /* when the last complete event arrived */
	uint64_t silence_left_us;  /* of the limit of silence, when the pause began */
	struct timer silence;      /* first content, then idle */
	struct timer total;        /* of the answer, then of lingering */
	struct task late_failure;  /* a failure at start, told at the end of the turn */
	struct failure late;
	struct buf request;      /* body of the request */
	struct buf answer;       /* whole answer or refusal */
	int64_t answer_total;    /* bytes announced; -1 = not told */
	size_t answer_sent;      /* bytes of a whole answer passed up already: more than 0 = committed */
	bool answer_cut;         /* answer is the beginning of one that failed, closed */
	struct decoder *decoder; /* of the body's content coding; NULL = none */
	struct sse_parser sse;
	const struct dialect *reads; /* the dialect of the bytes that come */
	void *stream;                /* what it remembers of a streamed answer */
	struct buf translated;       /* of a foreign backend: the event, or the whole answer, as others read it */
	struct buf own;              /* its bytes, for a client of its dialect */
	bool own_given;              /* they were passed up */
	struct event_origin origin;  /* of the events that go up */
	bool again;                  /* an event is read once more */
	struct target_collection *collection; /* of a stream for a whole answer; NULL = none (target_form.c) */
	struct answer_slices slices;          /* of answer, which is passed up or read a part at a time */
	void *watch;                          /* what the dialect remembers of a whole answer that passes in pieces */
	struct target_reading *reading;       /* TARGET_ST_READ: the helper's */
	struct target_writing *writing;       /* TARGET_ST_WAITING: a helper writes the request; NULL = none does */
};

static inline struct timers *target_timers(const struct target_run *target)
{
	return &target->run.context->worker->reactor->timers;
}

static inline uint64_t target_now(const struct target_run *target)
{
	return timers_now(target_timers(target));
}

/* The index of its backend in the configuration. */
static inline size_t target_backend_index(const struct target_run *target)
{
	return (size_t)(target->target->backend - target->run.context->worker->config->backends);
}

/* The one place where a target changes its state. */
void target_set_state(struct target_run *target, enum target_state state);

/* Asks for leave to start: target_begin, a place in the queue, or a late failure follows. */
void target_gate_enter(struct target_run *target);

/* Gives the place and the ticket back once the end of the call is known, or leaves the queue. */
void target_gate_leave(struct target_run *target, enum error_code code, enum failure_kind kind);

/* Notes, and logs once, that the backend refuses what the gateway wrote into the request: others need not find that
 * out. */
void target_note_refused(const struct target_run *target, enum health_rewrite what);

/* Notes that the target failed this request; later calls of it are judged by that. */
void target_gate_note(struct target_run *target, enum failure_kind kind);

/* The call may start now. */
void target_begin(struct target_run *target);

/* Starts the call of one that has begun. */
void target_proceed(struct target_run *target);

/* Has a helper write the request, when it is a heavy one of another dialect: target_proceed follows. */
bool target_prepare_apart(struct target_run *target);

/* What becomes of the call. */
extern const struct http_call_ops target_call_ops;

/* Most bytes of the request's body. */
size_t target_request_most(const struct target_run *target);

enum { TARGET_FIELDS_MOST = 4 };
/* Fills in the header fields of the request, and returns how many; their values borrow, or are in the arena. */
size_t target_headers(const struct target_run *target, struct http_field fields[TARGET_FIELDS_MOST]);

/* Sends the request. False when out of memory. */
bool target_call_start(struct target_run *target);

/* Aborts the transfer, if there is one. */
void target_drop_call(struct target_run *target);

/* The transfer is no more, by its own end or because we aborted it. */
void target_call_gone(struct target_run *target);

/* Fails at the end of the turn: for what may not fail at once. */
void target_fail_late(struct target_run *target, const struct failure *failure);

/* Around a callback in which the run may end: its buffers stay until target_leave. */
void target_enter(struct target_run *target);
void target_leave(struct target_run *target);

/* The run is over: aborts the call, stops all timers, gives the buffers back. */
void target_end(struct target_run *target);

/* Sends an event up. The run may have been cancelled when it returns. */
void target_emit(struct target_run *target, struct event *event);

/* The answer is complete: END goes up, the transfer may linger. before: what the backend sent before the end that
 * belongs to no event, such as comments; {NULL,0} = nothing. */
void target_complete(struct target_run *target, struct span before);

/* The answer failed: aborts the call, ERROR goes up. failure->target is filled in. */
void target_fail(struct target_run *target, struct failure *failure);

/* As target_fail, from a code alone. */
void target_fail_code(struct target_run *target, enum error_code code);

/* The first content arrived. */
void target_content(struct target_run *target);

/* The total timeout begins, and for a stream the one of its first content. False: out of memory. */
bool target_timeouts_begin(struct target_run *target);

/* How long the target may be silent in the middle of its answer, microseconds. */
uint64_t target_idle_limit(const struct target_run *target);

/* The limits of silence stand still, or go on. */
void target_timeouts_pause(struct target_run *target, bool paused);

/* Something complete arrived: from here on the idle limit holds, and starts anew. */
void target_alive(struct target_run *target);

/* True when every choice that was asked for, and every one that began, has its finish_reason. */
bool target_stream_is_finished(const struct target_run *target);

/* Body bytes and the end of the transfer, by kind of answer. */
void target_stream_on_body(struct target_run *target, struct span bytes);
void target_stream_on_end(struct target_run *target, enum error_code error);
void target_whole_on_body(struct target_run *target, struct span bytes);
void target_whole_on_end(struct target_run *target, enum error_code error);
/* Nobody wants the answer any more, whoever reads it. */
void target_whole_cancel(struct target_run *target);
/* Body bytes of any state, decoded. */
void target_take(struct target_run *target, struct span bytes);

/*
 * Answers of the other form. target_collect_begin: the stream that comes is gathered into a whole answer; false when
 * out of memory. target_collect takes an event, target_collect_end gives the answer up and completes the run.
 * target_replay_write appends the stream that a whole answer amounts to; thread-safe; false when it is no answer with
 * choices or memory ran out. target_replay takes that stream and reads it a part at a time.
 */
bool target_collect_begin(struct target_run *target);
void target_collect(struct target_run *target, struct event *event);
void target_collect_end(struct target_run *target);
void target_collect_fini(struct target_run *target);
bool target_replay_write(const struct dialect *dialect, enum endpoint endpoint, struct span body, struct buf *out);
void target_replay(struct target_run *target, struct buf *stream);

/*
 * Backends of another dialect than the request's: target_translate.c. target_is_foreign: the target has one.
 * target_fits: the request can be asked of it; else the run fails late. target_reads: from here on bytes of that
 * dialect are read; false when out of memory.
 */
static inline bool target_is_foreign(const struct target_run *target)
{
	return target->run.plan->dialect != target->run.context->request->dialect;
}
/* Returns whether the client speaks the backend's dialect, which is not the request's. */
bool target_serves_own(const struct target_run *target);
bool target_fits(struct target_run *target);
bool target_reads(struct target_run *target, const struct dialect *dialect);
/* Prepares the buffers. */
void target_translation_begin(struct target_run *target);
/* Writes the request, and notes what it leaves out: target_writing.c. False: memory ran out. */
bool target_write_request(struct target_run *target, const struct request_splice *splice);
/* Has a helper do that, when it would hold the loop's turn; target_proceed follows. False: it would not. */
bool target_write_apart(struct target_run *target, const struct request_splice *splice);
/* Nobody needs it any more. */
void target_writing_cancel(struct target_run *target);
/* Returns whether the request that was written left nothing out, or that does not matter; else false with the failure.
 */
bool target_is_told_all(struct target_run *target, struct failure *failure);
/* Returns the event that was read as others read it: it borrows from the target until the next one. */
struct event target_translate_event(struct target_run *target, const struct answer_reading *reading);
/* Keeps the bytes of an event for a client of the backend's dialect. Returns ERROR_NONE, or why they cannot be kept. */
enum error_code target_keep_own(struct target_run *target, struct span raw);
/* Gives the next event that goes up what was kept and not given yet. */
void target_give_own(struct target_run *target);

/* A whole answer of another dialect. */
struct answer_translation {
	const struct dialect *to;
	enum endpoint endpoint;
	int64_t created; /* Unix seconds, where it does not say it */
	uint32_t party;
	struct buf *out; /* is appended to; its ceiling is that of the texts as well */
};
/* Writes the answer that was read. False: it has no choices, or memory ran out (*exhausted). Thread-safe. */
bool target_translate_answer(const struct answer_translation *translation, struct answer_reading *reading,
			     bool *exhausted);

void target_refusal_on_body(struct target_run *target, struct span bytes);
void target_refusal_on_end(struct target_run *target);

/* Fails: the answer holds an error although its status was 200. error: NULL = memory ran out. */
void target_fail_inside(struct target_run *target, const struct backend_error *error);

/* Sends the request once more, without asking for usage, which the backend refused; the run fails if it can't. */
void target_ask_again(struct target_run *target);

#endif
