/* SPDX-License-Identifier: MIT */
/* Events as bytes; flight_wire.h holds the contract. */
#include "service/flights/flight_wire.h"

#include "lib/little_endian.h"
#include "schemas/dialect.h"
#include "service/flights/flight_log.h"
#include "service/plan/causes.h"

/*
 *   version 1, kind 1, flags 1, carries 1, number 8, total 8, prompt, completion and total tokens 8 each,
 *   then texts, each with its length in front (4 bytes; all ones = there is none): target, raw, data (with WIRE_WITHIN:
 * where in raw it is, 8 bytes, and its length instead); of an error also: status 4, then code, message, param, details,
 * body, retry_after.
 */
enum {
	WIRE_VERSION = 1,
	WIRE_DETAILS_MOST = 65536,
	/* flags */
	WIRE_JOINED = 1,
	WIRE_GATHERED = 2,
	WIRE_WITHIN = 4,
	WIRE_RETRYABLE = 8,
	WIRE_SHOULD_RETRY = 16,
	WIRE_REFUSED = 32,
};

static const uint32_t wire_absent = UINT32_MAX;

static void wire_write_number(struct buf *out, uint64_t number, unsigned bytes)
{
	char text[8];
	little_endian_put(text, number, bytes);
	buf_append(out, (struct span){text, bytes});
}

static void wire_write_text(struct buf *out, struct span text)
{
	wire_write_number(out, text.at == NULL ? wire_absent : text.len, 4);
	if (text.at != NULL)
		buf_append(out, text);
}

static void wire_write_failure(struct buf *out, const struct failure *failure)
{
	struct buf causes;
	struct span details = failure->details;
	buf_init(&causes, WIRE_DETAILS_MOST);
	if (failure->causes != NULL && failure->causes->next != NULL) {
		causes_write(&causes, failure->causes);
		if (!buf_failed(&causes))
			details = buf_span(&causes);
	}
	wire_write_number(out, (uint64_t)failure->status, 4);
	wire_write_text(out, span_of(error_row(failure->code)->code));
	wire_write_text(out, failure->message);
	wire_write_text(out, failure->param);
	wire_write_text(out, details);
	wire_write_text(out, failure->body);
	wire_write_text(out, failure->retry_after);
	buf_fini(&causes);
}

static unsigned flags_of(const struct event *event)
{
	unsigned flags = (event->joined ? WIRE_JOINED : 0) | (event->gathered ? WIRE_GATHERED : 0) |
			 (flight_data_is_raw(event) ? WIRE_WITHIN : 0);
	if (event->kind == EVENT_ERROR)
		flags |= (event->failure->retryable ? WIRE_RETRYABLE : 0) |
			 (event->failure->should_retry ? WIRE_SHOULD_RETRY : 0) |
			 (event->failure->refused ? WIRE_REFUSED : 0);
	return flags;
}

void flight_wire_write(const struct event *event, uint64_t number, struct buf *out)
{
	unsigned flags = flags_of(event);
	const struct config_plan *target = event->kind == EVENT_ERROR ? event->failure->target : event->target;
	wire_write_number(out, WIRE_VERSION, 1);
	wire_write_number(out, event->kind, 1);
	wire_write_number(out, flags, 1);
	wire_write_number(out, event->carries, 1);
	wire_write_number(out, number, 8);
	wire_write_number(out, (uint64_t)event->total, 8);
	wire_write_number(out, (uint64_t)event->usage.prompt_tokens, 8);
	wire_write_number(out, (uint64_t)event->usage.completion_tokens, 8);
	wire_write_number(out, (uint64_t)event->usage.total_tokens, 8);
	wire_write_text(out, span_of(target == NULL ? NULL : target->target));
	wire_write_text(out, event->raw);
	if (flags & WIRE_WITHIN) {
		wire_write_number(out, (uint64_t)(event->data.at - event->raw.at), 8);
		wire_write_number(out, event->data.len, 4);
	} else {
		wire_write_text(out, event->data);
	}
	if (event->kind == EVENT_ERROR)
		wire_write_failure(out, event->failure);
}

