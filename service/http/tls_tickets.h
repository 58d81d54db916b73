/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: keys of session tickets, in memory alone, one set for all workers and listeners of the
 * process. A key seals tickets for an hour and opens them for one more; then it is forgotten, and what was said in
 * sessions of that time stays unread even if the process is looked into.
 */
#ifndef SLUICE_SERVICE_HTTP_TLS_TICKETS_H
#define SLUICE_SERVICE_HTTP_TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "lib/timers.h"

enum { TICKET_KEY_S = 3600 };

/*
 * Has the sessions of a context sealed with these keys. listener: only its own tickets are opened again. The context
 * has the authorities that it trusts, if any: it opens tickets only of contexts that trusted the same ones, or a client
 * would stay who it was to authorities that are trusted no more.
 */
void tickets_use(SSL_CTX *ssl, size_t listener);

/* Has them take the time from another clock, with new keys; for tests. NULL = the monotonic one. */
void tickets_set_clock(clock_us_fn clock);

#endif
