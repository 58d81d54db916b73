/* SPDX-License-Identifier: MIT */
/*
 * Who asks: the key or token that a request shows, and what it may do. Keys are those of the configuration, which is
 * read only, and those of the store (stored.h); tokens.h has the way of tokens.
 *
 *   fields ─► offer ─► form and checksum ─► id found? ─► HMAC, compared in constant time ─► state, expiry, network
 *
 * A key of the right form costs one HMAC, whether its id is known or not, unless this worker has proven it before: then
 * one SipHash under a secret of the worker's. What all workers share is the count of wrong
 * keys by network (failures.h).
 */
#ifndef SLUICE_SERVICE_ACCESS_ACCESS_H
#define SLUICE_SERVICE_ACCESS_ACCESS_H

#include "config/config.h"
#include "lib/errors.h"
#include "lib/http_field.h"
#include "schemas/operations.h"
#include "service/access/holder.h"

/* One worker's; for its thread alone. */
struct access;
struct key_feed;

/* config: borrows. NULL: out of memory. */
struct access *access_create(const struct config *config);
/* Has the keys of the store looked up, too. feed: borrows. Once. False: out of memory. */
bool access_use_store(struct access *access, struct key_feed *feed);
/* NULL is harmless. */
void access_destroy(struct access *access);

struct tokens;

/* Accepts tokens beside keys from now on. tokens: takes. */
void access_accept_tokens(struct access *access, struct tokens *tokens);

/* Returns what is wrong with the token that the last access_check() refused, as a sentence; "" = it was none. */
const char *access_why(const struct access *access);

/* The key that the fields of a request offer. */
struct access_offer {
	struct span key; /* borrowed; {NULL,0} = none so far */
	bool broken;     /* two fields differ, or Authorization is no Bearer */
};

/* Takes a field of the request into account: Authorization (RFC 6750, section 2.1), x-api-key and api-key; others do
 * nothing. Empty values offer nothing. offer: all zero before the first. */
void access_offer_field(struct access_offer *offer, struct http_field field);

/* Where and when a key is used. */
struct access_use {
	const unsigned char
	    *address;   /* 16 bytes, of IPv4 as IPv6 maps it; NULL = a unix socket, which is in no network */
	uint64_t now_s; /* since 1970 */
};

/*
 * Finds who asks. ERROR_NONE with a reference to *holder, which the caller drops; KEY_MISSING or KEY_INVALID without;
 * KEY_REVOKED, KEY_EXPIRED or KEY_NETWORK with one, since the key was shown in full; KEY_STORE: it may be one of the
 * store, which does not answer; of tokens TOKEN_* without (tokens.h); OVERLOADED: out of memory.
 */
enum error_code access_check(struct access *access, const struct access_offer *offer, const struct access_use *use,
			     struct holder **holder);

/* Returns whether the key has the right. Never for OPERATION_RIGHT_UNSAID. */
bool access_has_right(const struct config_key *key, enum operation_right right);

#endif
