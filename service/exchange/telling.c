/* SPDX-License-Identifier: MIT */
/* Answers told in another dialect; telling.h holds the contract. */
#include "service/exchange/telling.h"

#include <stdlib.h>

#include "schemas/assembly.h"
#include "schemas/dialect.h"
#include "schemas/dropped.h"

enum { TEXTS_MOST = 256 << 20 };

struct telling {
	const struct dialect *to;
	struct arena scratch; /* of one event */
	struct buf out;       /* what is sent for one event */
	max_align_t teller[]; /* the dialect's */
};

static struct telling *open_telling(const struct dialect *to, const struct request *request)
{
	struct telling *telling = malloc(sizeof(*telling) + to->teller_size);
	if (telling == NULL)
		return NULL;
	telling->to = to;
	arena_init(&telling->scratch, 0);
	arena_charge(&telling->scratch, request->party);
	buf_init(&telling->out, TEXTS_MOST);
	buf_charge(&telling->out, request->party);
	to->teller_init(telling->teller, request);
	return telling;
}

static void close_telling(struct telling *telling)
{
	telling->to->teller_fini(telling->teller);
	buf_fini(&telling->out);
	arena_fini(&telling->scratch);
	free(telling);
}

void telling_close(struct exchange *exchange)
{
	if (exchange->telling != NULL)
		close_telling(exchange->telling);
	exchange->telling = NULL;
}

/* Returns the exchange's stream, begun when there is none; NULL: out of memory. */
static struct telling *telling_of(struct exchange *exchange)
{
	if (exchange->telling == NULL)
		exchange->telling = open_telling(exchange->to.dialect, exchange->request);
	return exchange->telling;
}

struct span telling_dropped(struct exchange *exchange)
{
	const struct dropped *dropped = exchange->request->dropped;
	return dropped == NULL ? (struct span){NULL, 0} : dropped_text(dropped, exchange_arena(exchange));
}

struct span telling_own(const struct exchange *exchange, const struct event *event)
{
	const struct event_origin *origin = event->origin;
	return origin != NULL && origin->dialect == exchange->to.dialect ? origin->bytes : (struct span){NULL, 0};
}

void telling_note_dropped(struct exchange *exchange, const struct event *event)
{
	struct span *dropped = &exchange->to.dropped, more = event->origin->dropped;
	if (telling_own(exchange, event).at != NULL)
		*dropped = (struct span){NULL, 0};
	else if (more.at != NULL && dropped->at != NULL)
		*dropped = arena_printf(exchange_arena(exchange), "%.*s, %.*s", SPAN_ARG(*dropped), SPAN_ARG(more));
	else if (more.at != NULL)
		*dropped = arena_copy(exchange_arena(exchange), more);
}

/* Usage alone has no choices. */
static bool tell(struct telling *telling, const struct event *event, struct buf *out)
{
	const struct usage none = USAGE_UNKNOWN;
	struct deltas deltas = {NULL, 0, 0};
	struct answer_identity identity;
	struct json room;
	arena_reset(&telling->scratch);
	const struct json *json = event_json(event, &telling->scratch, &room);
	if (json == NULL)
		return false;
	event->dialect->deltas_read(json, &telling->scratch, &deltas);
	event->dialect->identity_read(json, &telling->scratch, &identity);
	return !arena_failed(&telling->scratch) &&
	       telling->to->teller_add(telling->teller, &deltas,
				       (event->carries & CARRIES_USAGE) != 0 ? &event->usage : &none, &identity, out);
}

/* Relays the bytes of a backend that speaks the client's dialect. What began so goes on so. */
static enum exchange_step relay_own(struct exchange *exchange, const struct event *event)
{
	struct span bytes = telling_own(exchange, event);
	exchange->relays_own = true;
	if (bytes.at == NULL)
		return exchange_fails(exchange, ERROR_UPSTREAM_INVALID);
	return bytes.len == 0 ? EXCHANGE_WAIT : exchange_write(exchange, bytes);
}

/* Returns why an event could not be told: memory ran out, or it makes no sense in the client's dialect. */
static enum error_code why_untold(const struct exchange *exchange)
{
	const struct telling *telling = exchange->telling;
	bool exhausted = telling == NULL || arena_failed(&telling->scratch) || buf_failed(&telling->out);
	return exhausted ? ERROR_OVERLOADED : ERROR_UPSTREAM_INVALID;
}

