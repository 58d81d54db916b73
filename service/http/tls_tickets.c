/* SPDX-License-Identifier: MIT */
/*
 * Two keys, the present one and the one before. They change when a ticket is sealed or opened and the hour is over, so
 * that nothing has to run for it. A ticket of the key before is renewed when it is used.
 */
#include "service/http/tls_tickets.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/hash.h"

enum {
	NAME_BYTES = 16, /* as OpenSSL has it */
	SECRET_BYTES = 32
};

#define KEY_US ((uint64_t)TICKET_KEY_S * 1000000)

struct ticket_key {
	unsigned char name[NAME_BYTES];
	unsigned char cipher[SECRET_BYTES];
	unsigned char mac[SECRET_BYTES];
	bool used; /* there is one */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ticket_key present, before;
static uint64_t present_since_us;
static clock_us_fn now;

static uint64_t now_us(void)
{
	return now == NULL ? timers_monotonic(NULL) : now(NULL);
}

/* With the mutex. */
static bool make_key(struct ticket_key *key)
{
	key->used = RAND_bytes(key->name, sizeof(key->name)) == 1 &&
		    RAND_bytes(key->cipher, sizeof(key->cipher)) == 1 && RAND_bytes(key->mac, sizeof(key->mac)) == 1;
	return key->used;
}

/* With the mutex. False: there is no key, for lack of randomness. */
static bool rotate(void)
{
	uint64_t passed_us = now_us() - present_since_us;
	if (present.used && passed_us < KEY_US)
		return true;
	if (passed_us < 2 * KEY_US)
		before = present;
	else
		OPENSSL_cleanse(&before, sizeof(before));
	OPENSSL_cleanse(&present, sizeof(present));
	present_since_us = now_us();
	return make_key(&present);
}

static bool prepare(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
		    int seal)
{
	unsigned char secret[SECRET_BYTES];
	char digest[] = "SHA256";
	memcpy(secret, key->mac, sizeof(secret));
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof(secret)),
				     OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
				     OSSL_PARAM_construct_end()};
	bool ready = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) == 1 &&
		     EVP_MAC_CTX_set_params(mac, params) == 1;
	OPENSSL_cleanse(secret, sizeof(secret));
	return ready;
}

/* As OpenSSL asks: -1 = failed, 0 = no such key, 1 = done, 2 = done, and the client is to get a new ticket. */
static int seal_or_open(unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	if (!rotate())
		return -1;
	if (seal != 0) {
		memcpy(name, present.name, NAME_BYTES);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
		return prepare(&present, iv, cipher, mac, 1) ? 1 : -1;
	}
	if (memcmp(name, present.name, NAME_BYTES) == 0)
		return prepare(&present, iv, cipher, mac, 0) ? 1 : -1;
	if (before.used && memcmp(name, before.name, NAME_BYTES) == 0)
		return prepare(&before, iv, cipher, mac, 0) ? 2 : -1;
	return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
		     int seal)
{
	(void)ssl;
	pthread_mutex_lock(&mutex);
	int result = seal_or_open(name, iv, cipher, mac, seal);
	pthread_mutex_unlock(&mutex);
	return result;
}

/* A client whose certificate has expired since makes a full handshake, which judges the certificate it shows then. */
static SSL_TICKET_RETURN on_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len,
				   SSL_TICKET_STATUS status, void *context)
{
	(void)ssl, (void)name, (void)name_len, (void)context;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	const X509 *peer = SSL_SESSION_get0_peer(session);
	if (peer != NULL && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* A number that stands for the authorities that the context trusts; the same for those that were read from one file. */
static uint64_t digest_of(const SSL_CTX *ssl)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl));
	uint64_t hash = HASH_START;
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		unsigned char digest[EVP_MAX_MD_SIZE];
		unsigned len = 0;
		if (certificate != NULL && X509_digest(certificate, EVP_sha256(), digest, &len) == 1)
			hash = hash_bytes(hash, (struct span){(const char *)digest, len});
	}
	return hash;
}

void tickets_use(SSL_CTX *ssl, size_t listener)
{
	char context[SSL_MAX_SID_CTX_LENGTH];
	int len = snprintf(context, sizeof(context), "sluice %zu %08" PRIx32, listener, (uint32_t)digest_of(ssl));
	SSL_CTX_set_session_id_context(ssl, (const unsigned char *)context, (unsigned)len);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* a worker's own would help its own clients only */
	SSL_CTX_set_timeout(ssl, TICKET_KEY_S);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
	SSL_CTX_set_session_ticket_cb(ssl, NULL, on_opened, NULL);
}

void tickets_set_clock(clock_us_fn clock)
{
	pthread_mutex_lock(&mutex);
	now = clock;
	OPENSSL_cleanse(&present, sizeof(present));
	OPENSSL_cleanse(&before, sizeof(before));
	pthread_mutex_unlock(&mutex);
}
