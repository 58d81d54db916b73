/* SPDX-License-Identifier: MIT */
/* The PEM files of an origin, tried out when it is made: a later failure would be a call's. Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_CREDENTIALS_H
#define SLUICE_CLIENTS_HTTP_CREDENTIALS_H

#include "clients/http/http_client.h"

/* NULL, or what is wrong with which file; valid until the next call on this thread. */
const char *credentials_check(const struct http_origin_options *options);

#endif
