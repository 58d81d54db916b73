/* SPDX-License-Identifier: MIT */
/*
 * The events of a shared flight, kept for those who come later or read slower.
 * One thread appends, any thread reads; the lock of the shared flight guards
 * the links and numbers, records themselves do not change.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_FLIGHT_LOG_H
#define SLUICE_SERVICE_FLIGHTS_FLIGHT_LOG_H

#include "lib/arena.h"
#include "service/plan/failure.h"

struct flight_record {
	struct flight_record *next;
	uint64_t number;    /* from 1 */
	uint64_t behind;    /* bytes of all records up to and with this one */
	struct event event; /* what it points to is in the record, or in the log's arena */
	char bytes[];
};

struct flight_log {
	struct flight_record *first;
	struct flight_record *last;
	uint64_t count; /* appended so far */
	uint64_t bytes; /* of all that were appended */
	uint64_t gone;  /* of them, bytes of those that were forgotten */
	uint32_t party; /* of the ledger, who is charged for those that are there */
	size_t charged; /* bytes */
	struct arena arena;
};

/* Whether the event's data is a piece of its raw bytes, which need not be kept twice then. */
static inline bool flight_data_is_raw(const struct event *event)
{
	const struct span data = event->data, raw = event->raw;
	return raw.at != NULL && data.at >= raw.at && data.at + data.len <= raw.at + raw.len;
}

/* party: who is charged in the ledger. */
void flight_log_init(struct flight_log *log, uint32_t party);
void flight_log_fini(struct flight_log *log);

/* A record with copies of all that the event borrows, not linked yet. NULL: out of memory, or the party holds all that
 * it may have and the log would grow by more than LEDGER_STEP. By the appending thread. */
struct flight_record *flight_log_copy(struct flight_log *log, const struct event *event);

/* Links a record behind the others. */
void flight_log_append(struct flight_log *log, struct flight_record *record);

/* Frees the records up to and with that number. */
void flight_log_forget(struct flight_log *log, uint64_t number);

#endif