/* What is left to read; failed once it did not suffice. */
struct reader {
	struct span left;
	bool failed;
};

static struct span wire_read_bytes(struct reader *reader, uint64_t len)
{
	if (reader->failed || len > reader->left.len) {
		reader->failed = true;
		return (struct span){"", 0};
	}
	struct span taken = {reader->left.at, (size_t)len};
	reader->left = (struct span){taken.at + taken.len, reader->left.len - taken.len};
	return taken;
}

static uint64_t wire_read_number(struct reader *reader, unsigned bytes)
{
	struct span taken = wire_read_bytes(reader, bytes);
	return reader->failed ? 0 : little_endian_get(taken.at, bytes);
}

static struct span wire_read_text(struct reader *reader)
{
	uint64_t len = wire_read_number(reader, 4);
	return len == wire_absent ? (struct span){NULL, 0} : wire_read_bytes(reader, len);
}

static struct span wire_read_data(struct reader *reader, unsigned flags, struct span raw)
{
	if ((flags & WIRE_WITHIN) == 0)
		return wire_read_text(reader);
	uint64_t offset = wire_read_number(reader, 8), len = wire_read_number(reader, 4);
	reader->failed |= offset > raw.len || len > raw.len - offset;
	return reader->failed ? (struct span){NULL, 0} : (struct span){raw.at + offset, (size_t)len};
}

static enum error_code wire_find_code(struct span name)
{
	for (int code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
		if (span_is(name, error_row((enum error_code)code)->code))
			return (enum error_code)code;
	}
	return ERROR_UPSTREAM_INVALID;
}

static struct failure wire_read_failure(struct reader *reader, unsigned flags, const struct config_plan *target)
{
	struct failure failure = {.status = (int)(int32_t)wire_read_number(reader, 4), .target = target};
	failure.code = wire_find_code(wire_read_text(reader));
	failure.message = wire_read_text(reader);
	failure.param = wire_read_text(reader);
	failure.details = wire_read_text(reader);
	failure.body = wire_read_text(reader);
	failure.retry_after = wire_read_text(reader);
	failure.retryable = (flags & WIRE_RETRYABLE) != 0;
	failure.should_retry = (flags & WIRE_SHOULD_RETRY) != 0;
	failure.refused = (flags & WIRE_REFUSED) != 0;
	return failure;
}

bool flight_wire_read(struct span bytes, const struct config_plan *plan, const struct dialect *dialect,
		      struct flight_wire *wire)
{
	struct reader reader = {.left = bytes};
	uint64_t version = wire_read_number(&reader, 1), kind = wire_read_number(&reader, 1);
	unsigned flags = (unsigned)wire_read_number(&reader, 1);
	struct event *event = &wire->event;
	if (version != WIRE_VERSION || kind > EVENT_ERROR)
		return false;
	*event = (struct event){.kind = (enum event_kind)kind, .carries = (unsigned)wire_read_number(&reader, 1)};
	wire->number = wire_read_number(&reader, 8);
	event->total = (int64_t)wire_read_number(&reader, 8);
	event->usage = USAGE_UNKNOWN;
	event->usage.prompt_tokens = (int64_t)wire_read_number(&reader, 8);
	event->usage.completion_tokens = (int64_t)wire_read_number(&reader, 8);
	event->usage.total_tokens = (int64_t)wire_read_number(&reader, 8);
	event->joined = (flags & WIRE_JOINED) != 0;
	event->gathered = (flags & WIRE_GATHERED) != 0;
	struct span target = wire_read_text(&reader);
	event->target = target.at == NULL ? NULL : config_find_target(plan, target);
	event->dialect = dialect;
	event->raw = wire_read_text(&reader);
	event->data = wire_read_data(&reader, flags, event->raw);
	if (kind == EVENT_ERROR) {
		wire->failure = wire_read_failure(&reader, flags, event->target);
		event->failure = &wire->failure;
		event->target = NULL;
	}
	return !reader.failed && reader.left.len == 0;
}
