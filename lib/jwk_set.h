/* SPDX-License-Identifier: MIT */
/*
 * The public keys of one issuer: a JWK Set (RFC 7517, section 5), a single JWK, or PEM blocks. Immutable and counted:
 * all threads may share one.
 */
#ifndef SLUICE_LIB_JWK_SET_H
#define SLUICE_LIB_JWK_SET_H

#include "lib/buf.h"
#include "lib/jwk.h"

enum {
	JWK_SET_BYTES_MAX = 256 * 1024, /* of a text */
	JWK_SET_KEYS_MAX = 64,          /* in a text, those that cannot be used included */
	JWK_SET_TRIES = 4               /* keys that one signature is compared with at most */
};

struct jwk_set;

/*
 * Reads a text. Keys that cannot be used are left out (RFC 7517, section 5), with why appended to notes, a line for
 * each. Returns NULL with one line in notes when the text is none of the forms, has too many keys or none that can be
 * used, or holds a private key in PEM. notes never repeats bytes of the text but a key's id.
 */
struct jwk_set *jwk_set_read(struct span text, struct buf *notes);

/* Thread-safe. NULL is harmless to drop. */
struct jwk_set *jwk_set_hold(struct jwk_set *set);
void jwk_set_drop(struct jwk_set *set);

size_t jwk_set_count(const struct jwk_set *set);
const struct jwk *jwk_set_at(const struct jwk_set *set, size_t index);

/* How a signature compares with the keys. */
enum jwk_match {
	JWK_MATCH_GOOD,
	JWK_MATCH_WRONG,      /* keys of that id and algorithm did not make the signature */
	JWK_MATCH_ALGORITHM,  /* keys of that id are bound to other algorithms */
	JWK_MATCH_UNKNOWN_KID /* no key has that id */
};

/*
 * Verifies a signature by the keys with that id, or, with kid {NULL,0}, by all keys of the algorithm. Keys of a PEM
 * file have no id and fit every one. At most JWK_SET_TRIES keys are tried. Thread-safe.
 */
enum jwk_match jwk_set_verify(const struct jwk_set *set, enum jwk_algorithm algorithm, struct span kid,
			      struct span text, struct span signature);

#endif
