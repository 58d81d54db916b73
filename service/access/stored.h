/* SPDX-License-Identifier: MIT */
/*
 * The keys of the store, as one worker looks them up: in a copy in memory, whose age decides what it is good for.
 *
 *   confirmed within 5 s       a key is found, or is wrong
 *   then, for auth.grace       a key that is found serves; any other cannot be judged: 503
 *   then, or never read        no key of the store can be judged: 503
 */
#ifndef SLUICE_SERVICE_ACCESS_STORED_H
#define SLUICE_SERVICE_ACCESS_STORED_H

#include "lib/errors.h"
#include "lib/hmac.h"
#include "lib/siphash.h"
#include "service/access/holder.h"

struct key_feed;
struct stored;

enum { STORED_FRESH_US = 5000000 /* as long as any change may take to be known everywhere */ };

/* feed: borrows. grace_us: auth.grace. For one thread. NULL: out of memory. */
struct stored *stored_create(struct key_feed *feed, uint64_t grace_us);
/* NULL is harmless. Holders that requests have stay good. */
void stored_destroy(struct stored *stored);

/* A key that was shown. */
struct stored_offer {
	struct span shown, id;    /* all of it, and its id */
	const unsigned char *tag; /* of shown, SIPHASH_TAG bytes under a secret of the worker's */
	uint64_t now_s;           /* since 1970 */
};

/*
 * Finds who shows a key. ERROR_NONE with a reference to *holder; KEY_EXPIRED with one: the secret is a former one,
 * whose time is over; KEY_INVALID, KEY_STORE or OVERLOADED without. It costs one HMAC, whether the id is known or not,
 * unless this worker has proven the key before.
 */
enum error_code stored_find(struct stored *stored, struct hmac *hmac, const struct stored_offer *offer,
			    struct holder **holder);

#endif
