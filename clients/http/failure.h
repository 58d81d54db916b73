/* SPDX-License-Identifier: MIT */
/* What a failed transfer means to a caller: curl's result code and how far the call had come → enum error_code. */
#ifndef SLUICE_CLIENTS_HTTP_FAILURE_H
#define SLUICE_CLIENTS_HTTP_FAILURE_H

#include <curl/curl.h>

#include "lib/errors.h"

enum failure_phase {
	FAILURE_CONNECTING, /* no byte of the request was sent */
	FAILURE_SENT,       /* the request may have been sent; no complete head yet */
	FAILURE_BODY        /* the head was complete */
};

/* detail: curl's own words, may be empty. */
enum error_code failure_of(CURLcode code, enum failure_phase phase, const char *detail);

#endif
