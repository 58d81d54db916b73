/* SPDX-License-Identifier: MIT */
/* Signatures by OpenSSL's EVP; jwk.h holds the contract. */
#include "lib/jwk.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum {
	RSA_BITS_LEAST = 2048,   /* RFC 7518, section 3.3 */
	RSA_BITS_MOST = 4096,    /* bounds the work of a signature */
	EXPONENT_BITS_MOST = 32, /* as above: the work grows with the exponent's bits */
	PAIR_SIZE = 64,          /* bytes of a signature of ES256 and EdDSA */
	DER_MAX = 80             /* bytes of a pair in DER: 2 + 2 × (2 + 33) */
};

#define BIT(algorithm) (1u << (algorithm))

static const char *const names[JWK_ALGORITHM_COUNT] = {
    [JWK_RS256] = "RS256", [JWK_PS256] = "PS256", [JWK_ES256] = "ES256", [JWK_EDDSA] = "EdDSA" /* the last one */};

bool jwk_algorithm_parse(struct span name, enum jwk_algorithm *algorithm)
{
	for (unsigned i = 0; i < JWK_ALGORITHM_COUNT; i++) {
		*algorithm = (enum jwk_algorithm)i;
		if (span_is(name, names[i]))
			return true;
	}
	return span_is(name, "Ed25519"); /* *algorithm is the last one */
}

const char *jwk_algorithm_name(enum jwk_algorithm algorithm)
{
	return names[algorithm];
}

/* ---- keys ---- */

static const char *judge_rsa(EVP_PKEY *pkey)
{
	BIGNUM *exponent = NULL;
	int bits = EVP_PKEY_get_bits(pkey);
	const char *why = NULL;
	if (EVP_PKEY_get_bn_param(pkey, "e", &exponent) != 1)
		why = "its exponent cannot be read";
	else if (bits < RSA_BITS_LEAST || bits > RSA_BITS_MOST)
		why = "an RSA key has 2048 to 4096 bits";
	else if (BN_is_odd(exponent) != 1 || BN_is_one(exponent) || BN_num_bits(exponent) > EXPONENT_BITS_MOST)
		why = "an RSA key's exponent is an odd number from 3 to 2^32";
	BN_free(exponent);
	return why;
}

static const char *judge_ec(EVP_PKEY *pkey)
{
	char curve[32] = "";
	size_t len = 0;
	if (EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), &len) != 1 || strcmp(curve, "prime256v1") != 0)
		return "its curve is not P-256";
	return NULL;
}

const char *jwk_adopt(struct jwk *key, EVP_PKEY *pkey)
{
	const char *why = NULL;
	*key = (struct jwk){.key = pkey};
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		why = judge_rsa(pkey);
		key->algorithms = BIT(JWK_RS256) | BIT(JWK_PS256);
	} else if (EVP_PKEY_is_a(pkey, "EC")) {
		why = judge_ec(pkey);
		key->algorithms = BIT(JWK_ES256);
	} else if (EVP_PKEY_is_a(pkey, "ED25519")) {
		key->algorithms = BIT(JWK_EDDSA);
	} else {
		why = "it is neither RSA nor on P-256 or Ed25519";
	}
	if (why != NULL)
		jwk_fini(key);
	ERR_clear_error();
	return why;
}

void jwk_fini(struct jwk *key)
{
	EVP_PKEY_free(key->key);
	free(key->kid);
	*key = (struct jwk){.key = NULL};
}

/* ---- signatures ---- */

/* Writes the pair r, s (RFC 7518, section 3.4) as OpenSSL wants it. Returns the length, 0 when it is none. */
static size_t write_pair(struct span pair, unsigned char der[DER_MAX])
{
	const unsigned char *at = (const unsigned char *)pair.at;
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(at, PAIR_SIZE / 2, NULL), *s = BN_bin2bn(at + PAIR_SIZE / 2, PAIR_SIZE / 2, NULL);
	int len = 0;
	if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
		unsigned char *to = der;
		len = i2d_ECDSA_SIG(signature, &to);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(signature);
	return len > 0 && len <= DER_MAX ? (size_t)len : 0;
}

static bool set_padding(EVP_PKEY_CTX *context, enum jwk_algorithm algorithm)
{
	if (algorithm == JWK_RS256)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
	if (algorithm != JWK_PS256)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool verify(const struct jwk *key, enum jwk_algorithm algorithm, struct span text,
		   const unsigned char *signature, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key = NULL;
	const EVP_MD *digest = algorithm == JWK_EDDSA ? NULL : EVP_sha256();
	bool good = context != NULL && EVP_DigestVerifyInit(context, &of_key, digest, NULL, key->key) == 1 &&
		    set_padding(of_key, algorithm) &&
		    EVP_DigestVerify(context, signature, len, (const unsigned char *)text.at, text.len) == 1;
	EVP_MD_CTX_free(context);
	if (!good) /* TLS on this thread reads what is left there as its own */
		ERR_clear_error();
	return good;
}

bool jwk_verify(const struct jwk *key, enum jwk_algorithm algorithm, struct span text, struct span signature)
{
	unsigned char der[DER_MAX];
	const unsigned char *bytes = (const unsigned char *)signature.at;
	size_t len = signature.len;
	bool rsa = algorithm == JWK_RS256 || algorithm == JWK_PS256;
	if ((key->algorithms & BIT(algorithm)) == 0)
		return false;
	if (len != (rsa ? (size_t)EVP_PKEY_get_size(key->key) : PAIR_SIZE))
		return false;
	if (algorithm == JWK_ES256) {
		len = write_pair(signature, der);
		bytes = der;
	}
	return len > 0 && verify(key, algorithm, text, bytes, len);
}
