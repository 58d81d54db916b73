/* SPDX-License-Identifier: MIT */
/*
 * The body of a stream: events in order, paced, dressed as SSE, and the faults
 * that act between them. Renders one tick at a time; the next tick comes only
 * when the wire has drained, so a slow reader stops the generation.
 */
#include <inttypes.h>

#include "tools/sim/call.h"
#include "tools/sim/message.h"

enum { TICK_BYTES_MOST = 256 * 1024 };

/* Fields, comments and line ends that a WHATWG parser must see through; the logical events stay the same. */
static void dress_odd(struct call *call, struct buf *out, struct span payload)
{
	uint64_t turn = call->wire->body == 0 ? 0 : call->answer.emitted;
	if (call->wire->body == 0)
		buf_append(out, SPAN("\xef\xbb\xbf"));
	bool object = payload.len > 1 && payload.at[0] == '{';
	switch (turn % 5) {
	case 0:
		buf_append(out, SPAN(": a comment\n:\ndata:"));
		buf_append(out, payload);
		buf_append(out, SPAN("\n\n"));
		return;
	case 1: /* CRLF, cut between the last CR and LF */
		buf_append(out, SPAN("event: message\r\ndata: "));
		buf_append(out, payload);
		buf_append(out, SPAN("\r\n\r\n"));
		call->wire->cut_body = call->wire->body + buf_len(out) - 1;
		return;
	case 2: /* CR alone */
		buf_append(out, SPAN("id: 7\rdata: "));
		buf_append(out, payload);
		buf_append(out, SPAN("\r\r"));
		return;
	case 3: /* two data lines: a line feed between tokens of JSON */
		buf_append(out, object ? SPAN("data: {\ndata: ") : SPAN("data: "));
		buf_append(out, object ? (struct span){payload.at + 1, payload.len - 1} : payload);
		buf_append(out, SPAN("\n\n"));
		return;
	default: /* unknown fields, mixed line ends, cut inside the first of them */
		buf_append(out, SPAN("retry: 3000\r\nunknown: x\rnocolon\n"));
		call->wire->cut_body = call->wire->body + 12;
		buf_append(out, SPAN("data: "));
		buf_append(out, payload);
		buf_append(out, SPAN("\r\n\n"));
		return;
	}
}

static bool is_message(const struct call *call)
{
	return call->answer.ask->kind == ASK_MESSAGES;
}

/* The events of messages have names. */
static void name_append(const struct call *call, struct buf *out, struct span payload)
{
	struct span name = is_message(call) ? message_event_name(payload) : SPAN("");
	if (name.len > 0)
		buf_printf(out, "event: %.*s\n", SPAN_ARG(name));
}

/* Sends one event. */
static void event_send(struct call *call, struct span payload)
{
	struct buf *dress = &call->sim->dress;
	buf_reset(dress);
	if (call->fault == FAULT_SSE_ODD) {
		dress_odd(call, dress, payload);
	} else {
		if (call->fault == FAULT_PINGS)
			buf_append(dress, SPAN(": ping\n\n"));
		name_append(call, dress, payload);
		buf_append(dress, SPAN("data: "));
		buf_append(dress, payload);
		buf_append(dress, SPAN("\n\n"));
	}
	wire_body(call->wire, buf_span(dress));
	call->sim->counters.events++;
	struct journal_call *record = call_record(call);
	if (record == NULL)
		return;
	record->events_sent++;
	record->tokens_sent = call->answer.emitted;
	record->bytes_sent = call->wire->sent;
}

static void payload_send(struct call *call)
{
	event_send(call, buf_span(&call->sim->payload));
}

static struct buf *payload_begin(struct call *call)
{
	buf_reset(&call->sim->payload);
	return &call->sim->payload;
}

static void error_send(struct call *call)
{
	const struct knobs *knobs = &call->knobs;
	struct span type = knobs_has(knobs, KNOB_TYPE) ? knobs->text[KNOB_TYPE] : SPAN("server_error");
	struct span code = knobs_has(knobs, KNOB_CODE) ? knobs->text[KNOB_CODE] : (struct span){NULL, 0};
	if (is_message(call))
		message_error(payload_begin(call), SPAN("The simulated engine failed"), code.at == NULL ? type : code,
			      500);
	else
		answer_error(payload_begin(call), SPAN("The simulated engine failed"), type, NULL, code);
	payload_send(call);
}

/* The opening of a stream: a role for every choice. */
static void open_send(struct call *call)
{
	struct answer *answer = &call->answer;
	call->opened = true;
	if (is_message(call) && call->fault != FAULT_ERROR_FIRST_EVENT) {
		message_event_start(answer, payload_begin(call));
		payload_send(call);
		message_event_block(answer, payload_begin(call));
		payload_send(call);
	}
	if (answer->ask->kind != ASK_CHAT || call->fault == FAULT_ERROR_FIRST_EVENT)
		return;
	for (uint32_t choice = 0; choice < answer->ask->choices; choice++) {
		if (answer->without_role && !answer->tool)
			break;
		answer_event_role(answer, payload_begin(call), choice);
		payload_send(call);
	}
}

/* An event that stops in the middle of its JSON. */
static void broken_send(struct call *call)
{
	struct buf *payload = payload_begin(call);
	buf_append(payload, call->answer.opening);
	buf_append(payload, SPAN("{\"index\":0,\"del"));
	payload_send(call);
	call->fault_done = true;
}

