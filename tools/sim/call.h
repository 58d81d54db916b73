/* SPDX-License-Identifier: MIT */
/*
 * One call: what is answered, when, and with which fault. A call lives inside
 * its connection and is begun and finished many times. It queues bytes on the
 * wire and says what should happen next; it never touches a socket.
 */
#ifndef SLUICE_TOOLS_SIM_CALL_H
#define SLUICE_TOOLS_SIM_CALL_H

#include "tools/sim/answer.h"
#include "tools/sim/http_parse.h"
#include "tools/sim/sim.h"
#include "tools/sim/wire.h"

enum call_state { CALL_ST_IDLE, CALL_ST_HEAD, CALL_ST_BODY, CALL_ST_TAIL, CALL_ST_HANG, CALL_ST_END };

/* Where the body comes from. */
enum call_body { CALL_BODY_FIXED, CALL_BODY_JSON, CALL_BODY_SSE, CALL_BODY_BOMB, CALL_BODY_LINE };

/* What the connection does when the wire has drained. */
enum call_verdict {
	CALL_AGAIN, /* step again */
	CALL_WAIT,  /* step again at due_us */
	CALL_HANG,  /* nothing, until the peer leaves or the gate opens */
	CALL_KEEP,  /* the answer is over, take the next request */
	CALL_FIN,   /* close */
	CALL_RST    /* close with a reset */
};

struct call {
	struct sim *sim;
	struct wire *wire; /* the connection's */
	uint64_t connection;
	enum call_state state;
	enum call_body body;
	uint64_t id; /* in the journal; 0 = not recorded */
	enum fault fault;
	struct knobs knobs;
	struct arena arena; /* what was decoded, until the call is finished */
	struct ask ask;
	struct answer answer;
	bool has_answer;
	struct buf fixed;   /* body of CALL_BODY_FIXED */
	struct gzip gzip;   /* of CALL_BODY_BOMB */
	struct span target; /* of the request, for redirects */
	int status;
	const char *content_type; /* static */
	uint64_t started_us, due_us, content_due_us;
	uint64_t left;            /* bytes of CALL_BODY_BOMB and CALL_BODY_LINE to come */
	bool opened;              /* the body has begun */
	bool fault_done;          /* a fault that happens once has happened */
	bool keep_alive;          /* the client's wish */
	bool doomed;              /* the next request on this connection gets nothing */
	enum call_verdict ending; /* of CALL_ST_END */
	enum journal_end outcome; /* what a finished answer counts as */
};

/* Sets an idle call up. sim, wire: borrowed for life. */
void call_init(struct call *call, struct sim *sim, struct wire *wire, uint64_t connection);

/* Begins the answer to a request. body and the bytes that request points to: borrowed until call_finish. */
void call_begin(struct call *call, const struct http_request *request, struct span body);

/* Begins an answer to something that was no request. message: static. */
void call_begin_bad(struct call *call, int status, const char *message);

/* Moves on; to be called when everything queued was sent. */
enum call_verdict call_step(struct call *call);

/* Ends the call, whatever its state, and records how; harmless when idle. */
void call_finish(struct call *call, enum journal_end end);

/* The call's record; NULL when there is none. */
struct journal_call *call_record(struct call *call);

/* For the parts of call: */

/* Ends the answer once everything queued was sent. */
enum call_verdict call_end(struct call *call, enum call_verdict ending, enum journal_end outcome);
/* Ends the body properly, then as the fault and the client wish. */
enum call_verdict call_end_body(struct call *call, enum journal_end outcome);
/* Hangs, for ever or for the knob `for`; the fault is then over. */
enum call_verdict call_hang(struct call *call);
/* True when a fault of stage CONTENT is due at the present token. */
bool call_content_fault_due(const struct call *call);
/* The next step of a stream's body. */
enum call_verdict call_stream_step(struct call *call);
/* Writes the response head. */
void call_head(struct call *call);
/* Puts an OpenAI error into the fixed body. type, code: NULL means by status and null. */
void call_fix_error(struct call *call, int status, struct span message, const char *param, const char *code);

#endif
