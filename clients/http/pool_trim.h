/* SPDX-License-Identifier: MIT */
/* Giving back what a client keeps for the next burst of calls when none comes. Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_POOL_TRIM_H
#define SLUICE_CLIENTS_HTTP_POOL_TRIM_H

#include "clients/http/client.h"

/* A call starts: from now on the pools are looked after. */
void pool_trim_note_call(struct http_client *client);

#endif
