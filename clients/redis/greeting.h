/* SPDX-License-Identifier: MIT */
/* What is said on a new connection, and the probe: questions whose answers judge a server. */
#ifndef SLUICE_CLIENTS_REDIS_GREETING_H
#define SLUICE_CLIENTS_REDIS_GREETING_H

#include "clients/redis/link.h"

/* Says all of the greeting at once; redis_link_greeted() or redis_link_close() follows its answers. */
void redis_greet(struct redis_link *link);
/* link.c's. */
void redis_link_greeted(struct redis_link *link, const char *why);

/* Asks whether the server serves. False: out of memory. */
bool redis_ask_probe(struct redis_link *link, redisCallbackFn *on_answer);
/* What the answer says against it; NULL = it serves. May close the connection. */
const char *redis_judge_probe(struct redis_link *link, const struct redis_reply *answer);

#endif
