/* SPDX-License-Identifier: MIT */
/* A table of rows of four, by tag; tokens.h holds the contract. */
#include "service/access/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "lib/api_key.h"
#include "lib/container.h"
#include "lib/hmac.h"
#include "lib/jwt.h"
#include "lib/siphash.h"
#include "service/access/claims.h"
#include "service/access/issuers.h"

enum {
	ROWS = 512,
	WAYS = 4,
	SCRATCH_MAX = 1 << 20, /* bytes for one token taken apart */
	HOLDER_MAX = 64 * 1024,
	WHY_SIZE = 256,
	SECOND_US = 1000000
};

struct token_holder {
	struct holder holder;
	struct config_key rights;
	struct arena arena; /* what the rights point to */
};

/* A token that was proven. */
struct proof {
	struct holder *holder; /* NULL = a free place */
	unsigned char tag[SIPHASH_TAG];
	size_t issuer;
	unsigned generation; /* of the issuer's keys that proved it */
	uint64_t ends_s;     /* the first second in which it is expired */
	uint64_t used;       /* count of checks when it was last shown */
};

/* The keys of an issuer that this worker has taken over. */
struct own_keys {
	struct jwk_set *set;
	unsigned generation;
};

struct tokens {
	const struct config *config;
	struct issuers *issuers;
	struct own_keys *keys; /* by issuer */
	struct arena scratch;
	uint64_t checks;
	unsigned char secret[SIPHASH_SECRET]; /* of the tags: nobody outside can make one, or choose a row */
	char why[WHY_SIZE];
	struct proof rows[ROWS][WAYS];
};

/* ---- lives ---- */

struct tokens *tokens_create(const struct config *config, struct issuers *issuers)
{
	struct tokens *tokens = calloc(1, sizeof(*tokens));
	if (tokens == NULL)
		return NULL;
	tokens->config = config;
	tokens->issuers = issuers;
	arena_init(&tokens->scratch, SCRATCH_MAX);
	tokens->keys = calloc(config->auth.issuer_count + 1, sizeof(*tokens->keys));
	if (tokens->keys != NULL &&
	    getrandom(tokens->secret, sizeof(tokens->secret), 0) == (ssize_t)sizeof(tokens->secret))
		return tokens;
	tokens_destroy(tokens);
	return NULL;
}

static void forget(struct proof *proof)
{
	holder_drop(proof->holder);
	*proof = (struct proof){.holder = NULL};
}

void tokens_destroy(struct tokens *tokens)
{
	if (tokens == NULL)
		return;
	for (size_t row = 0; row < ROWS; row++)
		for (size_t way = 0; way < WAYS; way++)
			forget(&tokens->rows[row][way]);
	for (size_t i = 0; tokens->keys != NULL && i < tokens->config->auth.issuer_count; i++)
		jwk_set_drop(tokens->keys[i].set);
	free(tokens->keys);
	arena_fini(&tokens->scratch);
	free(tokens);
}

static void destroy_holder(struct holder *holder)
{
	struct token_holder *own = container_of(holder, struct token_holder, holder);
	arena_fini(&own->arena);
	free(own);
}

/* ---- proofs ---- */

bool tokens_is_one(struct span text)
{
	size_t len = strlen(API_KEY_PREFIX);
	bool key = text.len >= len && memcmp(text.at, API_KEY_PREFIX, len) == 0;
	return text.len > 0 && !key && memchr(text.at, '.', text.len) != NULL;
}

const char *tokens_why(const struct tokens *tokens)
{
	return tokens->why;
}

static struct proof *row_of(struct tokens *tokens, const unsigned char tag[SIPHASH_TAG])
{
	return tokens->rows[(tag[0] | tag[1] << 8) % ROWS];
}

static struct proof *find_proof(struct tokens *tokens, const unsigned char tag[SIPHASH_TAG])
{
	struct proof *row = row_of(tokens, tag);
	for (size_t i = 0; i < WAYS; i++)
		if (row[i].holder != NULL && hmac_equal(row[i].tag, tag, SIPHASH_TAG))
			return &row[i];
	return NULL;
}

/* Returns a free place of the row, or frees that of the token which was not shown for longest. */
static struct proof *make_place(struct tokens *tokens, const unsigned char tag[SIPHASH_TAG])
{
	struct proof *row = row_of(tokens, tag), *oldest = &row[0];
	for (size_t i = 0; i < WAYS && oldest->holder != NULL; i++)
		if (row[i].holder == NULL || row[i].used < oldest->used)
			oldest = &row[i];
	forget(oldest);
	return oldest;
}

/* ---- judging ---- */

static enum error_code refuse(struct tokens *tokens, enum jwt_verdict verdict)
{
	snprintf(tokens->why, sizeof(tokens->why), "The token %s.", jwt_verdict_text(verdict));
	return verdict == JWT_EXPIRED     ? ERROR_TOKEN_EXPIRED
	       : verdict == JWT_NO_MEMORY ? ERROR_OVERLOADED
					  : ERROR_TOKEN_INVALID;
}

static size_t find_issuer(struct tokens *tokens, const struct jwt *jwt)
{
	struct span name = jwt_text(jwt, "iss", &tokens->scratch);
	size_t i = 0;
	while (i < tokens->config->auth.issuer_count &&
	       (name.at == NULL || !span_is(name, tokens->config->auth.issuers[i].issuer)))
		i++;
	return i;
}

