/* SPDX-License-Identifier: MIT */
/* The state machine of a call; call.h holds the contract. */
#include "tools/sim/call.h"

#include "tools/sim/listen.h"

enum { PIECE_BYTES = 64 * 1024, FIXED_CEILING = 512 * 1024 * 1024 };

void call_init(struct call *call, struct sim *sim, struct wire *wire, uint64_t connection)
{
	*call = (struct call){.sim = sim, .wire = wire, .connection = connection};
	arena_init(&call->arena, 0);
	buf_init(&call->fixed, FIXED_CEILING);
}

struct journal_call *call_record(struct call *call)
{
	return journal_find(&call->sim->journal, call->id);
}

static void count_end(struct sim_counters *counters, enum journal_end end)
{
	counters->complete += end == JOURNAL_COMPLETE;
	counters->peer_closed += end == JOURNAL_PEER_CLOSED;
	counters->faults += end == JOURNAL_FAULT;
}

void call_finish(struct call *call, enum journal_end end)
{
	if (call->state == CALL_ST_IDLE)
		return;
	struct journal_call *record = call_record(call);
	if (record != NULL) {
		record->bytes_sent = call->wire->sent;
		if (end == JOURNAL_PEER_CLOSED)
			record->peer_left_at_us = timers_now(&call->sim->timers);
	}
	if (call->id != 0) {
		journal_finish(&call->sim->journal, call->id, end, timers_now(&call->sim->timers));
		count_end(&call->sim->counters, end);
		call->sim->counters.bytes += call->wire->sent;
	}
	if (call->has_answer)
		answer_fini(&call->answer);
	call->has_answer = false;
	buf_fini(&call->fixed);
	arena_fini(&call->arena);
	arena_init(&call->arena, 0);
	call->id = 0;
	call->state = CALL_ST_IDLE;
}

enum call_verdict call_end(struct call *call, enum call_verdict ending, enum journal_end outcome)
{
	call->state = CALL_ST_END;
	call->ending = ending;
	call->outcome = outcome;
	call->due_us = timers_now(&call->sim->timers);
	if (ending == CALL_RST)
		call->due_us += knobs_get(&call->knobs, KNOB_GAP, 2000);
	else if (call->fault == FAULT_STALE_CONN)
		call->due_us += knobs_get(&call->knobs, KNOB_GAP, 0);
	return CALL_AGAIN;
}

enum call_verdict call_end_body(struct call *call, enum journal_end outcome)
{
	wire_end(call->wire);
	call->doomed = call->fault == FAULT_STALE_ON_REUSE;
	bool close = !call->keep_alive || call->fault == FAULT_WRONG_CONTENT_LENGTH ||
		     call->fault == FAULT_STALE_CONN || call->fault == FAULT_HTTP10;
	return call_end(call, close ? CALL_FIN : CALL_KEEP, outcome);
}

enum call_verdict call_hang(struct call *call)
{
	if (!knobs_has(&call->knobs, KNOB_FOR)) {
		call->state = CALL_ST_HANG;
		return CALL_AGAIN;
	}
	call->due_us = timers_now(&call->sim->timers) + knobs_get(&call->knobs, KNOB_FOR, 0);
	call->fault = FAULT_NONE;
	return CALL_WAIT;
}

bool call_content_fault_due(const struct call *call)
{
	if (fault_row(call->fault)->stage != FAULT_STAGE_CONTENT || call->fault_done)
		return false;
	return call->answer.emitted >= knobs_get(&call->knobs, KNOB_AFTER, 3) ||
	       call->answer.emitted == answer_total(&call->answer);
}

