/* SPDX-License-Identifier: MIT */
/*
 * Answers for clients of a dialect that tells those of another one (struct dialect, `tells`): the request became one of
 * that dialect when it was read, everything up to here works on its answers, and what goes out is written anew.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_TELLING_H
#define SLUICE_SERVICE_EXCHANGE_TELLING_H

#include "service/exchange/internal.h"

/* A stream that is being told; NULL = none is. */
struct telling;

/* Returns whether the client reads another dialect than answers come in. */
static inline bool telling_is_needed(const struct exchange *exchange)
{
	return exchange->to.dialect->tells;
}

/* Returns the paths of what of the client's request no backend is told, by commas, in the exchange's arena; {NULL,0}:
 * nothing is left out. */
struct span telling_dropped(struct exchange *exchange);

/* Returns the bytes of a backend that speaks the client's dialect, which go out as they came; {NULL,0}: the event has
 * none. */
struct span telling_own(const struct exchange *exchange, const struct event *event);

/* Notes what the target of a CHUNK or BODY with an origin was not told, before the head. */
void telling_note_dropped(struct exchange *exchange, const struct event *event);

/* Sends what a CHUNK says; the head is out. Returns what comes next. */
enum exchange_step telling_chunk(struct exchange *exchange, const struct event *event);
/* Notes usage that the client's own words did not ask for; harmless where nothing is told. */
void telling_usage(struct exchange *exchange, const struct event *event);
/* Sends the end of a stream, which END tells. */
enum exchange_step telling_end(struct exchange *exchange, const struct event *event);
/* Sends the end of a stream that failed. False when memory ran out. */
bool telling_fail(struct exchange *exchange, const struct error_told *told);
/* Frees what there is. */
void telling_close(struct exchange *exchange);

/* A whole answer to be told. */
struct telling_whole {
	const struct dialect *from, *to;
	enum endpoint endpoint;
	struct span body;
	const struct request *request;
	bool stream; /* as a stream, its end included */
};

/* Appends the answer. False when it cannot be understood, or when memory ran out (*exhausted). Thread-safe. */
bool telling_write(const struct telling_whole *whole, struct buf *out, bool *exhausted);

#endif
