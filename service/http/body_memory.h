/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: room for request bodies, from their first byte until
 * the answer is over, one account for all workers of the process. A body that
 * has room can come whole; one that has none waits or is refused.
 *
 * Serves all clients of the process. One address may hold BODY_MEMORY_SHARE times
 * what is then still free, so that there is always room for another one; an
 * address that holds none may take what there is. One connection receives at most
 * body_memory_of_connection() at a time. The account heals as answers end, and as
 * bodies stall. All room is charged to the address in the ledger, too (limits.memory).
 */
#ifndef SLUICE_SERVICE_HTTP_BODY_MEMORY_H
#define SLUICE_SERVICE_HTTP_BODY_MEMORY_H

#include "config/config.h"
#include "lib/errors.h"

enum {
	BODY_MEMORY_SHARE = 3,
	BODY_MEMORY_STEP = 1 << 20,  /* bytes of room at once for a body of unknown length */
	BODY_MEMORY_SMALL = 64 << 10 /* bytes of a body that needs no room over HTTP/1.1 */
};

/*
 * Takes room for bytes. address: number of the client's, below CROWD_ADDRESSES. party: the same client's in the ledger.
 * Returns ERROR_NONE, BODIES_FULL or MEMORY_FULL.
 */
enum error_code body_memory_take(const struct config_limits *limits, size_t address, uint32_t party, size_t bytes);
/* Gives back what *room, which was taken for that address, has beyond the bytes that are needed. */
void body_memory_fit(size_t address, uint32_t party, size_t *room, size_t need);

/* Bytes of room for bodies that one connection may receive at once. */
size_t body_memory_of_connection(const struct config_limits *limits);

#endif
