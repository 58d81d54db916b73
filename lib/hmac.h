/* SPDX-License-Identifier: MIT */
/* HMAC-SHA-256 (RFC 2104, FIPS 180-4), and comparing what is secret in constant time. */
#ifndef SLUICE_LIB_HMAC_H
#define SLUICE_LIB_HMAC_H

#include <stdbool.h>

#include "lib/secret.h"
#include "lib/span.h"

enum { HMAC_SIZE = 32 /* bytes of a sum */ };

/* A key, ready for many sums. For one thread at a time. */
struct hmac;

/* key: borrows during the call; it must not be empty. NULL: out of memory. */
struct hmac *hmac_create(struct span key);
/* The same with the present text of a secret. */
struct hmac *hmac_create_of(struct secret *key);
/* Wipes the key. NULL is harmless. */
void hmac_destroy(struct hmac *hmac);

/* Computes the sum of text. False: out of memory; sum is then all zero. */
bool hmac_sum(struct hmac *hmac, struct span text, unsigned char sum[HMAC_SIZE]);

/* Returns whether a and b, each of len bytes, are equal. The time taken depends on len alone. */
bool hmac_equal(const unsigned char *a, const unsigned char *b, size_t len);

#endif
