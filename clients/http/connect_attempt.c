/* SPDX-License-Identifier: MIT */
/*
 * What an easy is set to, once: a reset would cost as much as the connect. It
 * does nothing but connect (CURLOPT_CONNECT_ONLY); requests and answers are
 * ours, see call.c.
 */
#include "clients/http/connect_attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "clients/http/call.h"
#include "clients/http/origin.h"

enum { ATTEMPT_MAX_SPARE = 4, ATTEMPT_TLS_READ = 16384 };

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_attempt *attempt = context;
	(void)purpose;
	curl_socket_t fd = sockets_open(&attempt->origin->client->sockets, address);
	if (fd == CURL_SOCKET_BAD && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
		call_fail(attempt->call, ERROR_OVERLOADED, "no descriptor or memory for a socket");
	return fd;
}

static int on_close(void *context, curl_socket_t fd)
{
	struct http_attempt *attempt = context;
	return attempt->handing ? 0 : sockets_close(&attempt->origin->client->sockets, fd);
}

static bool attempt_set_tls(CURL *easy, const struct http_origin *origin)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SHARE, origin->client->share);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)ATTEMPT_TLS_READ); /* bounds curl_easy_recv */
	if (origin->ca_file != NULL && curl_easy_setopt(easy, CURLOPT_CAINFO, origin->ca_file) != CURLE_OK)
		return false;
	return origin->certificate == NULL ||
	       (curl_easy_setopt(easy, CURLOPT_SSLCERT, origin->certificate) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSLKEY, origin->key) == CURLE_OK);
}

static bool attempt_set_up(struct http_attempt *attempt)
{
	const struct http_origin *origin = attempt->origin;
	CURL *easy = attempt->easy;
	uint64_t timeout_ms = (origin->connect_timeout_us + 999) / 1000;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, attempt);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt->words);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, attempt);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, attempt);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* what ALPN offers */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout_ms == 0 ? 1 : timeout_ms));
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L); /* addresses come from dns_name.c */
	bool ok = curl_easy_setopt(easy, CURLOPT_URL, origin->url) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
	return ok && (!origin->secure || attempt_set_tls(easy, origin));
}

static struct http_attempt *attempt_create(struct http_origin *origin)
{
	struct http_attempt *attempt = calloc(1, sizeof(*attempt));
	if (attempt == NULL)
		return NULL;
	attempt->origin = origin;
	attempt->easy = curl_easy_init();
	if (attempt->easy != NULL && attempt_set_up(attempt))
		return attempt;
	if (attempt->easy != NULL)
		curl_easy_cleanup(attempt->easy);
	free(attempt);
	return NULL;
}

static struct http_attempt *attempt_borrow(struct http_origin *origin)
{
	struct http_attempt *attempt = TAILQ_FIRST(&origin->spare);
	if (attempt == NULL)
		return attempt_create(origin);
	TAILQ_REMOVE(&origin->spare, attempt, link);
	origin->spare_count--;
	return attempt;
}

static void attempt_give(struct http_attempt *attempt)
{
	struct http_origin *origin = attempt->origin;
	attempt->call = NULL;
	attempt->words[0] = '\0';
	TAILQ_INSERT_HEAD(&origin->spare, attempt, link);
	if (++origin->spare_count <= ATTEMPT_MAX_SPARE)
		return;
	origin->spare_count--;
	TAILQ_REMOVE(&origin->spare, attempt, link);
	attempt_destroy(attempt);
}

void attempt_destroy(struct http_attempt *attempt)
{
	curl_multi_remove_handle(attempt->origin->client->multi, attempt->easy); /* harmless when it is not in there */
	curl_easy_cleanup(attempt->easy);
	free(attempt);
}

void attempts_destroy_spare(struct http_origin *origin)
{
	struct http_attempt *attempt;
	while ((attempt = TAILQ_FIRST(&origin->spare)) != NULL) {
		TAILQ_REMOVE(&origin->spare, attempt, link);
		attempt_destroy(attempt);
	}
	origin->spare_count = 0;
}

/*
 * curl keeps the table of addresses in the multi and reads this list when the
 * transfer begins. Every easy brings the news itself, as the order in which
 * curl begins them is not ours.
 */
static void attempt_set_addresses(struct http_attempt *attempt)
{
	const struct name *name = &attempt->origin->name;
	if (name->state == NAME_ST_NUMERIC || attempt->addresses_set == name->generation)
		return;
	curl_easy_setopt(attempt->easy, CURLOPT_RESOLVE, name->addresses);
	attempt->addresses_set = name->generation;
}

