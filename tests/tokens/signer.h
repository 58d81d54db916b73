/* SPDX-License-Identifier: MIT */
/* An issuer of tokens for tests: a private key, its JWK, and tokens whose headers and claims are written as given. */
#ifndef SLUICE_TESTS_TOKENS_SIGNER_H
#define SLUICE_TESTS_TOKENS_SIGNER_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNER_TOKEN = 16 * 1024, SIGNER_JWK = 2048 };

struct signer {
	EVP_PKEY *key;
	const char *algorithm; /* RS256, PS256, ES256 or EdDSA */
	const char *kid;
};

static inline void signer_need(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "tests/tokens: %s failed\n", what);
	abort();
}

/* Appends bytes as base64url to the text in out. */
static inline void signer_encode(char *out, const void *bytes, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *at = bytes;
	char *to = out + strlen(out);
	signer_need((size_t)(to - out) + len * 4 / 3 + 4 < SIGNER_TOKEN, "room");
	for (size_t bit = 0; bit < len * 8; bit += 6) {
		unsigned pair = (unsigned)at[bit / 8] << 8 | (bit / 8 + 1 < len ? at[bit / 8 + 1] : 0);
		*to++ = alphabet[pair >> (10 - bit % 8) & 63];
	}
	*to = '\0';
}

/* bits: of an RSA key. */
static inline struct signer signer_make_sized(const char *algorithm, const char *kid, unsigned bits)
{
	struct signer signer = {.algorithm = algorithm, .kid = kid};
	if (algorithm[0] == 'E' && algorithm[1] == 'S')
		signer.key = EVP_EC_gen("P-256");
	else if (algorithm[0] == 'E')
		signer.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		signer.key = EVP_RSA_gen(bits);
	signer_need(signer.key != NULL, "making a key");
	return signer;
}

static inline struct signer signer_make(const char *algorithm, const char *kid)
{
	return signer_make_sized(algorithm, kid, 2048);
}

static inline void signer_free(struct signer *signer)
{
	EVP_PKEY_free(signer->key);
	signer->key = NULL;
}

static inline void signer_number(char *out, const struct signer *signer, const char *name, int size)
{
	unsigned char bytes[1024];
	BIGNUM *number = NULL;
	signer_need(EVP_PKEY_get_bn_param(signer->key, name, &number) == 1, name);
	int len = size != 0 ? BN_bn2binpad(number, bytes, size) : BN_bn2bin(number, bytes);
	signer_encode(out, bytes, (size_t)len);
	BN_free(number);
}

/* Writes the public key as a JWK; more: further members, each with a comma before it. */
static inline void signer_jwk(const struct signer *signer, const char *more, char out[SIGNER_JWK])
{
	char a[SIGNER_TOKEN] = "", b[SIGNER_TOKEN] = "";
	if (EVP_PKEY_is_a(signer->key, "RSA")) {
		signer_number(a, signer, "n", 0);
		signer_number(b, signer, "e", 0);
		snprintf(out, SIGNER_JWK, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"%s\",\"e\":\"%s\"%s}", signer->kid,
			 a, b, more);
	} else if (EVP_PKEY_is_a(signer->key, "EC")) {
		signer_number(a, signer, "qx", 32);
		signer_number(b, signer, "qy", 32);
		snprintf(out, SIGNER_JWK,
			 "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}", signer->kid,
			 a, b, more);
	} else {
		unsigned char raw[32];
		size_t len = sizeof(raw);
		signer_need(EVP_PKEY_get_raw_public_key(signer->key, raw, &len) == 1, "reading a key");
		signer_encode(a, raw, len);
		snprintf(out, SIGNER_JWK, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"%s\"%s}",
			 signer->kid, a, more);
	}
}

/* Appends the public key as PEM to a file. */
static inline void signer_write_pem(const struct signer *signer, const char *path)
{
	FILE *file = fopen(path, "ae");
	signer_need(file != NULL && PEM_write_PUBKEY(file, signer->key) == 1, path);
	fclose(file);
}

/* From DER to the pair r, s. */
static inline size_t signer_pair(unsigned char *bytes, size_t len)
{
	const unsigned char *at = bytes;
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
	signer_need(signature != NULL, "reading a signature");
	BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + 32, 32);
	ECDSA_SIG_free(signature);
	return 64;
}

/* Appends a dot and the signature of the text in token. */
static inline void signer_sign(const struct signer *signer, char token[SIGNER_TOKEN])
{
	unsigned char bytes[1024];
	size_t len = sizeof(bytes);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key = NULL;
	int edwards = EVP_PKEY_is_a(signer->key, "ED25519");
	signer_need(EVP_DigestSignInit(context, &of_key, edwards ? NULL : EVP_sha256(), NULL, signer->key) == 1,
		    "signing");
	if (signer->algorithm[0] == 'P')
		signer_need(EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING) == 1 &&
				EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, RSA_PSS_SALTLEN_DIGEST) == 1,
			    "padding");
	signer_need(EVP_DigestSign(context, bytes, &len, (const unsigned char *)token, strlen(token)) == 1, "signing");
	EVP_MD_CTX_free(context);
	if (EVP_PKEY_is_a(signer->key, "EC"))
		len = signer_pair(bytes, len);
	strcat(token, ".");
	signer_encode(token, bytes, len);
}

/* Makes a token of a header and claims, both JSON as given. */
static inline void signer_token_of(const struct signer *signer, const char *header, const char *claims,
				   char token[SIGNER_TOKEN])
{
	token[0] = '\0';
	signer_encode(token, header, strlen(header));
	strcat(token, ".");
	signer_encode(token, claims, strlen(claims));
	signer_sign(signer, token);
}

/* Makes a token with the header that its issuer writes. */
static inline void signer_token(const struct signer *signer, const char *claims, char token[SIGNER_TOKEN])
{
	char header[512];
	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", signer->algorithm,
		 signer->kid);
	signer_token_of(signer, header, claims, token);
}

#endif
