/* SPDX-License-Identifier: MIT */
/*
 * The run of a target, shared by the files that implement it: target.c (the
 * call's life, timeouts, ends), target_stream.c (streamed answers) and
 * target_whole.c (whole answers and refusals).
 */
#ifndef SLUICE_SERVICE_PLAN_TARGET_H
#define SLUICE_SERVICE_PLAN_TARGET_H

#include "schemas/sse.h"
#include "service/plan/plan.h"

enum target_state {
	TARGET_ST_NEW,
	TARGET_ST_WAITING, /* the request is out, no head yet */
	TARGET_ST_STREAM,  /* a streamed answer arrives */
	TARGET_ST_WHOLE,   /* a whole answer arrives */
	TARGET_ST_REFUSAL, /* the body of an error status arrives */
	TARGET_ST_LINGER,  /* the answer is complete, the transfer may take a moment to end by itself */
	TARGET_ST_ENDED,   /* the terminal event was sent, or the run was cancelled */
	TARGET_ST_COUNT
};

struct target_run {
	struct run run;
	enum target_state state;
	unsigned busy;     /* depth of callbacks under way: buffers must stay */
	bool asked_usage;  /* we ask for usage, the client did not */
	bool content_seen; /* the first content event went up */
	bool paused;
	const struct config_plan *target;
	struct http_call *call;  /* NULL = none under way */
	int status;              /* of the response head */
	struct span retry_after; /* arena */
	uint64_t started_us;
	uint64_t last_event_us;   /* when the last complete event arrived */
	struct timer silence;     /* first content, then idle */
	struct timer total;       /* of the answer, then of lingering */
	struct task late_failure; /* a failure at start, told at the end of the turn */
	enum error_code late_code;
	struct buf request;   /* body of the request */
	struct buf answer;    /* whole answer or refusal */
	int64_t answer_total; /* bytes announced; -1 = not told */
	size_t answer_sent;   /* bytes of a whole answer passed up already: more than 0 = committed */
	struct sse_parser sse;
	struct openai_stream stream;
};

/* Sends an event up. The run may have been cancelled when it returns. */
void target_emit(struct target_run *target, struct event *event);

/* The answer is complete: END goes up, the transfer may linger. */
void target_complete(struct target_run *target);

/* The answer failed: aborts the call, ERROR goes up. failure->target is filled in. */
void target_fail(struct target_run *target, struct failure *failure);

/* As target_fail, from a code alone. */
void target_fail_code(struct target_run *target, enum error_code code);

/* The first content arrived: from here on the idle timeout holds. */
void target_content(struct target_run *target);

/* A complete event arrived: the idle timeout starts anew. */
void target_alive(struct target_run *target);

/* True when every choice that was asked for, and every one that began, has its finish_reason. */
bool target_stream_is_finished(const struct target_run *target);

/* Body bytes and the end of the transfer, by kind of answer. */
void target_stream_on_body(struct target_run *target, struct span bytes);
void target_stream_on_end(struct target_run *target, enum error_code error);
void target_whole_on_body(struct target_run *target, struct span bytes);
void target_whole_on_end(struct target_run *target, enum error_code error);
void target_refusal_on_body(struct target_run *target, struct span bytes);
void target_refusal_on_end(struct target_run *target);

#endif
