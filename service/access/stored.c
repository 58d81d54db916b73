/* SPDX-License-Identifier: MIT */
/* Look-ups of stored keys; stored.h holds the contract. */
#include "service/access/stored.h"

#include <stdlib.h>

#include "lib/hash.h"
#include "lib/timers.h"
#include "service/access/key_copy.h"
#include "service/access/key_feed.h"

enum { SLOTS = 4096 };

/* The secrets of a key. */
enum key_secret { CURRENT, FORMER, SECRETS };

/* A key that was proven by this worker, and by what: who shows that again is spared the HMAC. */
struct proven {
	struct holder holder;
	struct stored_key *key; /* counted; another version of the key is another one */
	bool made[SECRETS];
	unsigned char tags[SECRETS][SIPHASH_TAG];
};

struct stored {
	struct key_feed *feed;
	struct key_view view;
	uint64_t grace_us;
	struct proven *slots[SLOTS]; /* counted; by hash of the id, the one that was shown last */
};

struct stored *stored_create(struct key_feed *feed, uint64_t grace_us)
{
	struct stored *stored = calloc(1, sizeof(*stored));
	if (stored == NULL)
		return NULL;
	stored->feed = feed;
	stored->grace_us = grace_us;
	return stored;
}

void stored_destroy(struct stored *stored)
{
	if (stored == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		if (stored->slots[i] != NULL)
			holder_drop(&stored->slots[i]->holder);
	key_view_fini(&stored->view);
	free(stored);
}

static void destroy_proven(struct holder *holder)
{
	struct proven *proven = (struct proven *)holder;
	stored_key_drop(proven->key);
	free(proven);
}

/* ---- how old the copy is ---- */

enum age { FRESH, GRACE, LAPSED };

static enum age age_of(const struct stored *stored)
{
	uint64_t confirmed_us = atomic_load_explicit(&stored->feed->confirmed_us, memory_order_acquire);
	uint64_t now_us = timers_monotonic(NULL);
	uint64_t age_us = now_us > confirmed_us ? now_us - confirmed_us : 0;
	if (confirmed_us == 0 || stored->view.copy == NULL)
		return LAPSED;
	if (age_us <= STORED_FRESH_US)
		return FRESH;
	return age_us - STORED_FRESH_US <= stored->grace_us ? GRACE : LAPSED;
}

/* ---- proofs ---- */

static bool is_proven(const struct proven *proven, const unsigned char *tag, enum key_secret *secret)
{
	for (*secret = CURRENT; *secret < SECRETS; ++*secret)
		if (proven->made[*secret] && hmac_equal(proven->tags[*secret], tag, SIPHASH_TAG))
			return true;
	return false;
}

/* Compares with both secrets, and for an id that nobody has with nothing. False: it is neither, or out of memory. */
static bool prove(struct hmac *hmac, struct span shown, const struct stored_key *key, enum key_secret *secret,
		  enum error_code *error)
{
	static const unsigned char nobody[HMAC_SIZE];
	unsigned char sum[HMAC_SIZE];
	*error = ERROR_OVERLOADED;
	if (!hmac_sum(hmac, shown, sum))
		return false;
	bool current = hmac_equal(sum, key == NULL ? nobody : key->key.hash->sum, HMAC_SIZE);
	bool former = hmac_equal(sum, key == NULL || key->former == NULL ? nobody : key->former->sum, HMAC_SIZE);
	*error = ERROR_KEY_INVALID;
	*secret = current ? CURRENT : FORMER;
	return key != NULL && (current || (former && key->former != NULL));
}

static struct proven *make_proven(struct stored_key *key)
{
	struct proven *proven = calloc(1, sizeof(*proven));
	if (proven == NULL)
		return NULL;
	proven->key = stored_key_hold(key);
	proven->holder =
	    (struct holder){.key = &key->key, .id = key->key.hash->id, .count = 1, .destroy = destroy_proven};
	return proven;
}

/* Returns the slot's holder for that version of the key, a new one when it has another; NULL: out of memory. */
static struct proven *take_slot(struct proven **slot, struct stored_key *key)
{
	if (*slot != NULL && (*slot)->key == key)
		return *slot;
	struct proven *proven = make_proven(key);
	if (proven == NULL)
		return NULL;
	if (*slot != NULL)
		holder_drop(&(*slot)->holder);
	*slot = proven;
	return proven;
}

enum error_code stored_find(struct stored *stored, struct hmac *hmac, const struct stored_offer *offer,
			    struct holder **holder)
{
	enum key_secret secret = CURRENT;
	enum error_code error = ERROR_NONE;
	key_view_refresh(&stored->view, stored->feed);
	struct stored_key *key = key_copy_find(stored->view.copy, offer->id);
	struct proven **slot = &stored->slots[hash_bytes(HASH_START, offer->id) % SLOTS];
	bool known = key != NULL && *slot != NULL && (*slot)->key == key && is_proven(*slot, offer->tag, &secret);
	bool good = known || prove(hmac, offer->shown, key, &secret, &error);
	enum age age = age_of(stored);
	if (!good && error == ERROR_KEY_INVALID && age != FRESH)
		return ERROR_KEY_STORE;
	if (!good)
		return error;
	if (age == LAPSED)
		return ERROR_KEY_STORE;
	struct proven *proven = take_slot(slot, key);
	if (proven == NULL)
		return ERROR_OVERLOADED;
	memcpy(proven->tags[secret], offer->tag, SIPHASH_TAG);
	proven->made[secret] = true;
	*holder = holder_hold(&proven->holder);
	return secret == FORMER && offer->now_s >= key->record.former_until_s ? ERROR_KEY_EXPIRED : ERROR_NONE;
}
