/* SPDX-License-Identifier: MIT */
/* The table of curl's result codes. A row gives the meaning in each of the three phases. */
#include "clients/http/failure.h"

#include <string.h>

struct failure_row {
	CURLcode code;
	enum error_code connecting, sent, body;
};

/*
 * After the request was sent, curl only connects again in order to send it a
 * second time, which we do not let it do: what went wrong is then the first
 * connection, so those codes mean a reset.
 *
 * Out of memory between request and head is what curl says to a header line
 * past its own limit of 100 KiB.
 */
static const struct failure_row rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERROR_UPSTREAM_DNS, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_COULDNT_CONNECT, ERROR_UPSTREAM_CONNECT, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_OPERATION_TIMEDOUT, ERROR_UPSTREAM_CONNECT_TIMEOUT, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_SSL_CONNECT_ERROR, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_PEER_FAILED_VERIFICATION, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_SSL_CACERT_BADFILE, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_SSL_CERTPROBLEM, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_CIPHER, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_ISSUER_ERROR, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_CLIENTCERT, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS, ERROR_UPSTREAM_TLS},
    {CURLE_GOT_NOTHING, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_SEND_ERROR, ERROR_UPSTREAM_CONNECT, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_RECV_ERROR, ERROR_UPSTREAM_CONNECT, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_ABORTED_BY_CALLBACK, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET},
    {CURLE_PARTIAL_FILE, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_RESET, ERROR_UPSTREAM_TRUNCATED},
    {CURLE_WEIRD_SERVER_REPLY, ERROR_UPSTREAM_PROTOCOL, ERROR_UPSTREAM_PROTOCOL, ERROR_UPSTREAM_PROTOCOL},
    {CURLE_UNSUPPORTED_PROTOCOL, ERROR_UPSTREAM_PROTOCOL, ERROR_UPSTREAM_PROTOCOL, ERROR_UPSTREAM_PROTOCOL},
    {CURLE_BAD_CONTENT_ENCODING, ERROR_UPSTREAM_PROTOCOL, ERROR_UPSTREAM_PROTOCOL, ERROR_UPSTREAM_PROTOCOL},
    {CURLE_OUT_OF_MEMORY, ERROR_OVERLOADED, ERROR_UPSTREAM_PROTOCOL, ERROR_OVERLOADED},
};

static bool mentions(const char *detail, const char *words)
{
	return strstr(detail, words) != NULL;
}

/*
 * One code for three things: a broken chunk, a TLS peer that went without a
 * close_notify, and a reset. Only the text tells them apart; the tests hold it.
 */
static enum error_code failure_of_receive(const char *detail)
{
	if (mentions(detail, "chunked-encoding"))
		return ERROR_UPSTREAM_PROTOCOL;
	if (mentions(detail, "unexpected eof"))
		return ERROR_UPSTREAM_TRUNCATED;
	return ERROR_UPSTREAM_RESET;
}

/* A TLS 1.3 server judges our certificate when our side of the handshake is over: its alert takes the answer's place.
 */
static bool is_alert(CURLcode code, enum failure_phase phase, const char *detail)
{
	return code == CURLE_RECV_ERROR && phase == FAILURE_SENT && mentions(detail, " alert ");
}

enum error_code failure_of(CURLcode code, enum failure_phase phase, const char *detail)
{
	if (code == CURLE_OK) /* curl is content with a head that was cut off */
		return phase == FAILURE_BODY ? ERROR_NONE : ERROR_UPSTREAM_RESET;
	if (is_alert(code, phase, detail))
		return ERROR_UPSTREAM_TLS;
	if (code == CURLE_RECV_ERROR && phase == FAILURE_BODY)
		return failure_of_receive(detail);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].code != code)
			continue;
		if (phase == FAILURE_CONNECTING)
			return rows[i].connecting;
		return phase == FAILURE_SENT ? rows[i].sent : rows[i].body;
	}
	return ERROR_INTERNAL;
}
