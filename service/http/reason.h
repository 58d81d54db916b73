/* SPDX-License-Identifier: MIT */
/* Inside of service/http: reason phrases for the HTTP/1.1 status line. */
#ifndef SLUICE_SERVICE_HTTP_REASON_H
#define SLUICE_SERVICE_HTTP_REASON_H

/* A constant string, never NULL (RFC 9110 section 15). */
const char *http_reason(int status);

#endif
