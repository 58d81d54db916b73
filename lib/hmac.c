/* SPDX-License-Identifier: MIT */
/* HMAC by OpenSSL's EVP_MAC, which keeps the key's two states for the next sum; hmac.h holds the contract. */
#include "lib/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

struct hmac {
	EVP_MAC_CTX *context;
};

static EVP_MAC_CTX *open_context(struct span key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
				     OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (context == NULL || EVP_MAC_init(context, (const unsigned char *)key.at, key.len, params) == 1)
		return context;
	EVP_MAC_CTX_free(context);
	return NULL;
}

struct hmac *hmac_create(struct span key)
{
	struct hmac *hmac = malloc(sizeof(*hmac));
	if (hmac == NULL)
		return NULL;
	hmac->context = open_context(key);
	if (hmac->context != NULL)
		return hmac;
	free(hmac);
	return NULL;
}

struct hmac *hmac_create_of(struct secret *key)
{
	const struct secret_text *text = secret_text_hold(key);
	struct hmac *hmac = hmac_create((struct span){text->at, text->len});
	secret_text_drop(text);
	return hmac;
}

void hmac_destroy(struct hmac *hmac)
{
	if (hmac == NULL)
		return;
	EVP_MAC_CTX_free(hmac->context);
	free(hmac);
}

bool hmac_sum(struct hmac *hmac, struct span text, unsigned char sum[HMAC_SIZE])
{
	size_t len = 0;
	memset(sum, 0, HMAC_SIZE);
	return EVP_MAC_init(hmac->context, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(hmac->context, (const unsigned char *)text.at, text.len) == 1 &&
	       EVP_MAC_final(hmac->context, sum, &len, HMAC_SIZE) == 1 && len == HMAC_SIZE;
}

bool hmac_equal(const unsigned char *a, const unsigned char *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
