/* SPDX-License-Identifier: MIT */
/* Reading and writing on a connection to Redis. Private to clients/redis. */
#ifndef SLUICE_CLIENTS_REDIS_LINK_IO_H
#define SLUICE_CLIENTS_REDIS_LINK_IO_H

#include "clients/redis/link.h"

/* Has the link's new context tell it what is to be read and written. */
void redis_link_io_attach(struct redis_link *link);
/* Watches the descriptor of a context that connects. False: out of memory or descriptors. */
bool redis_link_io_watch(struct redis_link *link);

/* Bytes that the peer has not taken yet. */
size_t redis_link_unsent(const struct redis_link *link);

/* Bytes in Redis' protocol; on_answer gets context, NULL in place of an answer that will not come. False: not possible.
 */
bool redis_link_write(struct redis_link *link, const char *bytes, size_t len, redisCallbackFn *on_answer,
		      void *context);

#endif
