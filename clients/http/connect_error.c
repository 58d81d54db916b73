/* SPDX-License-Identifier: MIT */
/* The table of curl's result codes for what may go wrong before there is a connection. */
#include "clients/http/connect_error.h"

#include <stddef.h>

struct failure_row {
	CURLcode code;
	enum error_code error;
};

static const struct failure_row rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERROR_UPSTREAM_DNS},
    {CURLE_COULDNT_CONNECT, ERROR_UPSTREAM_CONNECT},
    {CURLE_OPERATION_TIMEDOUT, ERROR_UPSTREAM_CONNECT_TIMEOUT},
    {CURLE_SEND_ERROR, ERROR_UPSTREAM_CONNECT},
    {CURLE_RECV_ERROR, ERROR_UPSTREAM_CONNECT},
    {CURLE_SSL_CONNECT_ERROR, ERROR_UPSTREAM_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_CACERT_BADFILE, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_CERTPROBLEM, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_CIPHER, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_ISSUER_ERROR, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_CLIENTCERT, ERROR_UPSTREAM_TLS},
    {CURLE_UNSUPPORTED_PROTOCOL, ERROR_UPSTREAM_PROTOCOL},
    {CURLE_OUT_OF_MEMORY, ERROR_OVERLOADED},
};

enum error_code failure_of(CURLcode code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return rows[i].error;
	return ERROR_INTERNAL;
}
