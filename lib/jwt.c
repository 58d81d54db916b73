/* SPDX-License-Identifier: MIT */
/* Three parts by dots, two of them JSON; jwt.h holds the contract. */
#include "lib/jwt.h"

#include "lib/base64url.h"
#include "lib/http_text.h"

/* A header or payload of JWT_BYTES_MAX has no more. */
static const struct json_limits json_limits = {.depth = 16, .values = 4096};

/* ---- reading ---- */

/* Takes the part before the next dot off the rest. */
static bool take_part(struct span *rest, struct span *part)
{
	const char *dot = memchr(rest->at, '.', rest->len);
	if (dot == NULL)
		return false;
	*part = (struct span){rest->at, (size_t)(dot - rest->at)};
	*rest = (struct span){dot + 1, rest->len - part->len - 1};
	return true;
}

static bool decode(struct span part, struct span *bytes, struct arena *arena)
{
	size_t room = base64url_size(part.len), len = 0;
	unsigned char *out = room == 0 ? NULL : arena_alloc(arena, room);
	if (out == NULL || !base64url_decode(part, out, room, &len))
		return false;
	*bytes = (struct span){(const char *)out, len};
	return true;
}

/* Decodes a part that must be a JSON object without duplicate members. */
static bool decode_object(struct span part, struct json *json, struct arena *arena)
{
	struct span text;
	struct json_error error;
	return decode(part, &text, arena) && json_parse_within(json, arena, text, &json_limits, &error) &&
	       json_type(json, 0) == JSON_OBJECT;
}

static struct span text_at(const struct json *json, uint32_t node, size_t most, struct arena *arena)
{
	struct span text = {NULL, 0};
	if (node != JSON_NONE && json_type(json, node) == JSON_STRING)
		text = json_string(json, node, arena);
	return text.len > 0 && text.len <= most ? text : (struct span){NULL, 0};
}

/* RFC 8725, section 3.11: a token of another kind is not one of ours. The prefix "application/" may be left out. */
static bool is_type(struct span type)
{
	static const char *const types[] = {"jwt", "application/jwt", "at+jwt", "application/at+jwt"};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (http_is_word(type, types[i]))
			return true;
	return false;
}

static enum jwt_verdict read_header(struct jwt *jwt, const struct json *header, struct arena *arena)
{
	enum { NAME_MAX = 64 };
	uint32_t type = json_member(header, 0, "typ"), kid = json_member(header, 0, "kid");
	if (json_member(header, 0, "crit") != JSON_NONE)
		return JWT_CRITICAL;
	if (type != JSON_NONE && !is_type(text_at(header, type, NAME_MAX, arena)))
		return JWT_TYPE;
	jwt->kid = text_at(header, kid, JWK_KID_MAX, arena);
	if (kid != JSON_NONE && jwt->kid.at == NULL)
		return JWT_MALFORMED;
	struct span name = text_at(header, json_member(header, 0, "alg"), NAME_MAX, arena);
	return jwk_algorithm_parse(name, &jwt->algorithm) ? JWT_GOOD : JWT_ALGORITHM;
}

enum jwt_verdict jwt_read(struct jwt *jwt, struct span token, struct arena *arena)
{
	struct span rest = token, head, payload;
	struct json header;
	*jwt = (struct jwt){.kid = {NULL, 0}};
	if (token.len > JWT_BYTES_MAX)
		return JWT_TOO_LONG;
	if (token.len == 0 || !take_part(&rest, &head) || !take_part(&rest, &payload) ||
	    !decode(rest, &jwt->signature, arena) || jwt->signature.len > JWK_SIGNATURE_MAX ||
	    !decode_object(head, &header, arena))
		return arena_failed(arena) ? JWT_NO_MEMORY : JWT_MALFORMED;
	enum jwt_verdict verdict = read_header(jwt, &header, arena);
	jwt->signed_text = (struct span){token.at, head.len + 1 + payload.len};
	if (verdict == JWT_GOOD && !decode_object(payload, &jwt->claims, arena))
		verdict = JWT_MALFORMED;
	return arena_failed(arena) ? JWT_NO_MEMORY : verdict;
}

