/* SPDX-License-Identifier: MIT */
/* What a failed attempt to connect means to a caller: curl's result code → enum error_code. */
#ifndef SLUICE_CLIENTS_HTTP_CONNECT_ERROR_H
#define SLUICE_CLIENTS_HTTP_CONNECT_ERROR_H

#include <curl/curl.h>

#include "lib/errors.h"

enum error_code failure_of(CURLcode code);

#endif
