/* SPDX-License-Identifier: MIT */
/* From the members of a JWK to OpenSSL's key; jwk.h holds the contract. */
#include "lib/jwk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "lib/base64url.h"

enum {
	NUMBER_MAX = 520,          /* bytes of a modulus, a zero before it included */
	COORDINATE = 32,           /* bytes of a coordinate on P-256, and of a key on Ed25519 */
	POINT = 1 + 2 * COORDINATE /* bytes of an uncompressed point */
};

static bool is_string(const struct json *json, uint32_t node)
{
	return node != JSON_NONE && json_type(json, node) == JSON_STRING;
}

/* Decodes a member. Returns its bytes, 0 when it is absent, no base64url, or too long. */
static size_t read_bytes(const struct json *json, uint32_t object, const char *name, unsigned char *bytes, size_t room)
{
	uint32_t node = json_member(json, object, name);
	size_t len = 0;
	if (!is_string(json, node) || json->nodes[node].escaped)
		return 0;
	struct span raw = json_raw(json, node);
	return base64url_decode((struct span){raw.at + 1, raw.len - 2}, bytes, room, &len) ? len : 0;
}

/* Makes a key of its parameters. builder: takes. */
static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *builder, bool filled)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = filled ? OSSL_PARAM_BLD_to_param(builder) : NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	return key;
}

static EVP_PKEY *read_rsa(const struct json *json, uint32_t object)
{
	unsigned char n[NUMBER_MAX], e[NUMBER_MAX];
	size_t n_len = read_bytes(json, object, "n", n, sizeof(n)), e_len = read_bytes(json, object, "e", e, sizeof(e));
	if (n_len == 0 || e_len == 0)
		return NULL;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL), *exponent = BN_bin2bn(e, (int)e_len, NULL);
	bool filled = builder != NULL && modulus != NULL && exponent != NULL && !BN_is_zero(modulus) &&
		      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1;
	EVP_PKEY *key = make_key("RSA", builder, filled);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

/* OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *read_ec(const struct json *json, uint32_t object)
{
	unsigned char point[POINT] = {POINT_CONVERSION_UNCOMPRESSED};
	if (read_bytes(json, object, "x", point + 1, COORDINATE) != COORDINATE ||
	    read_bytes(json, object, "y", point + 1 + COORDINATE, COORDINATE) != COORDINATE)
		return NULL;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	bool filled = builder != NULL &&
		      OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
		      OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1;
	return make_key("EC", builder, filled);
}

static EVP_PKEY *read_okp(const struct json *json, uint32_t object)
{
	unsigned char x[COORDINATE];
	if (read_bytes(json, object, "x", x, sizeof(x)) != sizeof(x))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x));
}

static const char *read_parameters(const struct json *json, uint32_t object, EVP_PKEY **key)
{
	uint32_t type = json_member(json, object, "kty"), curve = json_member(json, object, "crv");
	*key = NULL;
	if (type == JSON_NONE)
		return "it has no kty";
	if (json_string_is(json, type, "RSA"))
		*key = read_rsa(json, object);
	else if (json_string_is(json, type, "EC") && curve != JSON_NONE && json_string_is(json, curve, "P-256"))
		*key = read_ec(json, object);
	else if (json_string_is(json, type, "OKP") && curve != JSON_NONE && json_string_is(json, curve, "Ed25519"))
		*key = read_okp(json, object);
	else
		return "its kty and crv are neither RSA, nor EC with P-256, nor OKP with Ed25519";
	return *key == NULL ? "its parameters are not those of a public key" : NULL;
}

/* ---- what the key may be used for ---- */

/* Returns whether key_ops, when it is there, lists "verify" (RFC 7517, section 4.3). */
static bool may_verify(const struct json *json, uint32_t object)
{
	uint32_t use = json_member(json, object, "use"), list = json_member(json, object, "key_ops");
	if (use != JSON_NONE && !json_string_is(json, use, "sig"))
		return false;
	if (list == JSON_NONE)
		return true;
	if (json_type(json, list) != JSON_ARRAY)
		return false;
	for (uint32_t at = json_first(json, list); at != JSON_NONE; at = json_next(json, list, at))
		if (json_string_is(json, at, "verify"))
			return true;
	return false;
}

/* Narrows the key's algorithms to its alg, when it names one. Returns false when none is left. */
static bool bind_algorithm(struct jwk *key, const struct json *json, uint32_t object)
{
	uint32_t node = json_member(json, object, "alg");
	if (node == JSON_NONE)
		return true;
	enum jwk_algorithm named;
	bool plain = is_string(json, node) && !json->nodes[node].escaped;
	struct span raw = json_raw(json, node);
	key->algorithms &=
	    plain && jwk_algorithm_parse((struct span){raw.at + 1, raw.len - 2}, &named) ? 1u << named : 0;
	return key->algorithms != 0;
}

static const char *read_kid(struct jwk *key, const struct json *json, uint32_t object)
{
	uint32_t node = json_member(json, object, "kid");
	struct arena arena;
	if (node == JSON_NONE)
		return NULL;
	arena_init(&arena, 0);
	struct span kid = is_string(json, node) ? json_string(json, node, &arena) : (struct span){NULL, 0};
	bool fits = kid.at != NULL && kid.len > 0 && kid.len <= JWK_KID_MAX;
	if (fits)
		key->kid = strndup(kid.at, kid.len);
	arena_fini(&arena);
	return !fits ? "its kid is not a text of 1 to 256 bytes" : key->kid == NULL ? "out of memory" : NULL;
}

const char *jwk_read(struct jwk *key, const struct json *json, uint32_t node)
{
	EVP_PKEY *pkey;
	*key = (struct jwk){.key = NULL};
	if (json_type(json, node) != JSON_OBJECT)
		return "it is no object";
	if (json_member(json, node, "d") != JSON_NONE || json_member(json, node, "k") != JSON_NONE)
		return "it is a private or secret key, which nobody but its owner may have";
	if (!may_verify(json, node))
		return "its use or key_ops is not verifying signatures";
	const char *why = read_parameters(json, node, &pkey);
	if (why == NULL)
		why = jwk_adopt(key, pkey);
	if (why == NULL && !bind_algorithm(key, json, node))
		why = "its alg is none that fits the key";
	if (why == NULL)
		why = read_kid(key, json, node);
	if (why != NULL)
		jwk_fini(key);
	ERR_clear_error();
	return why;
}
