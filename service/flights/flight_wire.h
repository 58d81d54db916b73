/* SPDX-License-Identifier: MIT */
/*
 * The events of a shared flight as bytes, for other replicas that follow it. Every record has the number of its
 * event, so that one that is missing is noticed. Numbers are little-endian. Codes of errors and targets go by
 * name: replicas may be of different versions for a while. What is not understood is refused.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_FLIGHT_WIRE_H
#define SLUICE_SERVICE_FLIGHTS_FLIGHT_WIRE_H

#include "lib/buf.h"
#include "service/plan/failure.h"

/* An event that was read; event.failure points into it. */
struct flight_wire {
	uint64_t number;
	struct event event;
	struct failure failure;
};

/* Appends the event. Of the causes of a failure what clients are told of them is kept. Failures are the buffer's. */
void flight_wire_write(const struct event *event, uint64_t number, struct buf *out);

/*
 * False when the bytes are no such event; any bytes may be asked about. Spans borrow from bytes. plan: where targets
 * are looked up; one that it does not have counts as several. dialect: of the request, and of the events.
 */
bool flight_wire_read(struct span bytes, const struct config_plan *plan, const struct dialect *dialect,
		      struct flight_wire *wire);

#endif