bool attempt_start(struct http_origin *origin, struct http_call *call)
{
	struct http_attempt *attempt = attempt_borrow(origin);
	if (attempt == NULL)
		return false;
	attempt_set_addresses(attempt);
	attempt->call = call;
	call->attempt = attempt;
	if (curl_multi_add_handle(origin->client->multi, attempt->easy) == CURLM_OK)
		return true;
	call->attempt = NULL;
	attempt_give(attempt);
	return false;
}

/* Away from its call and from curl. */
static void attempt_detach(struct http_attempt *attempt)
{
	attempt->call->attempt = NULL;
	curl_multi_remove_handle(attempt->origin->client->multi, attempt->easy);
}

void attempt_abandon(struct http_attempt *attempt)
{
	attempt_detach(attempt);
	attempt_give(attempt);
}

int attempt_descriptor(const struct http_attempt *attempt)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	curl_easy_getinfo(attempt->easy, CURLINFO_ACTIVESOCKET, &fd);
	return fd;
}

void attempt_hand_over(struct http_attempt *attempt)
{
	attempt->handing = true;
	attempt_detach(attempt);
	attempt->handing = false;
	attempt_give(attempt);
}

struct http_attempt *attempt_keep(struct http_attempt *attempt)
{
	attempt->call->attempt = NULL;
	attempt->call = NULL;
	return attempt;
}

/* curl looks its connection up among all that it knows for each read and write, which takes longer than they do. */
void attempt_take_tls(struct http_attempt *attempt)
{
	const struct curl_tlssessioninfo *info = NULL;
	if (attempt->tls != NULL || curl_easy_getinfo(attempt->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK ||
	    info->backend != CURLSSLBACKEND_OPENSSL || info->internals == NULL)
		return;
	if (SSL_set_fd(info->internals, attempt_descriptor(attempt)) != 1)
		return;
	attempt->tls = info->internals;
	SSL_set_options(attempt->tls, SSL_OP_NO_RENEGOTIATION); /* else reading may wait for writing */
}

bool attempt_has_pending(const struct http_attempt *attempt)
{
	return attempt->tls != NULL && SSL_has_pending(attempt->tls) == 1;
}

static enum channel_result tls_result(const SSL *tls, const char **why)
{
	unsigned long error;
	switch (SSL_get_error(tls, 0)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return CHANNEL_LATER;
	case SSL_ERROR_ZERO_RETURN:
		return CHANNEL_ENDED;
	case SSL_ERROR_SYSCALL:
		*why = strerrordesc_np(errno);
		break;
	default:
		error = ERR_peek_error();
		*why =
		    ERR_SYSTEM_ERROR(error) ? strerrordesc_np(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
	}
	if (*why == NULL)
		*why = "the connection failed";
	return CHANNEL_FAILED;
}

static enum channel_result tls_read(SSL *tls, char *bytes, size_t size, size_t *got, const char **why)
{
	ERR_clear_error();
	return SSL_read_ex(tls, bytes, size, got) == 1 ? CHANNEL_OK : tls_result(tls, why);
}

static enum channel_result tls_write(SSL *tls, const char *bytes, size_t len, size_t *sent)
{
	const char *why;
	ERR_clear_error();
	return SSL_write_ex(tls, bytes, len, sent) == 1 ? CHANNEL_OK : tls_result(tls, &why);
}

enum channel_result attempt_read(struct http_attempt *attempt, char *bytes, size_t size, size_t *got, const char **why)
{
	if (attempt->tls != NULL)
		return tls_read(attempt->tls, bytes, size, got, why);
	CURLcode code = curl_easy_recv(attempt->easy, bytes, size, got);
	if (code == CURLE_AGAIN)
		return CHANNEL_LATER;
	if (code == CURLE_OK)
		return *got == 0 ? CHANNEL_ENDED : CHANNEL_OK;
	*why = attempt->words[0] != '\0' ? attempt->words : curl_easy_strerror(code);
	return CHANNEL_FAILED;
}

enum channel_result attempt_write(struct http_attempt *attempt, const char *bytes, size_t len, size_t *sent)
{
	if (attempt->tls != NULL)
		return tls_write(attempt->tls, bytes, len, sent);
	CURLcode code = curl_easy_send(attempt->easy, bytes, len, sent);
	if (code == CURLE_OK)
		return CHANNEL_OK;
	return code == CURLE_AGAIN ? CHANNEL_LATER : CHANNEL_FAILED;
}
