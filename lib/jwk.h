/* SPDX-License-Identifier: MIT */
/*
 * A public key that signatures of tokens are verified with (JWK, RFC 7517; RFC 7518, section 6; RFC 8037, section 2).
 * A key is bound to its algorithms: an RSA key verifies RS256 and PS256, one on P-256 ES256, one on Ed25519 EdDSA, and
 * a key that names its `alg` only that one (RFC 8725, section 3.1). Secret keys, private keys, other curves, RSA keys
 * outside of 2048 to 4096 bits and keys for encryption are refused. OpenSSL computes; its keys may be used by many
 * threads.
 */
#ifndef SLUICE_LIB_JWK_H
#define SLUICE_LIB_JWK_H

#include "lib/json.h"

struct evp_pkey_st;

enum jwk_algorithm { JWK_RS256, JWK_PS256, JWK_ES256, JWK_EDDSA, JWK_ALGORITHM_COUNT };

enum {
	JWK_SIGNATURE_MAX = 512, /* bytes: of an RSA key of 4096 bits */
	JWK_KID_MAX = 256        /* bytes of a key's id */
};

struct jwk {
	struct evp_pkey_st *key; /* owned */
	unsigned algorithms;     /* bits 1 << enum jwk_algorithm */
	char *kid;               /* owned; NULL = the key has no id */
};

/* Finds the algorithm by its registered name; Ed25519 is RFC 9864's name of EdDSA. Returns false for "none", "HS256"
 * and all others. */
bool jwk_algorithm_parse(struct span name, enum jwk_algorithm *algorithm);
const char *jwk_algorithm_name(enum jwk_algorithm algorithm);

/* Reads the JWK at a node. Returns NULL, or why the key cannot be used (static text); key is then empty. */
const char *jwk_read(struct jwk *key, const struct json *json, uint32_t node);

/* Makes a key without id of one of OpenSSL's. pkey: takes, in any case. Returns NULL, or why it cannot be used. */
const char *jwk_adopt(struct jwk *key, struct evp_pkey_st *pkey);

/* Frees what the key owns; an empty one is harmless. */
void jwk_fini(struct jwk *key);

/*
 * Returns whether signature is the key's over text. signature: of ES256 and EdDSA 64 bytes, of RSA as long as the
 * modulus. False for an algorithm that the key is not bound to. Thread-safe.
 */
bool jwk_verify(const struct jwk *key, enum jwk_algorithm algorithm, struct span text, struct span signature);

#endif