enum exchange_step telling_chunk(struct exchange *exchange, const struct event *event)
{
	bool begun = exchange->telling != NULL;
	if (exchange->relays_own || (!begun && telling_own(exchange, event).at != NULL))
		return relay_own(exchange, event);
	struct telling *telling = telling_of(exchange);
	if (telling == NULL)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	buf_reset(&telling->out);
	if (!tell(telling, event, &telling->out))
		return exchange_fails(exchange, why_untold(exchange));
	return buf_len(&telling->out) == 0 ? EXCHANGE_WAIT : exchange_write(exchange, buf_span(&telling->out));
}

void telling_usage(struct exchange *exchange, const struct event *event)
{
	const struct answer_identity unnamed = {{NULL, 0}, {NULL, 0}, -1};
	const struct deltas none = {NULL, 0, 0};
	struct telling *telling = exchange->telling;
	if (telling == NULL)
		return;
	buf_reset(&telling->out); /* it has begun: nothing is written */
	telling->to->teller_add(telling->teller, &none, &event->usage, &unnamed, &telling->out);
}

enum exchange_step telling_end(struct exchange *exchange, const struct event *event)
{
	if (exchange->relays_own) {
		struct span bytes = telling_own(exchange, event);
		bool sent = bytes.at != NULL && exchange_send(exchange, bytes);
		return sent ? exchange_completes(exchange) : exchange_cuts(exchange, ERROR_OVERLOADED);
	}
	struct telling *telling = telling_of(exchange);
	if (telling == NULL)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	buf_reset(&telling->out);
	if (!telling->to->teller_end(telling->teller, &telling->out))
		return exchange_fails(exchange, why_untold(exchange));
	return exchange_send(exchange, buf_span(&telling->out)) ? exchange_completes(exchange)
								: exchange_cuts(exchange, ERROR_OVERLOADED);
}

bool telling_fail(struct exchange *exchange, const struct error_told *told)
{
	struct telling *telling = telling_of(exchange);
	if (telling == NULL)
		return false;
	buf_fini(&telling->out); /* a failure of memory sticks to it */
	buf_init(&telling->out, TEXTS_MOST);
	return telling->to->teller_fail(telling->teller, told, &telling->out) &&
	       exchange_send(exchange, buf_span(&telling->out));
}

/* ---- whole answers ---- */

static bool write_stream(const struct telling_whole *whole, const struct deltas *deltas, const struct usage *usage,
			 const struct answer_identity *identity, struct buf *out)
{
	struct telling *telling = open_telling(whole->to, whole->request);
	if (telling == NULL)
		return false;
	bool written = whole->to->teller_add(telling->teller, deltas, usage, identity, out) &&
		       whole->to->teller_end(telling->teller, out);
	close_telling(telling);
	return written;
}

static bool write_by_teller(const struct telling_whole *whole, const struct deltas *deltas, const struct usage *usage,
			    const struct answer_identity *identity, struct buf *out, bool *exhausted)
{
	struct telling *telling = open_telling(whole->to, whole->request);
	bool written = telling != NULL && whole->to->teller_whole(telling->teller, deltas, usage, identity, out);
	*exhausted = !written;
	if (telling != NULL)
		close_telling(telling);
	return written;
}

static bool write_whole(const struct telling_whole *whole, const struct deltas *deltas, const struct usage *usage,
			const struct answer_identity *identity, struct buf *out, bool *exhausted)
{
	struct assembly assembly;
	if (whole->to->teller_whole != NULL)
		return write_by_teller(whole, deltas, usage, identity, out, exhausted);
	assembly_init(&assembly, TEXTS_MOST);
	assembly_charge(&assembly, whole->request->party);
	assembly_add(&assembly, deltas);
	bool written = whole->to->answer_write(&assembly, whole->endpoint, identity, usage, out);
	*exhausted = assembly.exhausted;
	assembly_fini(&assembly);
	return written;
}

bool telling_write(const struct telling_whole *whole, struct buf *out, bool *exhausted)
{
	struct answer_reading reading;
	struct answer_identity identity;
	struct deltas deltas;
	struct arena arena;
	arena_init(&arena, 0);
	arena_charge(&arena, whole->request->party);
	bool written = whole->from->answer_read(whole->endpoint, whole->body, &arena, &reading) &&
		       whole->from->deltas_read(&reading.json, &arena, &deltas);
	if (written) {
		whole->from->identity_read(&reading.json, &arena, &identity);
		written = whole->stream ? write_stream(whole, &deltas, &reading.usage, &identity, out)
					: write_whole(whole, &deltas, &reading.usage, &identity, out, exhausted);
	}
	*exhausted = *exhausted || arena_failed(&arena) || buf_failed(out);
	arena_fini(&arena);
	return written && !*exhausted;
}
