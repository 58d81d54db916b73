/* SPDX-License-Identifier: MIT */
/* A call's bytes: its request out, its answer in (RFC 9112). Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_TRANSFER_H
#define SLUICE_CLIENTS_HTTP_TRANSFER_H

#include "clients/http/call.h"

enum {
	TRANSFER_READ = 32 * 1024,     /* bytes of one read; the buffer is the client's */
	TRANSFER_READ_TIGHT = 8 * 1024 /* the same for a party of the ledger that may hold no more */
};

/* Sends the request of a call that got its connection. It may have ended when this returns. */
void transfer_begin(struct http_call *call);
/* Its connection is ready or failed (REACTOR_*): sends, reads, delivers. */
void transfer_on_ready(struct http_call *call, unsigned events);
/* The caller takes bytes again: goes on reading if that was stopped. */
void transfer_resume(struct http_call *call);

#endif
