/* SPDX-License-Identifier: MIT */
/* Each claim in its turn; claims.h holds the contract. */
#include "service/access/claims.h"

#include "config/key_values.h"
#include "config/values.h"
#include "lib/hmac.h"
#include "lib/http_text.h"

enum { HASH_SHOWN = 8 /* bytes of a subject's hash */ };

/* ---- who ---- */

/* Returns whether a text is only of what addresses and ids are made of, so that it needs no escapes anywhere. */
static bool is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && strchr("._@|+-", c) == NULL)
			return false;
	}
	return text.len > 0;
}

/* Writes the first bytes of the subject's HMAC under the issuer's name: the same in every process. */
static struct span hash_subject(const struct config_issuer *issuer, struct span subject, struct arena *arena)
{
	unsigned char sum[HMAC_SIZE];
	char digits[2 * HASH_SHOWN + 1];
	struct hmac *hmac = hmac_create(span_of(issuer->name));
	bool made = hmac != NULL && hmac_sum(hmac, subject, sum);
	hmac_destroy(hmac);
	if (!made)
		return (struct span){NULL, 0};
	for (size_t i = 0; i < HASH_SHOWN; i++) {
		static const char hex[] = "0123456789abcdef";
		digits[2 * i] = hex[sum[i] >> 4];
		digits[2 * i + 1] = hex[sum[i] & 15];
	}
	digits[2 * HASH_SHOWN] = '\0';
	return arena_printf(arena, "sub-%s", digits);
}

/* Returns the subject as logs show it: itself, or its hash when it is long or has other characters. */
static struct span shown_subject(const struct config_issuer *issuer, struct span subject, struct arena *arena)
{
	if (subject.len <= CLAIMS_SUBJECT_SHOWN && is_plain(subject))
		return arena_copy(arena, subject);
	return hash_subject(issuer, subject, arena);
}

static bool read_tenant(struct config_key *rights, const struct config_issuer *issuer, const struct jwt *jwt,
			struct span subject, struct arena *arena)
{
	struct span own, whole;
	if (issuer->claims.tenant != NULL)
		own = jwt_text(jwt, issuer->claims.tenant, arena);
	else /* a subject may have any characters, and must not choose its place below others */
		own = value_is_name(subject) ? subject : hash_subject(issuer, subject, arena);
	if (own.at == NULL)
		return false;
	whole = issuer->tenant == NULL ? arena_copy(arena, own)
				       : arena_printf(arena, "%s/%.*s", issuer->tenant, SPAN_ARG(own));
	return whole.at != NULL && key_value_tenant(arena, whole, &rights->tenant);
}

/* ---- what ---- */

struct scope {
	struct config_key *rights;
	const char **models;
	struct arena *arena;
	bool refused; /* too many models, or a pattern that is none */
};

static void add_model(struct scope *scope, struct span pattern)
{
	const char *text;
	if (scope->models == NULL || scope->rights->model_count >= CLAIMS_MODELS_MAX ||
	    !key_value_pattern(scope->arena, pattern, &text))
		scope->refused = true;
	else
		scope->models[scope->rights->model_count++] = text;
}

static bool cut_start(struct span *word, const char *start)
{
	size_t len = strlen(start);
	if (word->len < len || memcmp(word->at, start, len) != 0)
		return false;
	*word = (struct span){word->at + len, word->len - len};
	return true;
}

/* Words of others, and those that a later version may know, say nothing. */
static void read_word(struct scope *scope, struct span word)
{
	static const char *const endpoints[] = {[CONFIG_ENDPOINT_CHAT] = "chat",
						[CONFIG_ENDPOINT_COMPLETIONS] = "completions",
						[CONFIG_ENDPOINT_EMBEDDINGS] = "embeddings",
						[CONFIG_ENDPOINT_FANOUT] = "fanout",
						[CONFIG_ENDPOINT_MODELS] = "models"};
	if (!cut_start(&word, CLAIMS_PREFIX))
		return;
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
		if (span_is(word, endpoints[i]))
			scope->rights->endpoints |= 1u << i;
	if (span_is(word, "admin"))
		scope->rights->admin = true;
	if (cut_start(&word, "model:"))
		add_model(scope, word);
}

/* A text of words by spaces (RFC 8693, section 4.2), or a list of words. Absent: none. */
static bool read_scope(struct scope *scope, const struct jwt *jwt, const char *claim)
{
	const struct json *claims = &jwt->claims;
	uint32_t node = json_member(claims, 0, claim);
	if (node == JSON_NONE)
		return true;
	if (json_type(claims, node) == JSON_STRING) {
		struct span rest = json_string(claims, node, scope->arena);
		while (rest.at != NULL)
			read_word(scope, http_take(&rest, ' '));
		return true;
	}
	if (json_type(claims, node) != JSON_ARRAY)
		return false;
	for (uint32_t at = json_first(claims, node); at != JSON_NONE; at = json_next(claims, node, at)) {
		if (json_type(claims, at) != JSON_STRING)
			return false;
		read_word(scope, json_string(claims, at, scope->arena));
	}
	return true;
}

/* One pattern or a list of at least one: an empty list allows nothing, which no pattern says. */
static bool read_models(struct scope *scope, const struct jwt *jwt, const char *claim)
{
	const struct json *claims = &jwt->claims;
	uint32_t node = json_member(claims, 0, claim);
	scope->rights->model_count = 0;
	if (node == JSON_NONE)
		return false;
	if (json_type(claims, node) == JSON_STRING)
		add_model(scope, json_string(claims, node, scope->arena));
	for (uint32_t at = json_first(claims, node); at != JSON_NONE; at = json_next(claims, node, at)) {
		if (json_type(claims, node) != JSON_ARRAY || json_type(claims, at) != JSON_STRING)
			return false;
		add_model(scope, json_string(claims, at, scope->arena));
	}
	return scope->rights->model_count > 0;
}

const char *claims_read(struct config_key *rights, const struct config_issuer *issuer, const struct jwt *jwt,
			struct arena *arena)
{
	struct scope scope = {
	    .rights = rights, .models = arena_zalloc(arena, CLAIMS_MODELS_MAX, sizeof(char *)), .arena = arena};
	struct span subject = jwt_text(jwt, issuer->claims.subject, arena);
	*rights = (struct config_key){.models = scope.models};
	if (subject.at == NULL)
		return "subject";
	struct span shown = shown_subject(issuer, subject, arena);
	rights->name = arena_printf(arena, "%s:%.*s", issuer->name, SPAN_ARG(shown)).at;
	if (!read_tenant(rights, issuer, jwt, subject, arena))
		return "tenant";
	rights->identity = arena_printf(arena, "\n%s", rights->tenant).at;
	if (issuer->claims.scope != NULL) {
		rights->endpoints = CONFIG_ENDPOINT_NONE;
		if (!read_scope(&scope, jwt, issuer->claims.scope) || scope.refused)
			return "scope";
	}
	if (issuer->claims.models != NULL && (!read_models(&scope, jwt, issuer->claims.models) || scope.refused))
		return "models";
	return NULL;
}
