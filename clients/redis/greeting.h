/* SPDX-License-Identifier: MIT */
/* What is said on a new connection. */
#ifndef SLUICE_CLIENTS_REDIS_GREETING_H
#define SLUICE_CLIENTS_REDIS_GREETING_H

#include "clients/redis/link.h"

/* Says all of the greeting at once; redis_link_greeted() or redis_link_close() follows its answers. */
void redis_greet(struct redis_link *link);
/* link.c's. */
void redis_link_greeted(struct redis_link *link, const char *why);

/* One question. on_answer gets the link. False: not possible. */
bool redis_say(struct redis_link *link, redisCallbackFn *on_answer, const struct span *args, size_t count);

#endif
