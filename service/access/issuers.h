/* SPDX-License-Identifier: MIT */
/*
 * The public keys of the issuers of tokens, shared by all workers: of each issuer the set that counts at present. A set
 * is immutable and counted; its generation tells workers, without a lock, that another one has taken its place. Sets of
 * files are read at the start; those of URLs are put here by their one fetcher (key_source.h), which workers wake when
 * a token names a key that the set lacks.
 *
 * It serves all tokens. Nobody can make a set change, or a fetch happen sooner than the source allows; a set stays
 * until a better one comes.
 */
#ifndef SLUICE_SERVICE_ACCESS_ISSUERS_H
#define SLUICE_SERVICE_ACCESS_ISSUERS_H

#include "config/config.h"
#include "lib/buf.h"
#include "lib/jwk_set.h"

struct issuers;

/* Reads the files of keys. config: borrows. NULL: out of memory, or a file cannot be used and errors has a line. */
struct issuers *issuers_create(const struct config *config, struct buf *errors);
/* NULL is harmless. */
void issuers_destroy(struct issuers *issuers);

/* Returns the number of the issuer's present set; 0 = there is none yet. Thread-safe, without a lock. */
unsigned issuers_generation(const struct issuers *issuers, size_t index);

/* Returns a reference to the present set, and its generation; NULL when there is none yet. Thread-safe. */
struct jwk_set *issuers_keys(struct issuers *issuers, size_t index, unsigned *generation);

/* Puts a set in the place of the present one. set: takes. Thread-safe. */
void issuers_replace(struct issuers *issuers, size_t index, struct jwk_set *set);

/* Whoever fetches sets. on_want may be called by any thread, with a lock held: it must only leave a message. */
struct issuers_fetcher {
	void (*on_want)(void *context, size_t index);
	void *context;
};

/* Names the fetcher; {NULL} = there is none any more, and none is being called when this returns. Thread-safe. */
void issuers_set_fetcher(struct issuers *issuers, struct issuers_fetcher fetcher);

/* A token names a key that the issuer's set lacks: wakes the fetcher, unless it was woken and has not looked since.
 * Thread-safe. */
void issuers_want(struct issuers *issuers, size_t index);

/* The fetcher looks now: what is wanted from here on wakes it again. Thread-safe. */
void issuers_looked(struct issuers *issuers, size_t index);

#endif
