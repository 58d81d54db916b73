/* SPDX-License-Identifier: MIT */
/* The response head, with the ways in which faults spoil it. Decides the framing of the body on the wire. */
#include <inttypes.h>

#include "tools/sim/call.h"

enum { LENGTH_TOKENS_MOST = 4000000 }; /* beyond it, adding the length up would hold the others up */

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
	    {200, "OK"},
	    {302, "Found"},
	    {307, "Temporary Redirect"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {413, "Content Too Large"},
	    {422, "Unprocessable Content"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {529, "Overloaded"},
	};
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Status";
}

static void write_huge(struct call *call, struct buf *out)
{
	uint64_t left = knobs_get(&call->knobs, KNOB_BYTES, 300 * 1024);
	for (unsigned i = 0; left > 0 && !buf_failed(out); i++) {
		size_t size = left > 1000 ? 1000 : (size_t)left;
		buf_printf(out, "x-huge-%06u: %0*d\r\n", i, (int)size, 0);
		left -= size;
	}
}

/* Length of a body that is known beforehand; false when it is not. */
static bool known_length(struct call *call, uint64_t *length)
{
	if (call->body == CALL_BODY_FIXED)
		*length = buf_len(&call->fixed);
	else if (call->body == CALL_BODY_JSON && answer_total(&call->answer) <= LENGTH_TOKENS_MOST)
		*length = answer_json_length(&call->answer, &call->sim->payload);
	else
		return false;
	return true;
}

/* The framing of the body, good or as the fault wants it. */
static void write_framing(struct call *call, struct buf *out)
{
	uint64_t length = 0;
	bool known = call->fault != FAULT_GZIP_UNSOLICITED && known_length(call, &length);
	switch (call->fault) {
	case FAULT_HTTP10:
		return;
	case FAULT_WRONG_CONTENT_LENGTH:
		buf_printf(out, "content-length: %" PRIu64 "\r\n", known ? length + 100 : UINT64_C(1000000000));
		return;
	case FAULT_SHORT_CONTENT_LENGTH:
		buf_printf(out, "content-length: %" PRIu64 "\r\n", known ? length / 2 : UINT64_C(100));
		return;
	case FAULT_CL_AND_TE:
		buf_printf(out, "content-length: %" PRIu64 "\r\n", known ? length : UINT64_C(100));
		known = false;
		break;
	default:
		break;
	}
	if (known) {
		buf_printf(out, "content-length: %" PRIu64 "\r\n", length);
		return;
	}
	buf_append(out, SPAN("transfer-encoding: chunked\r\n"));
	call->wire->chunked = true;
}

static void write_extras(struct call *call, struct buf *out)
{
	struct sim *sim = call->sim;
	buf_printf(out, "x-request-id: req_%s_%" PRIu64 "\r\nx-sim-name: %s\r\n", sim->options.name, call->id,
		   sim->options.name);
	if (call->body == CALL_BODY_SSE)
		buf_append(out, SPAN("cache-control: no-cache\r\n"));
	if (knobs_has(&call->knobs, KNOB_RETRY_AFTER))
		buf_printf(out, "retry-after: %.*s\r\n", SPAN_ARG(call->knobs.text[KNOB_RETRY_AFTER]));
	if (call->fault == FAULT_REDIRECT)
		buf_printf(out, "location: %.*s\r\n", SPAN_ARG(call->target));
	if (call->fault == FAULT_GZIP_UNSOLICITED || call->fault == FAULT_GZIP_BOMB)
		buf_append(out, SPAN("content-encoding: gzip\r\n"));
	if (call->fault == FAULT_HUGE_HEADERS)
		write_huge(call, out);
	if (call->fault == FAULT_HTTP10 || !call->keep_alive)
		buf_append(out, SPAN("connection: close\r\n"));
}

/* Places where the sending of this response is cut. */
static void set_cuts(struct call *call)
{
	struct wire *wire = call->wire;
	if (knobs_has(&call->knobs, KNOB_SPLIT_AT))
		wire->cut_body = knobs_get(&call->knobs, KNOB_SPLIT_AT, 0);
	if (knobs_has(&call->knobs, KNOB_SPLIT))
		wire->split = knobs_get(&call->knobs, KNOB_SPLIT, 0);
}

void call_head(struct call *call)
{
	struct buf *head = &call->sim->dress;
	struct journal_call *record = call_record(call);
	wire_begin(call->wire);
	set_cuts(call);
	buf_reset(head);
	if (record != NULL)
		record->status = call->status;
	buf_printf(head, "HTTP/1.%c %d %s\r\n", call->fault == FAULT_HTTP10 ? '0' : '1', call->status,
		   reason(call->status));
	if (call->content_type != NULL)
		buf_printf(head, "content-type: %s\r\n", call->content_type);
	write_framing(call, head);
	write_extras(call, head);
	buf_append(head, SPAN("\r\n"));
	wire_raw(call->wire, buf_span(head));
	if (call->fault == FAULT_GZIP_UNSOLICITED)
		wire_gzip(call->wire);
	if (call->fault == FAULT_SLOW_BYTES) {
		call->wire->split = 1;
		call->wire->split_from = call->wire->queued;
	}
}
