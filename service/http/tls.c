/* SPDX-License-Identifier: MIT */
/* TLS settings of a listener, from its PEM files. OpenSSL's errors are turned into words that name the file. */
#include "service/http/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* TLS 1.2 suites with forward secrecy and AEAD (RFC 9113 section 9.2.2 forbids the others for HTTP/2). */
static const char tls12_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!SHA1";

/* Groups that cost little: those of finite fields, and P-521, take the server many times longer than the client. */
static const char groups[] = "X25519:P-256:P-384";

/* OpenSSL's first reason; its later ones are about the consequences. */
static void say_why(struct buf *error)
{
	unsigned long code = ERR_get_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
	if (reason != NULL)
		buf_printf(error, "%s", reason);
	else if (code != 0 && ERR_SYSTEM_ERROR(code))
		buf_printf(error, "%s", strerror(ERR_GET_REASON(code)));
	else
		buf_printf(error, "unknown reason");
	ERR_clear_error();
}

static void complain(const struct config *config, size_t index, const char *key, const char *file, const char *expected,
		     struct buf *error)
{
	buf_printf(error, "%s:%u: listen[%zu].tls.%s: %s: ", config->file, config->listeners[index].line, index, key,
		   file);
	say_why(error);
	buf_printf(error, "; expected %s\n", expected);
}

/* A key with a passphrase must fail, not ask on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out, (void)size, (void)writing, (void)context;
	return -1;
}

static bool load_files(SSL_CTX *ssl, const struct config *config, size_t index, struct buf *error)
{
	const struct config_listener *listener = &config->listeners[index];
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ssl, listener->tls_certificate) != 1) {
		complain(config, index, "certificate", listener->tls_certificate, "a PEM certificate chain", error);
		return false;
	}
	if (listener->tls_key == NULL) {
		buf_printf(error, "%s:%u: listen[%zu].tls.key: missing; expected the path of a PEM key\n", config->file,
			   listener->line, index);
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(ssl, listener->tls_key, SSL_FILETYPE_PEM) != 1) {
		complain(config, index, "key", listener->tls_key, "a PEM key without passphrase, of the certificate",
			 error);
		return false;
	}
	return true;
}

SSL_CTX *tls_create(const struct config *config, size_t index, struct buf *error)
{
	static const h2o_iovec_t protocols[] = {{H2O_STRLIT("h2")}, {H2O_STRLIT("http/1.1")}, {NULL, 0}};
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	if (ssl == NULL) {
		complain(config, index, "certificate", "OpenSSL", "a TLS context", error);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_cipher_list(ssl, tls12_ciphers);
	SSL_CTX_set1_groups_list(ssl, groups);
	SSL_CTX_set_session_id_context(ssl, (const unsigned char *)"sluice", 6);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	h2o_ssl_register_alpn_protocols(ssl, protocols);
	if (!load_files(ssl, config, index, error)) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	return ssl;
}