enum jwt_verdict jwt_verify(const struct jwt *jwt, const struct jwk_set *set, unsigned algorithms)
{
	if ((algorithms & 1u << jwt->algorithm) == 0)
		return JWT_ALGORITHM;
	switch (jwk_set_verify(set, jwt->algorithm, jwt->kid, jwt->signed_text, jwt->signature)) {
	case JWK_MATCH_GOOD:
		return JWT_GOOD;
	case JWK_MATCH_ALGORITHM:
		return JWT_ALGORITHM;
	case JWK_MATCH_UNKNOWN_KID:
		return JWT_UNKNOWN_KID;
	default:
		return JWT_SIGNATURE;
	}
}

/* ---- claims ---- */

/* Reads a NumericDate (RFC 7519, section 2). What lies before 1970 is 0, what no date reaches is cut. */
static bool read_time(const struct jwt *jwt, const char *claim, uint64_t *seconds)
{
	static const double most = 1e15; /* far ahead, and a sum with skews still fits */
	uint32_t node = json_member(&jwt->claims, 0, claim);
	double value;
	if (node == JSON_NONE || json_type(&jwt->claims, node) != JSON_NUMBER ||
	    !json_double(&jwt->claims, node, &value))
		return false;
	*seconds = value <= 0 ? 0 : value >= most ? (uint64_t)most : (uint64_t)value;
	return true;
}

uint64_t jwt_expiry(const struct jwt *jwt)
{
	uint64_t seconds;
	return read_time(jwt, "exp", &seconds) ? seconds : 0;
}

struct span jwt_text(const struct jwt *jwt, const char *claim, struct arena *arena)
{
	return text_at(&jwt->claims, json_member(&jwt->claims, 0, claim), JWT_SUBJECT_MAX, arena);
}

static bool is_for(const struct json *claims, uint32_t node, const struct jwt_rules *rules)
{
	for (size_t i = 0; i < rules->audience_count; i++)
		if (json_string_is(claims, node, rules->audiences[i]))
			return true;
	return false;
}

static bool is_for_us(const struct json *claims, const struct jwt_rules *rules)
{
	uint32_t list = json_member(claims, 0, "aud");
	if (list == JSON_NONE)
		return false;
	if (json_type(claims, list) != JSON_ARRAY)
		return is_for(claims, list, rules);
	if (claims->nodes[list].count > JWT_AUDIENCES_MAX)
		return false;
	for (uint32_t at = json_first(claims, list); at != JSON_NONE; at = json_next(claims, list, at))
		if (is_for(claims, at, rules))
			return true;
	return false;
}

enum jwt_verdict jwt_check(const struct jwt *jwt, const struct jwt_rules *rules, struct arena *arena)
{
	uint64_t expiry, start;
	if (!span_is(jwt_text(jwt, "iss", arena), rules->issuer))
		return JWT_ISSUER;
	if (!is_for_us(&jwt->claims, rules))
		return JWT_AUDIENCE;
	if (!read_time(jwt, "exp", &expiry))
		return JWT_NO_EXPIRY;
	if (rules->now_s >= expiry + rules->skew_s)
		return JWT_EXPIRED;
	if (json_member(&jwt->claims, 0, "nbf") != JSON_NONE &&
	    (!read_time(jwt, "nbf", &start) || rules->now_s + rules->skew_s < start))
		return JWT_NOT_YET;
	return JWT_GOOD;
}

const char *jwt_verdict_text(enum jwt_verdict verdict)
{
	static const char *const texts[] = {
	    [JWT_GOOD] = "is good",
	    [JWT_TOO_LONG] = "is longer than 8 KiB",
	    [JWT_MALFORMED] = "is malformed: expected base64url of JSON without duplicate members",
	    [JWT_TYPE] = "is of another type: `typ` must be JWT or at+jwt, or absent",
	    [JWT_CRITICAL] = "has critical extensions (`crit`), which are not supported",
	    [JWT_ALGORITHM] = "has an algorithm (`alg`) that is not allowed for its key",
	    [JWT_UNKNOWN_KID] = "names a key (`kid`) that its issuer does not have at present",
	    [JWT_SIGNATURE] = "has a signature that none of its issuer's keys made",
	    [JWT_ISSUER] = "has an issuer (`iss`) that is not accepted here",
	    [JWT_AUDIENCE] = "is for another audience (`aud`)",
	    [JWT_NO_EXPIRY] = "has no expiry (`exp`)",
	    [JWT_EXPIRED] = "has expired (`exp`)",
	    [JWT_NOT_YET] = "is not valid yet (`nbf`)",
	    [JWT_NO_MEMORY] = "could not be read for lack of memory",
	};
	return texts[verdict];
}
