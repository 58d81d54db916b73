/* SPDX-License-Identifier: MIT */
/* Keys of requests against those of the configuration; access.h holds the contract. */
#include "service/access/access.h"

#include <stdlib.h>
#include <sys/random.h>

#include "lib/api_key.h"
#include "lib/hmac.h"
#include "lib/http_text.h"
#include "lib/siphash.h"
#include "service/access/stored.h"
#include "service/access/tokens.h"

/* A key of the configuration, and once it was proven a tag of all of it: who shows it again is spared the HMAC. */
struct listed {
	struct holder holder;
	bool proven;
	unsigned char tag[SIPHASH_TAG];
};

struct access {
	const struct config *config;
	struct hmac *hmac;                    /* under the pepper; NULL = there are no keys */
	struct tokens *tokens;                /* NULL = none are accepted */
	struct listed *listed;                /* by index of the key in the configuration */
	struct stored *stored;                /* NULL = all keys are in the configuration */
	unsigned char secret[SIPHASH_SECRET]; /* of the tags: nobody outside can make one */
};

/* Is never called: the access itself keeps a reference. */
static void keep_listed(struct holder *holder)
{
	(void)holder;
}

static void list_keys(struct access *access)
{
	for (size_t i = 0; access->listed != NULL && i < access->config->key_count; i++) {
		const struct config_key *key = &access->config->keys[i];
		access->listed[i].holder =
		    (struct holder){.key = key, .id = key->hash->id, .count = 1, .destroy = keep_listed};
	}
}

struct access *access_create(const struct config *config)
{
	struct access *access = calloc(1, sizeof(*access));
	if (access == NULL)
		return NULL;
	access->config = config;
	if (!config_auth_is_on(config) || (config->key_count == 0 && !config_auth_has_store(config)))
		return access;
	access->hmac = hmac_create_of(config->auth.pepper);
	access->listed = calloc(config->key_count + 1, sizeof(*access->listed));
	list_keys(access);
	if (access->hmac != NULL && access->listed != NULL &&
	    getrandom(access->secret, sizeof(access->secret), 0) == (ssize_t)sizeof(access->secret))
		return access;
	access_destroy(access);
	return NULL;
}

bool access_use_store(struct access *access, struct key_feed *feed)
{
	access->stored = stored_create(feed, access->config->auth.grace_us);
	return access->stored != NULL;
}

void access_destroy(struct access *access)
{
	if (access == NULL)
		return;
	tokens_destroy(access->tokens);
	hmac_destroy(access->hmac);
	stored_destroy(access->stored);
	free(access->listed);
	free(access);
}

void access_accept_tokens(struct access *access, struct tokens *tokens)
{
	access->tokens = tokens;
}

const char *access_why(const struct access *access)
{
	return access->tokens == NULL ? "" : tokens_why(access->tokens);
}

/* ---- offers ---- */

static void offer_key(struct access_offer *offer, struct span key)
{
	if (offer->key.at == NULL)
		offer->key = key;
	else if (!span_equal(offer->key, key))
		offer->broken = true;
}

/* value: trimmed. */
static void offer_authorization(struct access_offer *offer, struct span value)
{
	struct span rest = value;
	struct span scheme = http_take(&rest, ' ');
	struct span key = http_trim(rest);
	if (!http_is_word(scheme, "bearer") || key.len == 0)
		offer->broken = true;
	else
		offer_key(offer, key);
}

void access_offer_field(struct access_offer *offer, struct http_field field)
{
	bool bearer = span_is(field.name, "authorization");
	if (!bearer && !span_is(field.name, "x-api-key") && !span_is(field.name, "api-key"))
		return;
	struct span value = http_trim(field.value);
	if (value.len == 0)
		return;
	if (bearer)
		offer_authorization(offer, value);
	else
		offer_key(offer, value);
}

/* ---- keys ---- */

