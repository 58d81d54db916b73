/* SPDX-License-Identifier: MIT */
/*
 * What happened: a ring of the last calls, with their heads and bodies, for
 * tests to read. Owns copies. Bounded: JOURNAL_CALLS records, JOURNAL_BODY_MOST
 * bytes of one body, JOURNAL_BYTES_MOST of all texts.
 */
#ifndef SLUICE_TOOLS_SIM_JOURNAL_H
#define SLUICE_TOOLS_SIM_JOURNAL_H

#include <stdint.h>

#include "lib/buf.h"

enum { JOURNAL_CALLS = 4096, JOURNAL_BODY_MOST = 64 * 1024, JOURNAL_BYTES_MOST = 32 * 1024 * 1024 };

enum journal_end { JOURNAL_OPEN, JOURNAL_COMPLETE, JOURNAL_PEER_CLOSED, JOURNAL_FAULT };

/* Times are CLOCK_MONOTONIC microseconds, 0 = not happened. */
struct journal_call {
	uint64_t id; /* from 1; 0 = an empty record */
	uint64_t connection;
	uint64_t attempt; /* how many calls carried this model string, this one included; 0 without a model */
	uint64_t at_us, head_at_us, ended_at_us, peer_left_at_us;
	uint64_t events_sent, tokens_sent, bytes_sent;
	enum journal_end end;
	bool stream;
	int status;        /* of the response head, 0 = none was sent */
	const char *fault; /* static */
	char *texts;       /* owned: head and body in a row */
	char *model;       /* owned */
	size_t head_len, body_len, model_len;
	size_t body_size; /* before truncation */
};

struct journal {
	struct journal_call calls[JOURNAL_CALLS];
	uint64_t last;   /* id of the newest call, 0 = none */
	uint64_t oldest; /* no record below this id has texts */
	size_t bytes;    /* of all texts */
	uint64_t open;   /* calls whose end is JOURNAL_OPEN, forgotten ones included */
};

/* What GET /sim/calls asks for. */
struct journal_query {
	uint64_t since;    /* only ids above this */
	uint64_t limit;    /* at most so many, the newest; 0 = all */
	bool bodies;       /* include bodies and headers */
	struct span model; /* only calls whose model string holds this; empty = all */
};

/* Begins a call. head, body: copied. Returns the record; it may lack its texts when there is no memory. */
struct journal_call *journal_begin(struct journal *journal, uint64_t now_us, struct span head, struct span body);

/* Adds the model string; copied. */
void journal_set_model(struct journal *journal, struct journal_call *call, struct span model);

/* The record of an id, NULL when the ring has moved on. */
struct journal_call *journal_find(struct journal *journal, uint64_t id);

/* Ends a call once; harmless when it has ended or is forgotten. */
void journal_finish(struct journal *journal, uint64_t id, enum journal_end end, uint64_t now_us);

/* Forgets every call that has ended and hides the open ones. */
void journal_forget(struct journal *journal);

/* Frees everything. */
void journal_fini(struct journal *journal);

/* Appends the JSON array of calls, oldest first. */
void journal_write(struct journal *journal, struct buf *out, const struct journal_query *query);

#endif
