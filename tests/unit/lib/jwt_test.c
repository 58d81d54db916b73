/* SPDX-License-Identifier: MIT */
/* Tokens: good ones of every algorithm, forged ones, and claims at their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/hmac.h>

#include "lib/jwt.h"
#include "tests/tokens/signer.h"

enum { NOW = 1800000000, ALL = (1 << JWK_ALGORITHM_COUNT) - 1 };

#define CLAIMS "{\"iss\":\"https://id\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":1800000060}"

static struct signer signers[JWK_ALGORITHM_COUNT];
static struct jwk_set *set; /* of them all */

static int setup(void **state)
{
	static const char *const kids[] = {"rs", "ps", "es", "ed"};
	char text[8 * SIGNER_JWK] = "{\"keys\":[", jwk[SIGNER_JWK], notes_text[256];
	struct buf notes;
	(void)state;
	for (size_t i = 0; i < JWK_ALGORITHM_COUNT; i++) {
		signers[i] = signer_make(jwk_algorithm_name((enum jwk_algorithm)i), kids[i]);
		signer_jwk(&signers[i], "", jwk);
		strcat(strcat(text, i == 0 ? "" : ","), jwk);
	}
	strcat(text, "]}");
	buf_init_over(&notes, notes_text, sizeof(notes_text));
	set = jwk_set_read(span_of(text), &notes);
	assert_non_null(set);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < JWK_ALGORITHM_COUNT; i++)
		signer_free(&signers[i]);
	jwk_set_drop(set);
	return 0;
}

static enum jwt_verdict judge_with(const char *token, unsigned algorithms, const struct jwt_rules *rules)
{
	struct arena arena;
	struct jwt jwt;
	arena_init(&arena, 0);
	enum jwt_verdict verdict = jwt_read(&jwt, span_of(token), &arena);
	if (verdict == JWT_GOOD)
		verdict = jwt_verify(&jwt, set, algorithms);
	if (verdict == JWT_GOOD)
		verdict = jwt_check(&jwt, rules, &arena);
	arena_fini(&arena);
	return verdict;
}

static enum jwt_verdict judge(const char *token)
{
	static const char *const audiences[] = {"other", "sluice"};
	static const struct jwt_rules rules = {
	    .issuer = "https://id", .audiences = audiences, .audience_count = 2, .now_s = NOW, .skew_s = 30};
	return judge_with(token, ALL, &rules);
}

static enum jwt_verdict judge_header(const char *header)
{
	char token[SIGNER_TOKEN];
	signer_token_of(&signers[JWK_ES256], header, CLAIMS, token);
	return judge(token);
}

static enum jwt_verdict judge_claims(const char *claims)
{
	char token[SIGNER_TOKEN];
	signer_token(&signers[JWK_EDDSA], claims, token);
	return judge(token);
}

static void every_algorithm_is_accepted_where_it_is_listed(void **state)
{
	static const char *const audiences[] = {"sluice"};
	const struct jwt_rules rules = {"https://id", audiences, 1, NOW, 0};
	char token[SIGNER_TOKEN];
	(void)state;
	for (unsigned i = 0; i < JWK_ALGORITHM_COUNT; i++) {
		signer_token(&signers[i], CLAIMS, token);
		assert_int_equal(judge(token), JWT_GOOD);
		assert_int_equal(judge_with(token, 1u << i, &rules), JWT_GOOD);
		assert_int_equal(judge_with(token, ALL & ~(1u << i), &rules), JWT_ALGORITHM);
	}
}

