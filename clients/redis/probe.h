/* SPDX-License-Identifier: MIT */
/* Questions that find out whether a server serves. */
#ifndef SLUICE_CLIENTS_REDIS_PROBE_H
#define SLUICE_CLIENTS_REDIS_PROBE_H

#include "clients/redis/link.h"

enum { REDIS_PING_EVERY_US = 5 * 1000 * 1000, REDIS_PING_PATIENCE_US = 2 * 1000 * 1000 };

/* Its server does not serve: it is asked whether it does, soon and from time to time. */
void redis_link_probe(struct redis_link *link);
/* Asks now; the link's timer gives it up when no answer comes. */
void redis_link_probe_now(struct redis_link *link);

/* Asks whether the server serves. False: out of memory. */
bool redis_ask_probe(struct redis_link *link, redisCallbackFn *on_answer);
/* What the answer says against it; NULL = it serves. May close the connection. */
const char *redis_judge_probe(struct redis_link *link, const struct redis_reply *answer);

#endif
