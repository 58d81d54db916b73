/* SPDX-License-Identifier: MIT */
/*
 * JSON Web Tokens in the compact form of JWS (RFC 7519; RFC 7515, section 7.1), as RFC 8725 says they must be judged.
 *
 *   jwt_read ─► jwt_verify (by a set of keys) ─► jwt_check (issuer, audience, times)
 *
 * Reading proves nothing; claims may be believed once all three returned JWT_GOOD. Keys come from the set alone: `jku`,
 * `jwk`, `x5u` and `x5c` of a header are never looked at.
 */
#ifndef SLUICE_LIB_JWT_H
#define SLUICE_LIB_JWT_H

#include "lib/jwk_set.h"

enum {
	JWT_BYTES_MAX = 8 * 1024,
	JWT_AUDIENCES_MAX = 64, /* in a token */
	JWT_SUBJECT_MAX = 256   /* bytes of an issuer, an audience or a subject */
};

enum jwt_verdict {
	JWT_GOOD,
	JWT_TOO_LONG,
	JWT_MALFORMED,   /* no three parts of strict base64url, or no strict JSON objects in them */
	JWT_TYPE,        /* `typ` is neither JWT nor at+jwt (RFC 9068) */
	JWT_CRITICAL,    /* `crit` asks for an extension; none is known here */
	JWT_ALGORITHM,   /* not listed, or not the key's */
	JWT_UNKNOWN_KID, /* no key of the issuer has the id */
	JWT_SIGNATURE,   /* none of the issuer's keys made it */
	JWT_ISSUER,      /* absent, or another one */
	JWT_AUDIENCE,    /* absent, or others */
	JWT_NO_EXPIRY,   /* `exp` is absent or no number */
	JWT_EXPIRED,
	JWT_NOT_YET, /* `nbf` lies ahead, or is no number */
	JWT_NO_MEMORY
};

/* A token taken apart. All of it points into the token or the arena. */
struct jwt {
	struct span signed_text; /* header and payload as they were signed */
	struct span signature;   /* bytes */
	enum jwk_algorithm algorithm;
	struct span kid;    /* {NULL,0} = none */
	struct json claims; /* an object */
};

/* Takes a token apart. token: borrows, as long as jwt is used. */
enum jwt_verdict jwt_read(struct jwt *jwt, struct span token, struct arena *arena);

/* Verifies the signature. algorithms: bits 1 << enum jwk_algorithm that are allowed. */
enum jwt_verdict jwt_verify(const struct jwt *jwt, const struct jwk_set *set, unsigned algorithms);

/* Who must have issued a token, for whom, and when. */
struct jwt_rules {
	const char *issuer;
	const char *const *audiences; /* one of them must be in `aud` */
	size_t audience_count;
	uint64_t now_s;  /* since 1970 */
	uint64_t skew_s; /* that clocks may differ */
};

/* Judges `iss`, `aud`, `exp` and `nbf`. */
enum jwt_verdict jwt_check(const struct jwt *jwt, const struct jwt_rules *rules, struct arena *arena);

/* Returns the value of a claim that is a string of 1 to JWT_SUBJECT_MAX bytes; else {NULL,0}. */
struct span jwt_text(const struct jwt *jwt, const char *claim, struct arena *arena);

/* Returns when the token ends, in seconds since 1970; 0 without a usable `exp`. */
uint64_t jwt_expiry(const struct jwt *jwt);

/* Returns what is wrong, as the end of a sentence that begins with "The token": "has expired". Never of the token. */
const char *jwt_verdict_text(enum jwt_verdict verdict);

#endif