static void headers_say_what_they_may(void **state)
{
	static const struct {
		const char *header;
		enum jwt_verdict verdict;
	} rows[] = {
	    {"{\"alg\":\"ES256\",\"kid\":\"es\"}", JWT_GOOD},
	    {"{\"alg\":\"ES256\"}", JWT_GOOD},
	    {"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", JWT_GOOD},
	    {"{\"alg\":\"ES256\",\"typ\":\"AT+jwt\"}", JWT_GOOD},
	    {"{\"alg\":\"ES256\",\"typ\":\"application/at+jwt\"}", JWT_GOOD},
	    {"{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\"}", JWT_TYPE},
	    {"{\"alg\":\"ES256\",\"typ\":\"\"}", JWT_TYPE},
	    {"{\"alg\":\"ES256\",\"typ\":1}", JWT_TYPE},
	    {"{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", JWT_CRITICAL},
	    {"{\"alg\":\"ES256\",\"crit\":[]}", JWT_CRITICAL},
	    {"{\"alg\":\"ES256\",\"kid\":\"nobody\"}", JWT_UNKNOWN_KID},
	    {"{\"alg\":\"ES256\",\"kid\":\"rs\"}", JWT_ALGORITHM},
	    {"{\"alg\":\"ES256\",\"kid\":\"es\\u0000\"}", JWT_MALFORMED},
	    {"{\"alg\":\"ES256\",\"kid\":\"../../dev/null\"}", JWT_UNKNOWN_KID},
	    {"{\"alg\":\"ES256\",\"kid\":\"es' OR '1'='1\"}", JWT_UNKNOWN_KID},
	    {"{\"alg\":\"ES256\",\"kid\":\"\"}", JWT_MALFORMED},
	    {"{\"alg\":\"ES256\",\"kid\":7}", JWT_MALFORMED},
	    {"{\"alg\":\"ES256\",\"kid\":null}", JWT_MALFORMED},
	    {"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", JWT_MALFORMED},
	    {"{\"alg\":\"none\",\"alg\":\"ES256\"}", JWT_MALFORMED},
	    {"{\"alg\":\"\\u0045S256\"}", JWT_GOOD}, /* the same string */
	    {"{\"alg\":\"none\"}", JWT_ALGORITHM},
	    {"{\"alg\":\"nOnE\"}", JWT_ALGORITHM},
	    {"{\"alg\":[\"ES256\"]}", JWT_ALGORITHM},
	    {"{\"alg\":\"HS256\"}", JWT_ALGORITHM},
	    {"{\"alg\":\"ES384\"}", JWT_ALGORITHM},
	    {"{\"alg\":\"RS256\"}", JWT_SIGNATURE},
	    {"{\"alg\":\"EdDSA\"}", JWT_SIGNATURE},
	    {"{}", JWT_ALGORITHM},
	    {"[]", JWT_MALFORMED},
	    {"\"ES256\"", JWT_MALFORMED},
	    {"{\"alg\":\"ES256\"} ", JWT_GOOD},
	    {"{\"alg\":\"ES256\"}x", JWT_MALFORMED},
	    {"\xef\xbb\xbf{\"alg\":\"ES256\"}", JWT_MALFORMED},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (judge_header(rows[i].header) != rows[i].verdict)
			fail_msg("%s: %s", rows[i].header, jwt_verdict_text(judge_header(rows[i].header)));
}

/* An attacker's own key, offered by the header in every way that a JOSE header knows. */
static void a_key_in_the_header_is_never_used(void **state)
{
	struct signer thief = signer_make("ES256", "es");
	char jwk[SIGNER_JWK], header[2 * SIGNER_JWK], token[SIGNER_TOKEN];
	(void)state;
	signer_jwk(&thief, "", jwk);
	snprintf(
	    header, sizeof(header),
	    "{\"alg\":\"ES256\",\"kid\":\"es\",\"jwk\":%s,\"jku\":\"https://thief/jwks\",\"x5u\":\"https://thief/x\","
	    "\"x5c\":[\"AAAA\"]}",
	    jwk);
	signer_token_of(&thief, header, CLAIMS, token);
	assert_int_equal(judge(token), JWT_SIGNATURE);
	signer_token_of(&signers[JWK_ES256], header, CLAIMS, token);
	assert_int_equal(judge(token), JWT_GOOD);
	signer_free(&thief);
}

/* The classic: the public key, which everybody has, as the secret of an HMAC. */
static void hs256_with_the_public_key_is_refused(void **state)
{
	static const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"rs\"}",
					      "{\"alg\":\"RS256\",\"kid\":\"rs\"}"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char token[SIGNER_TOKEN] = "";
		char *pem;
		unsigned char sum[32];
		BIO *bio = BIO_new(BIO_s_mem());
		PEM_write_bio_PUBKEY(bio, signers[JWK_RS256].key);
		long len = BIO_get_mem_data(bio, &pem);
		signer_encode(token, headers[i], strlen(headers[i]));
		strcat(token, ".");
		signer_encode(token, CLAIMS, strlen(CLAIMS));
		HMAC(EVP_sha256(), pem, (int)len, (unsigned char *)token, strlen(token), sum, NULL);
		strcat(token, ".");
		signer_encode(token, sum, sizeof(sum));
		assert_int_equal(judge(token), i == 0 ? JWT_ALGORITHM : JWT_SIGNATURE);
		BIO_free(bio);
	}
}

static void without_its_signature_a_token_is_nothing(void **state)
{
	char token[SIGNER_TOKEN], none[SIGNER_TOKEN] = "";
	(void)state;
	signer_token(&signers[JWK_RS256], CLAIMS, token);
	*(strrchr(token, '.') + 1) = '\0';
	assert_int_equal(judge(token), JWT_MALFORMED);
	*strrchr(token, '.') = '\0';
	assert_int_equal(judge(token), JWT_MALFORMED);
	signer_encode(none, "{\"alg\":\"none\"}", 14);
	strcat(none, ".");
	signer_encode(none, CLAIMS, strlen(CLAIMS));
	strcat(none, ".");
	assert_int_equal(judge(none), JWT_MALFORMED);
	strcat(none, "AAAA");
	assert_int_equal(judge(none), JWT_ALGORITHM);
}

