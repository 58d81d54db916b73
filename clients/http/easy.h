/* SPDX-License-Identifier: MIT */
/* The curl easy of a call: its lasting options, its callbacks, and what a request changes. Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_EASY_H
#define SLUICE_CLIENTS_HTTP_EASY_H

#include "clients/http/call.h"

/* Sets call->easy up with all that stays. False: out of memory. */
bool easy_init(struct http_call *call);

/* Sets the request. request->path and body are borrowed. False: out of memory, or path is not one. */
bool easy_configure(struct http_call *call, const struct http_call_request *request);
/* Gives the addresses of the origin to curl, if they are news to this easy. */
void easy_set_addresses(struct http_call *call);

#endif