static void queue_1xx(struct call *call)
{
	uint64_t count = knobs_get(&call->knobs, KNOB_COUNT, 5000);
	for (uint64_t i = 0; i < count; i++)
		wire_raw(call->wire, i % 2 == 0 ? SPAN("HTTP/1.1 103 Early Hints\r\nlink: </sim>\r\n\r\n")
						: SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* The step that sends the head, or what a fault puts in its place. */
static enum call_verdict head_step(struct call *call)
{
	switch (call->fault) {
	case FAULT_HANG_BEFORE_HEAD:
	case FAULT_ACCEPT_HANG:
		return call_hang(call);
	case FAULT_REFUSE:
		listener_close_for(&call->sim->main, knobs_get(&call->knobs, KNOB_FOR, 1000000));
		/* fall through */
	case FAULT_RESET_BEFORE_HEAD:
		return call_end(call, CALL_RST, JOURNAL_FAULT);
	case FAULT_FIN_BEFORE_HEAD:
		return call_end(call, CALL_FIN, JOURNAL_FAULT);
	case FAULT_MANY_1XX:
		queue_1xx(call);
		break;
	default:
		break;
	}
	call_head(call);
	struct journal_call *record = call_record(call);
	if (record != NULL)
		record->head_at_us = timers_now(&call->sim->timers);
	call->state = CALL_ST_BODY;
	call->due_us = call->content_due_us;
	if (call->fault == FAULT_HEAD_THEN_HANG)
		return call_hang(call);
	if (call->fault == FAULT_CLOSE_AFTER_HEAD)
		return call_end(call, CALL_FIN, JOURNAL_FAULT);
	/* A stream's head goes out by itself; other bodies follow in the same send. */
	return call->body == CALL_BODY_SSE ? CALL_AGAIN : call_step(call);
}

/* A content fault in the middle of a JSON body. */
static enum call_verdict json_fault(struct call *call)
{
	switch (call->fault) {
	case FAULT_EVENTS_THEN_HANG:
		return call_hang(call);
	case FAULT_RESET_MID:
		return call_end(call, CALL_RST, JOURNAL_FAULT);
	default: /* the Content-Length was promised: every other end is a FIN too early */
		return call_end(call, CALL_FIN, JOURNAL_FAULT);
	}
}

static enum call_verdict json_step(struct call *call)
{
	struct buf *payload = &call->sim->payload;
	bool more = true;
	buf_reset(payload);
	while (more && buf_len(payload) < PIECE_BYTES) {
		if (call->answer.part == ANSWER_TOKENS && call_content_fault_due(call))
			break;
		more = answer_json_next(&call->answer, payload);
	}
	wire_body(call->wire, buf_span(payload));
	struct journal_call *record = call_record(call);
	if (record != NULL)
		record->tokens_sent = call->answer.emitted;
	if (!more)
		return call_end_body(call, JOURNAL_COMPLETE);
	if (call->answer.part == ANSWER_TOKENS && call_content_fault_due(call))
		return json_fault(call);
	return CALL_AGAIN;
}

static enum call_verdict bomb_step(struct call *call)
{
	struct buf *payload = &call->sim->payload;
	buf_reset(payload);
	if (!call->opened) {
		gzip_begin(&call->gzip, payload);
		gzip_bomb_begin(&call->gzip, payload);
		call->left = knobs_get(&call->knobs, KNOB_BYTES, 1024 * 1024);
		call->opened = true;
	}
	size_t size = call->left > PIECE_BYTES ? PIECE_BYTES : (size_t)call->left;
	gzip_bomb_grow(&call->gzip, payload, size);
	call->left -= size;
	if (call->left == 0)
		gzip_bomb_end(&call->gzip, payload);
	wire_body(call->wire, buf_span(payload));
	return call->left == 0 ? call_end_body(call, JOURNAL_FAULT) : CALL_AGAIN;
}

/* More of a line that never ends; the opening was sent when the body became one. */
static enum call_verdict line_step(struct call *call)
{
	static char filling[PIECE_BYTES];
	if (filling[0] == '\0')
		memset(filling, 'x', sizeof filling);
	if (!call->opened) {
		wire_body(call->wire, SPAN("{\"id\":\""));
		call->opened = true;
	}
	size_t size = call->left > PIECE_BYTES ? PIECE_BYTES : (size_t)call->left;
	wire_body(call->wire, (struct span){filling, size});
	call->left -= size;
	return call->left == 0 ? call_end(call, CALL_FIN, JOURNAL_FAULT) : CALL_AGAIN;
}

static enum call_verdict body_step(struct call *call)
{
	switch (call->body) {
	case CALL_BODY_FIXED:
		wire_body(call->wire, buf_span(&call->fixed));
		return call_end_body(call, call->outcome);
	case CALL_BODY_JSON:
		return json_step(call);
	case CALL_BODY_BOMB:
		return bomb_step(call);
	case CALL_BODY_LINE:
		return line_step(call);
	case CALL_BODY_SSE:
		break;
	}
	return call_stream_step(call);
}

/* Returns whether the call waits for the gate: a stream behind its tokens, any other answer before its head. */
static bool is_gated(const struct call *call)
{
	if (!knobs_has(&call->knobs, KNOB_GATE) || call->sim->gate_open)
		return false;
	if (call->body != CALL_BODY_SSE)
		return call->state == CALL_ST_HEAD;
	return (call->state == CALL_ST_BODY || call->state == CALL_ST_TAIL) &&
	       call->answer.emitted >= knobs_get(&call->knobs, KNOB_GATE, 0) * call->ask.choices;
}

enum call_verdict call_step(struct call *call)
{
	if (call->state == CALL_ST_HANG || is_gated(call))
		return CALL_HANG;
	if (call->due_us > timers_now(&call->sim->timers))
		return CALL_WAIT;
	switch (call->state) {
	case CALL_ST_HEAD:
		return head_step(call);
	case CALL_ST_BODY:
		return body_step(call);
	case CALL_ST_TAIL:
		return call_stream_step(call);
	default:
		return call->ending;
	}
}