static void any_changed_character_is_noticed(void **state)
{
	char token[SIGNER_TOKEN];
	(void)state;
	for (unsigned i = 0; i < JWK_ALGORITHM_COUNT; i++) {
		signer_token(&signers[i], CLAIMS, token);
		for (size_t at = 0; token[at] != '\0'; at++) {
			char was = token[at];
			token[at] = was == 'A' ? 'B' : was == 'B' ? 'A' : (char)(was ^ 1);
			assert_int_not_equal(judge(token), JWT_GOOD);
			token[at] = was;
		}
		assert_int_equal(judge(token), JWT_GOOD);
	}
}

/* The last character of a signature of 64 bytes has four bits that no byte uses. */
static void a_signature_has_one_text(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char token[SIGNER_TOKEN];
	unsigned good = 0;
	(void)state;
	signer_token(&signers[JWK_ES256], CLAIMS, token);
	char *last = &token[strlen(token) - 1], was = *last;
	for (size_t i = 0; i < 64; i++) {
		*last = alphabet[i];
		good += judge(token) == JWT_GOOD;
	}
	assert_int_equal(good, 1);
	*last = was;
	strcat(token, "=");
	assert_int_equal(judge(token), JWT_MALFORMED);
}

static void another_number_of_parts_is_malformed(void **state)
{
	static const char *const rows[] = {"",
					   ".",
					   "..",
					   "...",
					   "a",
					   "a.b",
					   "e30.e30.AAAA.AAAA",
					   "e30.e30.AAAA.",
					   ".e30.e30.AAAA",
					   "eyJhbGciOiJFUzI1NiJ9..AAAA",
					   "e30.e30.",
					   "e30.e30.A A",
					   "{}.{}.AAAA",
					   "e30.e30.AAAA\n"};
	char token[SIGNER_TOKEN];
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (judge(rows[i]) != JWT_MALFORMED)
			fail_msg("%s: %s", rows[i], jwt_verdict_text(judge(rows[i])));
	signer_token(&signers[JWK_RS256], CLAIMS, token);
	strcat(token, ".AAAA");
	assert_int_equal(judge(token), JWT_MALFORMED);
}

static void a_token_has_at_most_8_kib(void **state)
{
	static const char *const headers[] = {"{\"alg\":\"EdDSA\"}", "{\"alg\":\"EdDSA\"} ", "{\"alg\":\"EdDSA\"}  "};
	char claims[SIGNER_TOKEN / 2], token[SIGNER_TOKEN];
	bool longest = false, longer = false;
	(void)state;
	for (int filler = 5900; filler < 6100; filler++) { /* three bytes are four characters: each length comes */
		snprintf(claims, sizeof(claims),
			 "{\"iss\":\"https://id\",\"aud\":\"sluice\",\"exp\":1800000060,\"x\":\"%*s\"}", filler, "");
		signer_token_of(&signers[JWK_EDDSA], headers[filler / 3 % 3], claims, token);
		assert_int_equal(judge(token), strlen(token) <= JWT_BYTES_MAX ? JWT_GOOD : JWT_TOO_LONG);
		longest = longest || strlen(token) == JWT_BYTES_MAX;
		longer = longer || strlen(token) == JWT_BYTES_MAX + 1;
	}
	assert_true(longest && longer);
}