/* Returns the issuer's keys, taken over when there are others now; NULL when there are none yet. */
static const struct own_keys *keys_of(struct tokens *tokens, size_t issuer)
{
	struct own_keys *own = &tokens->keys[issuer];
	if (own->generation != issuers_generation(tokens->issuers, issuer)) {
		jwk_set_drop(own->set);
		own->set = issuers_keys(tokens->issuers, issuer, &own->generation);
	}
	return own->set == NULL ? NULL : own;
}

static enum jwt_verdict verify(struct tokens *tokens, const struct jwt *jwt, size_t index, const struct jwk_set *keys,
			       uint64_t now_s)
{
	const struct config_issuer *issuer = &tokens->config->auth.issuers[index];
	struct jwt_rules rules = {.issuer = issuer->issuer,
				  .audiences = issuer->audiences,
				  .audience_count = issuer->audience_count,
				  .now_s = now_s,
				  .skew_s = issuer->skew_us / SECOND_US};
	enum jwt_verdict verdict = jwt_verify(jwt, keys, issuer->algorithms == 0 ? ~0u : issuer->algorithms);
	if (verdict == JWT_UNKNOWN_KID || verdict == JWT_SIGNATURE) /* the issuer may have other keys by now */
		issuers_want(tokens->issuers, index);
	return verdict == JWT_GOOD ? jwt_check(jwt, &rules, &tokens->scratch) : verdict;
}

static enum error_code make_holder(struct tokens *tokens, const struct jwt *jwt, const struct config_issuer *issuer,
				   struct holder **holder)
{
	struct token_holder *own = calloc(1, sizeof(*own));
	if (own == NULL)
		return refuse(tokens, JWT_NO_MEMORY);
	arena_init(&own->arena, HOLDER_MAX);
	const char *claim = claims_read(&own->rights, issuer, jwt, &own->arena);
	own->holder =
	    (struct holder){.key = &own->rights, .id = own->rights.name, .count = 1, .destroy = destroy_holder};
	if (claim == NULL && !arena_failed(&own->arena)) {
		*holder = &own->holder;
		return ERROR_NONE;
	}
	enum error_code error = refuse(tokens, JWT_NO_MEMORY);
	if (claim != NULL && !arena_failed(&own->arena)) {
		snprintf(tokens->why, sizeof(tokens->why),
			 "The token lacks a claim, or has it in another form than expected: auth.jwt.%s.claims.%s.",
			 issuer->name, claim);
		error = ERROR_TOKEN_INVALID;
	}
	destroy_holder(&own->holder);
	return error;
}

/* Judges a token that is in no row, and keeps its holder. */
static enum error_code prove(struct tokens *tokens, struct span token, uint64_t now_s,
			     const unsigned char tag[SIPHASH_TAG], struct holder **holder)
{
	struct jwt jwt;
	enum jwt_verdict verdict = jwt_read(&jwt, token, &tokens->scratch);
	if (verdict != JWT_GOOD)
		return refuse(tokens, verdict);
	size_t index = find_issuer(tokens, &jwt);
	if (index == tokens->config->auth.issuer_count)
		return refuse(tokens, JWT_ISSUER);
	const struct own_keys *keys = keys_of(tokens, index);
	if (keys == NULL)
		return ERROR_TOKEN_KEYS;
	const struct config_issuer *issuer = &tokens->config->auth.issuers[index];
	verdict = verify(tokens, &jwt, index, keys->set, now_s);
	enum error_code error =
	    verdict == JWT_GOOD ? make_holder(tokens, &jwt, issuer, holder) : refuse(tokens, verdict);
	if (error != ERROR_NONE)
		return error;
	struct proof *proof = make_place(tokens, tag);
	*proof = (struct proof){.holder = holder_hold(*holder),
				.issuer = index,
				.generation = keys->generation,
				.ends_s = jwt_expiry(&jwt) + issuer->skew_us / SECOND_US,
				.used = tokens->checks};
	memcpy(proof->tag, tag, SIPHASH_TAG);
	return ERROR_NONE;
}

enum error_code tokens_check(struct tokens *tokens, struct span token, uint64_t now_s, struct holder **holder)
{
	unsigned char tag[SIPHASH_TAG];
	*holder = NULL;
	tokens->why[0] = '\0';
	tokens->checks++;
	if (token.len > JWT_BYTES_MAX)
		return refuse(tokens, JWT_TOO_LONG);
	siphash(tokens->secret, token, tag);
	struct proof *proof = find_proof(tokens, tag);
	if (proof != NULL && proof->generation != issuers_generation(tokens->issuers, proof->issuer)) {
		forget(proof);
		proof = NULL;
	}
	if (proof != NULL && now_s >= proof->ends_s) {
		forget(proof);
		return refuse(tokens, JWT_EXPIRED);
	}
	if (proof != NULL) {
		proof->used = tokens->checks;
		*holder = holder_hold(proof->holder);
		return ERROR_NONE;
	}
	enum error_code error = prove(tokens, token, now_s, tag, holder);
	arena_reset(&tokens->scratch);
	return error;
}
