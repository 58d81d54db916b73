/* SPDX-License-Identifier: MIT */
/* The files are read as libcurl will read them; what was read is thrown away. */
#include "clients/http/credentials.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static _Thread_local char text[512];

static const char *credentials_complain(const char *before, const char *path, const char *after)
{
	snprintf(text, sizeof(text), "%s %s %s", before, path, after);
	return text;
}

/* A key with a pass phrase is unusable: nobody may be asked for it on the terminal. */
static int no_pass_phrase(char *to, int size, int writing, void *context)
{
	(void)to, (void)size, (void)writing, (void)context;
	return -1;
}

static const char *check_files(SSL_CTX *tls, const struct http_origin_options *options)
{
	const char *key = options->key == NULL ? options->certificate : options->key;
	if (options->ca_file != NULL && SSL_CTX_load_verify_locations(tls, options->ca_file, NULL) != 1)
		return credentials_complain("the CA file", options->ca_file,
					    "cannot be read, or holds no certificate in PEM form");
	if (options->certificate == NULL)
		return options->key == NULL
			   ? NULL
			   : credentials_complain("the key", options->key, "has no certificate beside it");
	SSL_CTX_set_default_passwd_cb(tls, no_pass_phrase);
	if (SSL_CTX_use_certificate_chain_file(tls, options->certificate) != 1)
		return credentials_complain("the certificate file", options->certificate,
					    "cannot be read, or holds no certificate in PEM form");
	ERR_clear_error();
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		return ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH
			   ? credentials_complain("the key file", key, "holds the key of another certificate")
			   : credentials_complain(
				 "the key file", key,
				 "cannot be read, or holds no private key in PEM form without a pass phrase");
	return NULL;
}

const char *credentials_check(const struct http_origin_options *options)
{
	if (options->ca_file == NULL && options->certificate == NULL && options->key == NULL)
		return NULL;
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	const char *error = tls == NULL ? "out of memory" : check_files(tls, options);
	SSL_CTX_free(tls);
	ERR_clear_error();
	return error;
}