static void claims_are_judged_one_by_one(void **state)
{
	static const struct {
		const char *claims;
		enum jwt_verdict verdict;
	} rows[] = {
#define ISS "\"iss\":\"https://id\","
#define AUD "\"aud\":\"sluice\","
	    {"{" ISS AUD "\"exp\":1800000060}", JWT_GOOD},
	    {"{" AUD "\"exp\":1800000060}", JWT_ISSUER},
	    {"{\"iss\":\"https://id/\"," AUD "\"exp\":1800000060}", JWT_ISSUER},
	    {"{\"iss\":[\"https://id\"]," AUD "\"exp\":1800000060}", JWT_ISSUER},
	    {"{" ISS "\"iss\":\"https://id\"," AUD "\"exp\":1800000060}", JWT_MALFORMED},
	    {"{" ISS "\"i\\u0073s\":\"https://id\"," AUD "\"exp\":1800000060}", JWT_MALFORMED},
	    {"{" ISS "\"exp\":1800000060}", JWT_AUDIENCE},
	    {"{" ISS "\"aud\":\"sluic\",\"exp\":1800000060}", JWT_AUDIENCE},
	    {"{" ISS "\"aud\":\"sluice2\",\"exp\":1800000060}", JWT_AUDIENCE},
	    {"{" ISS "\"aud\":[],\"exp\":1800000060}", JWT_AUDIENCE},
	    {"{" ISS "\"aud\":[\"a\",1,\"sluice\"],\"exp\":1800000060}", JWT_GOOD},
	    {"{" ISS "\"aud\":[[\"sluice\"]],\"exp\":1800000060}", JWT_AUDIENCE},
	    {"{" ISS "\"aud\":{\"sluice\":\"sluice\"},\"exp\":1800000060}", JWT_AUDIENCE},
	    {"{" ISS "\"aud\":\"other\",\"exp\":1800000060}", JWT_GOOD},
	    {"{" ISS AUD "\"sub\":\"ann\"}", JWT_NO_EXPIRY},
	    {"{" ISS AUD "\"exp\":\"1800000060\"}", JWT_NO_EXPIRY},
	    {"{" ISS AUD "\"exp\":null}", JWT_NO_EXPIRY},
	    {"{" ISS AUD "\"exp\":1799999970}", JWT_EXPIRED}, /* 30 s ago, which is the skew */
	    {"{" ISS AUD "\"exp\":1799999971}", JWT_GOOD},
	    {"{" ISS AUD "\"exp\":1799999970.9}", JWT_EXPIRED},
	    {"{" ISS AUD "\"exp\":1.8e9}", JWT_GOOD},
	    {"{" ISS AUD "\"exp\":-1}", JWT_EXPIRED},
	    {"{" ISS AUD "\"exp\":0}", JWT_EXPIRED},
	    {"{" ISS AUD "\"exp\":99999999999999999999999999}", JWT_GOOD},
	    {"{" ISS AUD "\"exp\":1e999}", JWT_MALFORMED},
	    {"{" ISS AUD "\"exp\":1800000060,\"exp\":1}", JWT_MALFORMED},
	    {"{" ISS AUD "\"exp\":1800000060,\"nbf\":1800000030}", JWT_GOOD},
	    {"{" ISS AUD "\"exp\":1800000060,\"nbf\":1800000031}", JWT_NOT_YET},
	    {"{" ISS AUD "\"exp\":1800000060,\"nbf\":\"1\"}", JWT_NOT_YET},
	    {"{" ISS AUD "\"exp\":1800000060,\"nbf\":1e300}", JWT_NOT_YET},
	    {"[]", JWT_MALFORMED},
	    {"Live long and prosper.", JWT_MALFORMED},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (judge_claims(rows[i].claims) != rows[i].verdict)
			fail_msg("%s: %s", rows[i].claims, jwt_verdict_text(judge_claims(rows[i].claims)));
}

static void a_signature_of_another_issuers_key_is_wrong(void **state)
{
	struct signer other = signer_make("EdDSA", "ed");
	char token[SIGNER_TOKEN];
	(void)state;
	signer_token(&other, CLAIMS, token);
	assert_int_equal(judge(token), JWT_SIGNATURE);
	signer_free(&other);
}

static void what_a_token_says_can_be_asked_for(void **state)
{
	char token[SIGNER_TOKEN];
	struct arena arena;
	struct jwt jwt;
	(void)state;
	arena_init(&arena, 0);
	signer_token(&signers[JWK_ES256], "{\"sub\":\"\\u0061nn\",\"exp\":5.5,\"n\":1,\"e\":\"\"}", token);
	assert_int_equal(jwt_read(&jwt, span_of(token), &arena), JWT_GOOD);
	assert_true(span_is(jwt_text(&jwt, "sub", &arena), "ann"));
	assert_null(jwt_text(&jwt, "n", &arena).at);
	assert_null(jwt_text(&jwt, "e", &arena).at);
	assert_null(jwt_text(&jwt, "absent", &arena).at);
	assert_int_equal(jwt_expiry(&jwt), 5);
	arena_fini(&arena);
	for (enum jwt_verdict verdict = JWT_GOOD; verdict <= JWT_NO_MEMORY; verdict++)
		assert_non_null(jwt_verdict_text(verdict));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_algorithm_is_accepted_where_it_is_listed),
	    cmocka_unit_test(headers_say_what_they_may),
	    cmocka_unit_test(a_key_in_the_header_is_never_used),
	    cmocka_unit_test(hs256_with_the_public_key_is_refused),
	    cmocka_unit_test(without_its_signature_a_token_is_nothing),
	    cmocka_unit_test(any_changed_character_is_noticed),
	    cmocka_unit_test(a_signature_has_one_text),
	    cmocka_unit_test(another_number_of_parts_is_malformed),
	    cmocka_unit_test(a_token_has_at_most_8_kib),
	    cmocka_unit_test(claims_are_judged_one_by_one),
	    cmocka_unit_test(a_signature_of_another_issuers_key_is_wrong),
	    cmocka_unit_test(what_a_token_says_can_be_asked_for),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
