/* SPDX-License-Identifier: MIT */
/* One context for all workers, one SSL for each connection; every failure closes the link with a reason of ours. */
#include "clients/redis/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/sds.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "clients/redis/client.h"
#include "clients/redis/greeting.h"

/* Exported by hiredis without a prototype: calls back for every answer that the reader holds. */
void redisProcessCallbacks(redisAsyncContext *context);

/* A key with a passphrase must fail, not ask on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out, (void)size, (void)writing, (void)context;
	return -1;
}

/* Returns OpenSSL's first reason; its later ones are about the consequences. */
static const char *take_reason(void)
{
	unsigned long code = ERR_get_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
	if (reason == NULL && code != 0 && ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	ERR_clear_error();
	return reason == NULL ? "unknown reason" : reason;
}

static bool tls_complain(struct buf *why, const char *key, const char *file, const char *expected)
{
	buf_printf(why, "redis.tls.%s: %s: %s; expected %s", key, file, take_reason(), expected);
	return false;
}

static bool load(SSL_CTX *tls, const struct config_redis *config, struct buf *why)
{
	ERR_clear_error();
	if (config->tls.ca == NULL ? SSL_CTX_set_default_verify_paths(tls) != 1
				   : SSL_CTX_load_verify_locations(tls, config->tls.ca, NULL) != 1)
		return tls_complain(why, "ca", config->tls.ca == NULL ? "the system's authorities" : config->tls.ca,
				    "PEM certificates of authorities");
	if (config->tls.certificate == NULL)
		return true;
	if (SSL_CTX_use_certificate_chain_file(tls, config->tls.certificate) != 1)
		return tls_complain(why, "certificate", config->tls.certificate, "a PEM certificate chain");
	if (SSL_CTX_use_PrivateKey_file(tls, config->tls.key, SSL_FILETYPE_PEM) != 1)
		return tls_complain(why, "key", config->tls.key, "a PEM key without passphrase, of the certificate");
	return true;
}

SSL_CTX *redis_tls_create(const struct config_redis *config, struct buf *why)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL) {
		tls_complain(why, "ca", "OpenSSL", "a TLS context");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_options(tls, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION); /* else writing may wait to read */
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
	if (load(tls, config, why))
		return tls;
	SSL_CTX_free(tls);
	return NULL;
}

static void watch_for(struct redis_link *link, unsigned interest)
{
	struct reactor *reactor = link->redis->reactor;
	reactor->ops->rewatch(reactor, &link->watch, interest);
}

/* True: the operation was not possible yet, and what it waits for is watched. False: the link is closed. */
static bool wait_for_more(struct redis_link *link, int result)
{
	long verified = SSL_get_verify_result(link->tls);
	int kind = SSL_get_error(link->tls, result);
	int error = errno;
	switch (kind) {
	case SSL_ERROR_WANT_READ:
		watch_for(link, REACTOR_READ);
		return true;
	case SSL_ERROR_WANT_WRITE:
		watch_for(link, REACTOR_READ | REACTOR_WRITE);
		return true;
	case SSL_ERROR_ZERO_RETURN:
		snprintf(link->tls_why, sizeof(link->tls_why), "the connection was lost: it was closed");
		break;
	case SSL_ERROR_SYSCALL:
		snprintf(link->tls_why, sizeof(link->tls_why), "the connection was lost: %s",
			 error == 0 ? "it was closed" : strerror(error));
		break;
	default:
		if (verified != X509_V_OK)
			snprintf(link->tls_why, sizeof(link->tls_why), "its certificate is not accepted: %s",
				 X509_verify_cert_error_string(verified));
		else
			snprintf(link->tls_why, sizeof(link->tls_why), "TLS failed: %s", take_reason());
		break;
	}
	ERR_clear_error();
	redis_link_close(link, link->tls_why);
	return false;
}

static bool is_address(const char *name)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* The name that the certificate must have: as configured, else that of the host. */
static bool expect_name(const struct redis_link *link)
{
	const char *name = link->redis->config->tls.name != NULL ? link->redis->config->tls.name : link->host;
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link->tls), name) == 1;
	return SSL_set1_host(link->tls, name) == 1 && SSL_set_tlsext_host_name(link->tls, name) == 1;
}

void redis_tls_start(struct redis_link *link)
{
	link->tls = SSL_new(link->redis->shared->tls);
	if (link->tls == NULL || SSL_set_fd(link->tls, link->context->c.fd) != 1 || !expect_name(link)) {
		redis_link_close(link, "out of memory");
		return;
	}
	SSL_set_connect_state(link->tls);
	redis_tls_handshake(link);
}

void redis_tls_handshake(struct redis_link *link)
{
	ERR_clear_error();
	errno = 0;
	int result = SSL_do_handshake(link->tls);
	if (result != 1) {
		wait_for_more(link, result);
		return;
	}
	watch_for(link, REACTOR_READ);
	redis_link_set_state(link, REDIS_LINK_ST_GREETING);
	redis_greet(link);
}

/* Takes out what was written, as hiredis itself does. */
static void consume(redisContext *context, size_t written)
{
	sds empty;
	if (written < sdslen(context->obuf)) {
		sdsrange(context->obuf, (int)written, -1);
	} else if ((empty = sdsempty()) != NULL) {
		sdsfree(context->obuf);
		context->obuf = empty;
	} else {
		sdsclear(context->obuf);
	}
}

void redis_tls_flush(struct redis_link *link)
{
	redisContext *context = &link->context->c;
	while (sdslen(context->obuf) > 0) {
		size_t written = 0;
		ERR_clear_error();
		errno = 0;
		int result = SSL_write_ex(link->tls, context->obuf, sdslen(context->obuf), &written);
		if (result != 1) {
			wait_for_more(link, result);
			return;
		}
		consume(context, written);
	}
	watch_for(link, REACTOR_READ);
}

bool redis_tls_read(struct redis_link *link)
{
	char record[SSL3_RT_MAX_PLAIN_LENGTH];
	size_t got = 0;
	ERR_clear_error();
	errno = 0;
	int result = SSL_read_ex(link->tls, record, sizeof(record), &got);
	if (result != 1) {
		bool writes = (link->watch.interest & REACTOR_WRITE) != 0;
		if (wait_for_more(link, result) && writes)
			watch_for(link, REACTOR_READ | REACTOR_WRITE);
		return false;
	}
	if (redisReaderFeed(link->context->c.reader, record, got) != REDIS_OK) {
		redis_link_close(link, "out of memory");
		return false;
	}
	redisProcessCallbacks(link->context);
	return link->context != NULL && link->state != REDIS_LINK_ST_CLOSING;
}

void redis_tls_end(struct redis_link *link)
{
	SSL_free(link->tls);
	link->tls = NULL;
}
