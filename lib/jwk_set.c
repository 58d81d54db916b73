/* SPDX-License-Identifier: MIT */
/* An array of keys behind a count of references; jwk_set.h holds the contract. */
#include "lib/jwk_set.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/http_text.h"

enum { JSON_DEPTH_MAX = 8, JSON_VALUES_MAX = 8192, ARENA_MAX = 1 << 20, KID_SHOWN = 64 };

struct jwk_set {
	atomic_uint references;
	size_t count;
	struct jwk keys[JWK_SET_KEYS_MAX];
};

struct jwk_set *jwk_set_hold(struct jwk_set *set)
{
	atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
	return set;
}

void jwk_set_drop(struct jwk_set *set)
{
	if (set == NULL || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < set->count; i++)
		jwk_fini(&set->keys[i]);
	free(set);
}

size_t jwk_set_count(const struct jwk_set *set)
{
	return set->count;
}

const struct jwk *jwk_set_at(const struct jwk_set *set, size_t index)
{
	return &set->keys[index];
}

/* ---- JSON ---- */

/* Appends the id of a key that is left out, without control characters, and why. */
static void note(struct buf *notes, const struct json *json, uint32_t node, size_t index, const char *why)
{
	uint32_t kid = json_member(json, node, "kid");
	struct span raw = kid == JSON_NONE || json_type(json, kid) != JSON_STRING ? SPAN("\"\"") : json_raw(json, kid);
	raw = (struct span){raw.at + 1, raw.len - 2 > KID_SHOWN ? KID_SHOWN : raw.len - 2};
	buf_printf(notes, "key %zu%s%.*s: %s\n", index, raw.len > 0 ? ", kid " : "", SPAN_ARG(raw), why);
}

static void add_jwk(struct jwk_set *set, const struct json *json, uint32_t node, size_t index, struct buf *notes)
{
	const char *why = jwk_read(&set->keys[set->count], json, node);
	if (why == NULL)
		set->count++;
	else
		note(notes, json, node, index, why);
}

/* Returns NULL, or what is wrong with the document as a whole. */
static const char *read_document(struct jwk_set *set, const struct json *json, struct buf *notes)
{
	uint32_t list = json_member(json, 0, "keys");
	size_t index = 0;
	if (json_member(json, 0, "kty") != JSON_NONE) {
		add_jwk(set, json, 0, 0, notes);
		return NULL;
	}
	if (list == JSON_NONE || json_type(json, list) != JSON_ARRAY)
		return "it has no array \"keys\"";
	if (json->nodes[list].count > JWK_SET_KEYS_MAX)
		return "it has more than 64 keys";
	for (uint32_t at = json_first(json, list); at != JSON_NONE; at = json_next(json, list, at))
		add_jwk(set, json, at, index++, notes);
	return NULL;
}

static const char *read_json(struct jwk_set *set, struct span text, struct buf *notes)
{
	struct arena arena;
	struct json json;
	struct json_error error;
	const char *why;
	arena_init(&arena, ARENA_MAX);
	if (json_parse_within(&json, &arena, text, &(struct json_limits){JSON_DEPTH_MAX, JSON_VALUES_MAX}, &error))
		why = read_document(set, &json, notes);
	else
		why = error.what;
	arena_fini(&arena);
	return why;
}

/* ---- PEM ---- */

static EVP_PKEY *decode(const char *name, const unsigned char *der, long len)
{
	EVP_PKEY *key = NULL;
	if (strcmp(name, PEM_STRING_PUBLIC) == 0)
		return d2i_PUBKEY(NULL, &der, len);
	if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0)
		return d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, len);
	X509 *certificate = strcmp(name, PEM_STRING_X509) == 0 ? d2i_X509(NULL, &der, len) : NULL;
	if (certificate != NULL)
		key = X509_get_pubkey(certificate);
	X509_free(certificate);
	return key;
}

/* Adds the key of one block. Returns NULL, or why the text as a whole is refused. */
static const char *add_block(struct jwk_set *set, const char *name, const unsigned char *der, long len, size_t index,
			     struct buf *notes)
{
	if (strstr(name, "PRIVATE") != NULL)
		return "it holds a private key, which nobody but its owner may have; expected public keys";
	if (index >= JWK_SET_KEYS_MAX)
		return "it has more than 64 keys";
	EVP_PKEY *key = decode(name, der, len);
	const char *why =
	    key == NULL ? "it is neither a public key nor a certificate" : jwk_adopt(&set->keys[set->count], key);
	if (why == NULL)
		set->count++;
	else
		buf_printf(notes, "block %zu: %s\n", index, why);
	return NULL;
}

static const char *read_pem(struct jwk_set *set, struct span text, struct buf *notes)
{
	BIO *bio = BIO_new_mem_buf(text.at, (int)text.len);
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	long len = 0;
	const char *why = bio == NULL ? "out of memory" : NULL;
	size_t index = 0;
	while (why == NULL && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
		why = add_block(set, name, der, len, index++, notes);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len);
	}
	BIO_free(bio);
	ERR_clear_error(); /* that there are no more blocks is an error there */
	return why == NULL && index == 0 ? "it is neither JSON nor PEM" : why;
}

struct jwk_set *jwk_set_read(struct span text, struct buf *notes)
{
	struct jwk_set *set = calloc(1, sizeof(*set));
	const char *why = set == NULL                    ? "out of memory"
			  : text.len > JWK_SET_BYTES_MAX ? "it is larger than 256 KiB"
							 : NULL;
	struct span start = http_trim(text);
	while (start.len > 0 && (start.at[0] == '\n' || start.at[0] == '\r'))
		start = http_trim((struct span){start.at + 1, start.len - 1});
	if (why == NULL)
		why = start.len > 0 && start.at[0] == '{' ? read_json(set, text, notes) : read_pem(set, text, notes);
	if (why == NULL && set->count == 0)
		why = "it has no key that can be used";
	if (why == NULL) {
		atomic_init(&set->references, 1);
		return set;
	}
	buf_printf(notes, "%s\n", why);
	if (set != NULL) {
		atomic_init(&set->references, 1);
		jwk_set_drop(set);
	}
	return NULL;
}

/* ---- signatures ---- */

static bool has_kid(const struct jwk *key, struct span kid)
{
	return kid.at == NULL || key->kid == NULL || span_is(kid, key->kid);
}

enum jwk_match jwk_set_verify(const struct jwk_set *set, enum jwk_algorithm algorithm, struct span kid,
			      struct span text, struct span signature)
{
	enum jwk_match match = JWK_MATCH_UNKNOWN_KID;
	size_t tries = 0;
	for (size_t i = 0; i < set->count && tries < JWK_SET_TRIES; i++) {
		const struct jwk *key = &set->keys[i];
		if (!has_kid(key, kid))
			continue;
		if ((key->algorithms & 1u << algorithm) == 0) {
			if (match == JWK_MATCH_UNKNOWN_KID)
				match = JWK_MATCH_ALGORITHM;
			continue;
		}
		tries++;
		match = JWK_MATCH_WRONG;
		if (jwk_verify(key, algorithm, text, signature))
			return JWK_MATCH_GOOD;
	}
	return match;
}
