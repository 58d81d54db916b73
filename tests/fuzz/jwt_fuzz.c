/* SPDX-License-Identifier: MIT */
/*
 * Tokens and sets of keys, whatever is sent: "t" and a token, "k" and a set, "h" and the JSON of a header, "c" and that
 * of claims. A token that can be read has one text only, nothing unsigned is believed, and what claims say agrees with
 * the verdict on them. Whatever claims say, a tenant is below that of its issuer, and a name is plain text.
 */
#include <assert.h>
#include <stdint.h>

#include "lib/jwt.h"
#include "service/access/claims.h"
#include "tests/tokens/signer.h"

enum { NOW = 1800000000, INPUT_MOST = 6 * 1024, NOTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key that signed none of the tokens. */
static const struct jwk_set *stranger(void)
{
	static struct jwk_set *set;
	struct buf notes;
	buf_init(&notes, NOTES);
	if (set == NULL)
		set = jwk_set_read(SPAN("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
					"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
				   &notes);
	assert(set != NULL);
	buf_fini(&notes);
	return set;
}

static void check_rights(const struct jwt *jwt, struct arena *arena)
{
	const struct config_issuer issuer = {
	    .name = "corp",
	    .tenant = "acme/p",
	    .claims = {.subject = "sub",
		       .tenant = json_member(&jwt->claims, 0, "team") == JSON_NONE ? NULL : "team",
		       .scope = "scope",
		       .models = json_member(&jwt->claims, 0, "models") == JSON_NONE ? NULL : "models"}};
	struct config_key rights;
	if (claims_read(&rights, &issuer, jwt, arena) != NULL || arena_failed(arena))
		return;
	assert(strncmp(rights.tenant, "acme/p/", 7) == 0 && strchr(rights.tenant + 7, '/') == NULL);
	assert(rights.identity[0] == '\n' && strcmp(rights.identity + 1, rights.tenant) == 0);
	assert(strncmp(rights.name, "corp:", 5) == 0 && strlen(rights.name) > 5 && strlen(rights.name) <= 69);
	for (const char *at = rights.name; *at != '\0'; at++)
		assert(*at > ' ' && *at < 0x7f && *at != '"' && *at != '\\');
	assert(rights.model_count <= CLAIMS_MODELS_MAX && rights.endpoints != 0);
	for (size_t i = 0; i < rights.model_count; i++)
		assert(rights.models[i][0] != '\0');
}

static void check_claims(const struct jwt *jwt, struct arena *arena)
{
	static const char *const audiences[] = {"a"};
	static const struct jwt_rules rules = {"i", audiences, 1, NOW, 0};
	enum jwt_verdict verdict = jwt_check(jwt, &rules, arena);
	struct span subject = jwt_text(jwt, "sub", arena);
	assert(verdict == JWT_GOOD || verdict >= JWT_ISSUER);
	assert(subject.len <= JWT_SUBJECT_MAX);
	check_rights(jwt, arena);
	if (verdict == JWT_GOOD)
		assert(jwt_expiry(jwt) > NOW && span_is(jwt_text(jwt, "iss", arena), "i"));
	if (verdict == JWT_EXPIRED)
		assert(jwt_expiry(jwt) <= NOW);
}

static void check_token(struct span token)
{
	static char again[SIGNER_TOKEN];
	struct arena arena;
	struct jwt jwt;
	arena_init(&arena, 0);
	if (jwt_read(&jwt, token, &arena) == JWT_GOOD) {
		assert(token.len <= JWT_BYTES_MAX && jwt.signed_text.at == token.at && jwt.kid.len <= JWK_KID_MAX);
		again[0] = '\0';
		signer_encode(again, jwt.signature.at, jwt.signature.len);
		assert(span_is((struct span){token.at + jwt.signed_text.len + 1, token.len - jwt.signed_text.len - 1},
			       again));
		assert(jwt_verify(&jwt, stranger(), 0) == JWT_ALGORITHM);
		assert(jwt_verify(&jwt, stranger(), ~0u) != JWT_GOOD);
		check_claims(&jwt, &arena);
	}
	arena_fini(&arena);
}

/* Signs what is given with nothing that would do. */
static void check_json(const char *header, struct span claims)
{
	static char token[SIGNER_TOKEN];
	token[0] = '\0';
	signer_encode(token, header, strlen(header));
	strcat(token, ".");
	signer_encode(token, claims.at, claims.len);
	strcat(token, ".AAAA");
	check_token(span_of(token));
}

static void check_set(struct span text)
{
	struct buf notes;
	buf_init(&notes, NOTES);
	struct jwk_set *set = jwk_set_read(text, &notes);
	assert(set != NULL || buf_len(&notes) > 0);
	for (size_t i = 0; set != NULL && i < jwk_set_count(set); i++) {
		const struct jwk *key = jwk_set_at(set, i);
		assert(key->key != NULL && key->algorithms != 0 && key->algorithms < 1u << JWK_ALGORITHM_COUNT);
		assert(!jwk_verify(key, JWK_EDDSA, SPAN("text"), SPAN("0123456789")));
	}
	jwk_set_drop(set);
	buf_fini(&notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > INPUT_MOST)
		return 0;
	char *copy = malloc(size); /* of the exact size, so that ASan sees a read behind it */
	if (copy == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	struct span text = {copy, size - 1};
	if (data[0] == 't')
		check_token(text);
	else if (data[0] == 'k')
		check_set(text);
	else if (data[0] == 'h')
		check_json(copy, SPAN("{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1900000000}"));
	else
		check_json("{\"alg\":\"EdDSA\"}", text);
	free(copy);
	return 0;
}