/* A chunk that promises more than it brings, then FIN. */
static enum call_verdict fin_mid(struct call *call)
{
	if (call->wire->chunked)
		wire_raw(call->wire, SPAN("100\r\n"));
	wire_raw(call->wire, SPAN("data: {\"id\":\"chatcmpl-"));
	return call_end(call, CALL_FIN, JOURNAL_FAULT);
}

static enum call_verdict content_fault(struct call *call)
{
	switch (call->fault) {
	case FAULT_EVENTS_THEN_HANG:
		return call_hang(call);
	case FAULT_RESET_MID:
		return call_end(call, CALL_RST, JOURNAL_FAULT);
	case FAULT_FIN_MID:
		return fin_mid(call);
	case FAULT_ERROR_FIRST_EVENT:
	case FAULT_ERROR_MID:
		error_send(call);
		return call_end_body(call, JOURNAL_FAULT);
	case FAULT_LONG_LINE:
		wire_body(call->wire, SPAN("data: {\"id\":\""));
		call->body = CALL_BODY_LINE;
		call->left = knobs_get(&call->knobs, KNOB_BYTES, 100 * 1024 * 1024);
		return CALL_AGAIN;
	default: /* end_no_finish */
		return call_end_body(call, JOURNAL_FAULT);
	}
}

static void usage_send(struct call *call)
{
	if (!call->answer.usage && call->fault != FAULT_USAGE_ALWAYS)
		return;
	answer_event_usage(&call->answer, payload_begin(call));
	payload_send(call);
}

/* The end of a message. */
static void message_tail_send(struct call *call)
{
	if (call->fault != FAULT_DONE_NO_FINISH) {
		message_event_block_end(payload_begin(call));
		payload_send(call);
		message_event_finish(&call->answer, payload_begin(call));
		payload_send(call);
	}
	if (call->fault == FAULT_NO_DONE)
		return;
	message_event_stop(payload_begin(call));
	payload_send(call);
}

static enum call_verdict tail_step(struct call *call)
{
	struct answer *answer = &call->answer;
	bool whole = call->fault != FAULT_NO_DONE && call->fault != FAULT_DONE_NO_FINISH;
	if (is_message(call)) {
		message_tail_send(call);
		return call_end_body(call, whole ? JOURNAL_COMPLETE : JOURNAL_FAULT);
	}
	for (uint32_t choice = 0; choice < answer->ask->choices && call->fault != FAULT_DONE_NO_FINISH; choice++) {
		answer_event_finish(answer, payload_begin(call), choice);
		payload_send(call);
	}
	usage_send(call);
	if (call->fault != FAULT_NO_DONE)
		event_send(call, SPAN("[DONE]"));
	return call_end_body(call, whole ? JOURNAL_COMPLETE : JOURNAL_FAULT);
}

/* An answer without a single choice. */
static enum call_verdict no_choices(struct call *call)
{
	struct buf *payload = payload_begin(call);
	buf_append(payload, call->answer.opening);
	buf_append(payload, SPAN("]}"));
	payload_send(call);
	event_send(call, SPAN("[DONE]"));
	return call_end_body(call, JOURNAL_FAULT);
}

static void schedule_next(struct call *call)
{
	uint64_t now = timers_now(&call->sim->timers);
	uint64_t jitter = knobs_get(&call->knobs, KNOB_JITTER, 0);
	if (call->fault == FAULT_SLOW_BYTES)
		return; /* itl is between bytes there */
	call->due_us += knobs_get(&call->knobs, KNOB_ITL, 5000);
	if (jitter > 0)
		call->due_us += sim_random(call->sim) % (jitter + 1);
	if (call->due_us + 1000000 < now)
		call->due_us = now; /* after a stall: do not race to catch up */
}

/* One tick: burst tokens of every choice. */
static enum call_verdict tokens_step(struct call *call)
{
	struct answer *answer = &call->answer;
	uint64_t tick = knobs_get(&call->knobs, KNOB_BURST, 1) * answer->ask->choices;
	uint64_t total = answer_total(answer);
	for (; tick > 0 && answer->emitted < total && buf_len(&call->wire->out) < TICK_BYTES_MOST; tick--) {
		if (call_content_fault_due(call) && call->fault != FAULT_BROKEN_JSON)
			return content_fault(call);
		if (call_content_fault_due(call))
			broken_send(call);
		if (is_message(call))
			message_event_token(answer, payload_begin(call));
		else
			answer_event_token(answer, payload_begin(call));
		payload_send(call);
	}
	if (answer->emitted < total) {
		schedule_next(call);
		return CALL_AGAIN;
	}
	if (call_content_fault_due(call) && call->fault != FAULT_BROKEN_JSON)
		return content_fault(call);
	if (call_content_fault_due(call))
		broken_send(call);
	call->state = CALL_ST_TAIL;
	return CALL_AGAIN;
}

enum call_verdict call_stream_step(struct call *call)
{
	if (call->state == CALL_ST_TAIL)
		return tail_step(call);
	if (call->fault == FAULT_NO_CHOICES)
		return no_choices(call);
	if (!call->opened)
		open_send(call);
	if (call->fault == FAULT_ERROR_FIRST_EVENT)
		return content_fault(call);
	return tokens_step(call);
}