static bool is_within(const struct config_network *network, const unsigned char *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	if (memcmp(network->address, address, whole) != 0)
		return false;
	return rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool may_come_from(const struct config_key *key, const unsigned char *address)
{
	bool may = key->network_count == 0;
	for (size_t i = 0; !may && address != NULL && i < key->network_count; i++)
		may = is_within(&key->networks[i], address);
	return may;
}

/* Proves a key by its sum. The sum is made and compared for an id that nobody has, too: time does not tell which ids
 * there are. */
static enum error_code prove(struct access *access, struct span shown, const struct config_key *found)
{
	static const struct config_key_hash nobody;
	unsigned char sum[HMAC_SIZE];
	if (!hmac_sum(access->hmac, shown, sum))
		return ERROR_OVERLOADED;
	bool equal = hmac_equal(sum, found == NULL ? nobody.sum : found->hash->sum, HMAC_SIZE);
	return equal && found != NULL ? ERROR_NONE : ERROR_KEY_INVALID;
}

static enum error_code find_key(struct access *access, struct span shown, uint64_t now_s, struct holder **holder)
{
	unsigned char tag[SIPHASH_TAG];
	struct span id;
	if (!api_key_glance(shown, &id) || access->hmac == NULL)
		return ERROR_KEY_INVALID;
	const struct config_key *found = config_find_key(access->config, id);
	struct listed *listed = found == NULL ? NULL : &access->listed[found - access->config->keys];
	siphash(access->secret, shown, tag);
	if (listed != NULL && listed->proven && hmac_equal(listed->tag, tag, sizeof(tag))) {
		*holder = holder_hold(&listed->holder);
		return ERROR_NONE;
	}
	if (!api_key_parse(shown, &id))
		return ERROR_KEY_INVALID;
	if (found == NULL && access->stored != NULL) {
		struct stored_offer offer = {.shown = shown, .id = id, .tag = tag, .now_s = now_s};
		return stored_find(access->stored, access->hmac, &offer, holder);
	}
	enum error_code error = prove(access, shown, found);
	if (error != ERROR_NONE || listed == NULL)
		return error != ERROR_NONE ? error : ERROR_KEY_INVALID;
	memcpy(listed->tag, tag, sizeof(tag));
	listed->proven = true;
	*holder = holder_hold(&listed->holder);
	return ERROR_NONE;
}

enum error_code access_check(struct access *access, const struct access_offer *offer, const struct access_use *use,
			     struct holder **holder)
{
	*holder = NULL;
	if (offer->broken)
		return ERROR_KEY_INVALID;
	if (offer->key.at == NULL)
		return ERROR_KEY_MISSING;
	if (access->tokens != NULL && tokens_is_one(offer->key))
		return tokens_check(access->tokens, offer->key, use->now_s, holder);
	enum error_code error = find_key(access, offer->key, use->now_s, holder);
	if (error != ERROR_NONE)
		return error;
	const struct config_key *key = (*holder)->key;
	if (key->state == CONFIG_KEY_REVOKED)
		return ERROR_KEY_REVOKED;
	if (key->expires_s != 0 && use->now_s >= key->expires_s)
		return ERROR_KEY_EXPIRED;
	return may_come_from(key, use->address) ? ERROR_NONE : ERROR_KEY_NETWORK;
}

bool access_has_right(const struct config_key *key, enum operation_right right)
{
	static const unsigned bits[] = {[OPERATION_RIGHT_CHAT] = 1u << CONFIG_ENDPOINT_CHAT,
					[OPERATION_RIGHT_COMPLETIONS] = 1u << CONFIG_ENDPOINT_COMPLETIONS,
					[OPERATION_RIGHT_EMBEDDINGS] = 1u << CONFIG_ENDPOINT_EMBEDDINGS,
					[OPERATION_RIGHT_FANOUT] = 1u << CONFIG_ENDPOINT_FANOUT,
					[OPERATION_RIGHT_MODELS] = 1u << CONFIG_ENDPOINT_MODELS,
					[OPERATION_RIGHT_ADMIN] = 0};
	switch (right) {
	case OPERATION_RIGHT_UNSAID:
		return false;
	case OPERATION_FREE:
	case OPERATION_RIGHT_ANY:
		return true;
	case OPERATION_RIGHT_ADMIN:
		return key->admin;
	default:
		return key->endpoints == 0 || (key->endpoints & bits[right]) != 0;
	}
}
