/* SPDX-License-Identifier: MIT */
/* TLS settings of a listener, from its PEM files, and what its handshakes find out. OpenSSL's errors are turned into
 * words that name the file. */
#include "service/http/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

#include "service/http/connection.h"
#include "service/http/tls_key_updates.h"
#include "service/http/tls_tickets.h"

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

/* The files of a listener's tls, or of an entry of that list. */
struct pair {
	const struct config *config;
	size_t index; /* of the listener */
	const struct config_listener *files;
	char place[48]; /* "listen[0].tls[1]" */
};

static void tls_complain(const struct pair *pair, const char *key, const char *file, const char *expected,
			 struct buf *error)
{
	buf_printf(error, "%s:%u: %s.%s: %s: ", pair->config->file, pair->config->listeners[pair->index].line,
		   pair->place, key, file);
	say_why(error);
	buf_printf(error, "; expected %s\n", expected);
}

/* A key with a passphrase must fail, not ask on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out, (void)size, (void)writing, (void)context;
	return -1;
}

/* Has clients be told the names of the authorities that were read. False: there is none. */
static bool name_authorities(SSL_CTX *ssl)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl));
	bool named = false;
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		if (certificate != NULL && SSL_CTX_add_client_CA(ssl, certificate) != 1)
			return false;
		named = named || certificate != NULL;
	}
	return named;
}

/* Reads the file once: what is verified, named and bound to tickets is the same. */
static bool load_clients(SSL_CTX *ssl, const struct pair *pair, struct buf *error)
{
	const char *file = pair->config->listeners[pair->index].tls_clients; /* checked by the context that is chosen */
	if (file == NULL)
		return true;
	if (SSL_CTX_load_verify_locations(ssl, file, NULL) != 1 || !name_authorities(ssl)) {
		tls_complain(pair, "clients", file, "PEM certificates of authorities", error);
		return false;
	}
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	return true;
}

static bool load_files(SSL_CTX *ssl, const struct pair *pair, struct buf *error)
{
	const struct config_listener *files = pair->files;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ssl, files->tls_certificate) != 1) {
		tls_complain(pair, "certificate", files->tls_certificate, "a PEM certificate chain", error);
		return false;
	}
	if (files->tls_key == NULL) {
		buf_printf(error, "%s:%u: %s.key: missing; expected the path of a PEM key\n", pair->config->file,
			   pair->config->listeners[pair->index].line, pair->place);
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(ssl, files->tls_key, SSL_FILETYPE_PEM) != 1) {
		tls_complain(pair, "key", files->tls_key, "a PEM key without passphrase, of the certificate", error);
		return false;
	}
	return load_clients(ssl, pair, error);
}

static SSL_CTX *create_context(const struct pair *pair, struct buf *error)
{
	static const h2o_iovec_t protocols[] = {{H2O_STRLIT("h2")}, {H2O_STRLIT("http/1.1")}, {NULL, 0}};
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	if (ssl == NULL) {
		tls_complain(pair, "certificate", "OpenSSL", "a TLS context", error);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_cipher_list(ssl, tls12_ciphers);
	SSL_CTX_set1_groups_list(ssl, groups);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	h2o_ssl_register_alpn_protocols(ssl, protocols);
	if (!load_files(ssl, pair, error)) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	tickets_use(ssl, pair->index);
	return ssl;
}

/*
 * Everything a listener's handshakes need: the contexts of its certificates. A connection keeps the first one, which it
 * was made with, whichever is chosen later; the first one keeps the set, and the set the others.
 */
struct tls_set {
	struct http_server *server;
	size_t count;
	SSL_CTX *contexts[];
};

/* Where the first context keeps its set. */
static int set_place = -1;
static pthread_once_t set_once = PTHREAD_ONCE_INIT;

/* The first context goes: so does the set. */
static void on_set_freed(void *parent, void *at, CRYPTO_EX_DATA *data, int place, long argument, void *context)
{
	struct tls_set *set = at;
	(void)parent, (void)data, (void)place, (void)argument, (void)context;
	for (size_t i = 1; set != NULL && i < set->count; i++)
		SSL_CTX_free(set->contexts[i]);
	free(set);
}

static void make_set_place(void)
{
	set_place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_set_freed);
}

/* Takes the certificate that has the name which the client asks for; none has it: the first one stays. */
static int on_server_name(SSL *ssl, int *alert, void *context)
{
	const struct tls_set *set = context;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;
	for (size_t i = 0; name != NULL && i < set->count; i++) {
		if (X509_check_host(SSL_CTX_get0_certificate(set->contexts[i]), name, 0, 0, NULL) != 1)
			continue;
		SSL_set_SSL_CTX(ssl, set->contexts[i]);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* Keeps whose certificate the client has shown, which is verified by then, resumed sessions' too. */
static void on_progress(const SSL *ssl, int where, int result)
{
	const struct tls_set *set = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct http_connection *connection = set->server->handshakes.stepping;
	X509 *certificate = (where & SSL_CB_HANDSHAKE_DONE) != 0 ? SSL_get0_peer_certificate(ssl) : NULL;
	char *text = NULL;
	(void)result;
	if (connection == NULL || connection->subject != NULL || certificate == NULL)
		return;
	BIO *out = BIO_new(BIO_s_mem());
	if (out == NULL || X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) {
		BIO_free(out);
		return;
	}
	long len = BIO_get_mem_data(out, &text);
	connection->subject = strndup(text, (size_t)len);
	BIO_free(out);
}

static bool fill_set(struct tls_set *set, const struct config *config, size_t index, struct buf *error)
{
	const struct config_listener *listener = &config->listeners[index];
	struct pair pair = {.config = config, .index = index};
	for (size_t i = 0; i <= listener->tls_more_count; i++) {
		pair.files = i == 0 ? listener : &listener->tls_more[i - 1];
		if (listener->tls_more_count == 0)
			snprintf(pair.place, sizeof(pair.place), "listen[%zu].tls", index);
		else
			snprintf(pair.place, sizeof(pair.place), "listen[%zu].tls[%zu]", index, i);
		SSL_CTX *ssl = create_context(&pair, error);
		if (ssl == NULL || (i == 0 && SSL_CTX_set_ex_data(ssl, set_place, set) != 1)) {
			SSL_CTX_free(ssl);
			return false;
		}
		SSL_CTX_set_app_data(ssl, set);
		key_updates_limit(ssl, set->server);
		SSL_CTX_set_info_callback(ssl, on_progress); /* that of the context that is chosen is called */
		set->contexts[set->count++] = ssl;
	}
	return true;
}

SSL_CTX *tls_create(struct http_server *server, size_t index, struct buf *error)
{
	size_t count = 1 + server->config->listeners[index].tls_more_count;
	struct tls_set *set = calloc(1, sizeof(*set) + count * sizeof(set->contexts[0]));
	if (set == NULL) {
		buf_printf(error, "out of memory\n");
		return NULL;
	}
	set->server = server;
	pthread_once(&set_once, make_set_place);
	if (!fill_set(set, server->config, index, error)) {
		if (set->count == 0)
			free(set);
		else
			SSL_CTX_free(set->contexts[0]);
		return NULL;
	}
	SSL_CTX_set_tlsext_servername_callback(set->contexts[0], on_server_name);
	SSL_CTX_set_tlsext_servername_arg(set->contexts[0], set);
	return set->contexts[0];
}

void tls_destroy(SSL_CTX *ssl)
{
	SSL_CTX_free(ssl);
}
