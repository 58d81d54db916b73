/* SPDX-License-Identifier: MIT */
/* Keys and signatures against published vectors, and keys that nobody should verify with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base64url.h"
#include "lib/jwk_set.h"
#include "tests/tokens/signer.h"

enum { NOTES = 16384 };

/* The keys of RFC 7515 (A.2, A.3), RFC 8037 (A.2), RFC 7520 (3.3), and of Wycheproof's group of PS256. */
#define A2_N                                                                                                          \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"      \
	"SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7" \
	"WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"                     \
	"h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define BILBO_N                                                                                          \
	"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_"       \
	"AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-" \
	"OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_"         \
	"vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
#define PSS_N                                                                                  \
	"orRRoH0KpfluRVZxUTVQUUqKW0YuvvcXCU-h_"                                                \
	"ugiJOY3-XRtP3yv0xh42AMltu9aFwD2WQO0aUKeidbqyIRQl7WrOTGJ25JRLtincRoSU_"                \
	"rNIPecFegkfz0-QuRuSMmOJUov6XZTE6A-_"                                                  \
	"48X4aApOXofomqNzib0kO2BKZYV2YFMItphBCjgnH2WWFlCZvXAIdD87KCNlFoSvoLeTR7Oa0w"           \
	"DFFtdNJXU7VQR64eNrwX9evw-"                                                            \
	"Ca2g8RJkIvWQl1oZaYFvSGmLy7obTZyuedRg2Pn4Xnl1AF2bwixOWsD3waRdElaaYoB9O5oC5aUw53MGb0U9" \
	"H1tMLpz3ggKD90K51Q"

#define JOE "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static const struct {
	const char *name, *jwk, *text, *signature;
	enum jwk_algorithm algorithm;
} vectors[] = {
    {"RFC 7515, A.2", "{\"kty\":\"RSA\",\"n\":\"" A2_N "\",\"e\":\"AQAB\"}", "eyJhbGciOiJSUzI1NiJ9." JOE,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
     "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
     "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
     "eSN9383LcOLn6_dO--xi12jzDwusC-"
     "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVm"
     "tVrBp0igcN_IoypGlUPQGe77Rw",
     JWK_RS256},
    {"RFC 7515, A.3",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
     "tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9." JOE,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", JWK_ES256},
    {"RFC 8037, A.4", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", JWK_EDDSA},
    {"RFC 7520, 4.1",
     "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"n\":\"" BILBO_N
     "\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9."
     "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5k"
     "IGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4",
     "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-"
     "BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_"
     "qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_"
     "de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
     JWK_RS256},
    {"Wycheproof, 274", "{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"PS256\",\"n\":\"" PSS_N "\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ.YQ",
     "ZgVavy_Pn25fIkdd8Nixh6YFJtTYk_THG0IKM7xUwLqiME80Z-f9pgdSf6-MKDV58Keo_oLYii9gXgSCcx-"
     "IUA1ezDFdaU3e90n1h9v5HCCwz3t_LnVRCCa4PkXArQTOCDD7gmDFhfzXOXWJOUPCCAj6lTdMn9UvPhCh3OB_ExMbW72-"
     "toklAYiDknpQTG_1-k7R3x91N5ToD6bGRonBB6Y3z-kZCgyQ3ORHBiWI1VYHxqKscorI-uI-"
     "wouKa-crqkvOoCTuAjvpu7Z8ZAgMPlLW5KRc8KC8VKcUW--7VJCUezGxLQSj011ith3wIuW1eE64xW9yq7kyB4XAiFiA7A",
     JWK_PS256},
};

static struct jwk_set *read_set(const char *text)
{
	struct buf notes;
	buf_init(&notes, NOTES);
	struct jwk_set *set = jwk_set_read(span_of(text), &notes);
	assert_true((set == NULL) <= (buf_len(&notes) > 0));
	buf_fini(&notes);
	return set;
}

static void published_signatures_verify_and_one_bit_breaks_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct jwk_set *set = read_set(vectors[i].jwk);
		unsigned char bytes[JWK_SIGNATURE_MAX];
		struct span text = span_of(vectors[i].text), signature = {(char *)bytes, 0};
		assert_true(base64url_decode(span_of(vectors[i].signature), bytes, sizeof(bytes), &signature.len));
		assert_non_null(set);
		const struct jwk *key = jwk_set_at(set, 0);
		if (!jwk_verify(key, vectors[i].algorithm, text, signature))
			fail_msg("%s", vectors[i].name);
		for (enum jwk_algorithm other = 0; other < JWK_ALGORITHM_COUNT; other++)
			assert_int_equal(jwk_verify(key, other, text, signature), other == vectors[i].algorithm);
		for (size_t bit = 0; bit < signature.len * 8; bit += 37) {
			bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
			assert_false(jwk_verify(key, vectors[i].algorithm, text, signature));
			bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
		assert_false(jwk_verify(key, vectors[i].algorithm, (struct span){text.at, text.len - 1}, signature));
		assert_false(
		    jwk_verify(key, vectors[i].algorithm, text, (struct span){signature.at, signature.len - 1}));
		assert_false(jwk_verify(key, vectors[i].algorithm, text, (struct span){signature.at, 0}));
		jwk_set_drop(set);
	}
}

/* The signature of "psychic signatures" (CVE-2022-21449), and lengths that are none. */
static void a_pair_of_zeros_or_of_another_length_is_no_signature(void **state)
{
	unsigned char bytes[128] = {0};
	(void)state;
	struct jwk_set *set = read_set(vectors[1].jwk);
	for (size_t len = 0; len <= sizeof(bytes); len++)
		assert_false(
		    jwk_verify(jwk_set_at(set, 0), JWK_ES256, SPAN("text"), (struct span){(char *)bytes, len}));
	jwk_set_drop(set);
	set = read_set(vectors[2].jwk);
	assert_false(jwk_verify(jwk_set_at(set, 0), JWK_EDDSA, SPAN("text"), (struct span){(char *)bytes, 64}));
	jwk_set_drop(set);
}

/* One RSA key could make both signatures; `alg` says which of them count. */
static void a_key_that_names_its_algorithm_verifies_no_other(void **state)
{
	static const char *const names[] = {"RS256", "PS256"};
	(void)state;
	for (size_t named = 0; named < 2; named++) {
		struct signer signer = signer_make("RS256", "k");
		char jwk[SIGNER_JWK], more[32];
		snprintf(more, sizeof(more), ",\"alg\":\"%s\"", names[named]);
		signer_jwk(&signer, more, jwk);
		struct jwk_set *set = read_set(jwk);
		assert_non_null(set);
		for (size_t made = 0; made < 2; made++) {
			char token[SIGNER_TOKEN] = "text";
			unsigned char bytes[JWK_SIGNATURE_MAX];
			size_t len;
			signer.algorithm = names[made];
			signer_sign(&signer, token);
			assert_true(base64url_decode(span_of(strchr(token, '.') + 1), bytes, sizeof(bytes), &len));
			assert_int_equal(jwk_verify(jwk_set_at(set, 0), (enum jwk_algorithm)made, SPAN("text"),
						    (struct span){(char *)bytes, len}),
					 made == named);
		}
		jwk_set_drop(set);
		signer_free(&signer);
	}
}

static void a_signature_of_es256_in_der_is_refused(void **state)
{
	struct signer signer = signer_make("ES256", "k");
	char jwk[SIGNER_JWK];
	unsigned char der[256];
	size_t len = sizeof(der);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	(void)state;
	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer.key), 1);
	assert_int_equal(EVP_DigestSign(context, der, &len, (const unsigned char *)"text", 4), 1);
	EVP_MD_CTX_free(context);
	signer_jwk(&signer, "", jwk);
	struct jwk_set *set = read_set(jwk);
	assert_false(jwk_verify(jwk_set_at(set, 0), JWK_ES256, SPAN("text"), (struct span){(char *)der, len}));
	len = signer_pair(der, len);
	assert_true(jwk_verify(jwk_set_at(set, 0), JWK_ES256, SPAN("text"), (struct span){(char *)der, len}));
	jwk_set_drop(set);
	signer_free(&signer);
}

#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define RSA_E(e) "{\"kty\":\"RSA\",\"n\":\"" A2_N "\",\"e\":\"" e "\"}"

static void keys_that_cannot_be_used_are_refused(void **state)
{
	static const char *const rows[] = {
	    "{}",
	    "{\"kty\":\"oct\",\"k\":\"GawgguFyGrWKav7AX4VKUg\"}",
	    "{\"kty\":\"oct\"}",
	    "{" EC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
	    "{" EC ",\"use\":\"enc\"}",
	    "{" EC ",\"use\":1}",
	    "{" EC ",\"key_ops\":[\"sign\"]}",
	    "{" EC ",\"key_ops\":\"verify\"}",
	    "{" EC ",\"alg\":\"RS256\"}",
	    "{" EC ",\"alg\":\"HS256\"}",
	    "{" EC ",\"alg\":\"none\"}",
	    "{" EC ",\"alg\":\"ES384\"}",
	    "{" EC ",\"alg\":7}",
	    "{" EC ",\"kid\":\"\"}",
	    "{" EC ",\"kid\":{}}",
	    "{" EC ",\"x\":\"" EC_X "\"}",                                              /* a duplicate */
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_Y "\",\"y\":\"" EC_X "\"}", /* not on the curve */
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA" EC_X "\",\"y\":\"" EC_Y "\"}", /* not 32 bytes */
	    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
	    "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
	    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
	    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR\"}",
	    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
	    RSA_E("AQ"),      /* 1 */
	    RSA_E("AQAA"),    /* even */
	    RSA_E("AQAAAAE"), /* 2^32 + 1 */
	    RSA_E(""),
	    RSA_E("AQAB="),
	    "{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}",
	    "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
	    "{\"keys\":[]}",
	    "{\"keys\":{}}",
	    "{\"keys\":[1,[],null,\"x\"]}",
	    "[{" EC "}]",
	    "{" EC "} x",
	    "",
	    "garbage",
	    "<html>",
	    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (read_set(rows[i]) != NULL)
			fail_msg("%s", rows[i]);
	struct jwk_set *set =
	    read_set("{" EC ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"kid\":\"k\"}");
	assert_non_null(set);
	jwk_set_drop(set);
}

static void rsa_keys_have_2048_to_4096_bits(void **state)
{
	static const struct {
		unsigned bits;
		bool good;
	} rows[] = {{1024, false}, {2040, false}, {2048, true}, {3072, true}, {4104, false}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct signer signer = signer_make_sized("RS256", "k", rows[i].bits);
		char jwk[SIGNER_JWK];
		signer_jwk(&signer, "", jwk);
		struct jwk_set *set = read_set(jwk);
		assert_int_equal(set != NULL, rows[i].good);
		jwk_set_drop(set);
		signer_free(&signer);
	}
}

static void a_set_leaves_out_what_cannot_be_used_and_says_so(void **state)
{
	struct buf notes;
	(void)state;
	buf_init(&notes, NOTES);
	struct jwk_set *set = jwk_set_read(SPAN(" \n{\"keys\":[{\"kty\":\"oct\",\"kid\":\"secret\",\"k\":\"AAAA\"},{" EC
						",\"kid\":\"good\"},{\"kty\":"
						"\"new\",\"kid\":\"future\"}],\"more\":{\"a\":[1]}}"),
					   &notes);
	assert_non_null(set);
	assert_int_equal(jwk_set_count(set), 1);
	assert_string_equal(jwk_set_at(set, 0)->kid, "good");
	buf_append(&notes, (struct span){"", 1});
	assert_non_null(strstr(buf_span(&notes).at, "key 0, kid secret: it is a private or secret key"));
	assert_non_null(strstr(buf_span(&notes).at, "key 2, kid future: its kty and crv"));
	assert_null(strstr(buf_span(&notes).at, "AAAA"));
	assert_ptr_equal(jwk_set_hold(set), set);
	jwk_set_drop(set);
	jwk_set_drop(set);
	buf_fini(&notes);
}

static void a_set_has_at_most_64_keys(void **state)
{
	(void)state;
	for (size_t keys = 64; keys <= 65; keys++) {
		struct buf text, notes;
		buf_init(&text, JWK_SET_BYTES_MAX);
		buf_init(&notes, NOTES);
		buf_append(&text, SPAN("{\"keys\":["));
		for (size_t i = 0; i < keys; i++)
			buf_printf(&text, "%s{" EC ",\"kid\":\"%zu\"}", i == 0 ? "" : ",", i);
		buf_append(&text, SPAN("]}"));
		struct jwk_set *set = jwk_set_read(buf_span(&text), &notes);
		assert_int_equal(set != NULL, keys == 64);
		jwk_set_drop(set);
		buf_fini(&text);
		buf_fini(&notes);
	}
}

static void a_large_text_is_refused_unread(void **state)
{
	char *text = malloc(JWK_SET_BYTES_MAX + 1);
	struct buf notes;
	(void)state;
	buf_init(&notes, NOTES);
	memset(text, ' ', JWK_SET_BYTES_MAX + 1);
	memcpy(text, "{" EC "}", strlen("{" EC "}"));
	assert_null(jwk_set_read((struct span){text, JWK_SET_BYTES_MAX + 1}, &notes));
	struct jwk_set *set = jwk_set_read((struct span){text, JWK_SET_BYTES_MAX}, &notes);
	assert_non_null(set);
	jwk_set_drop(set);
	buf_fini(&notes);
	free(text);
}

static struct jwk_set *read_file(const char *path)
{
	char text[16384];
	FILE *file = fopen(path, "re");
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return read_set(text);
}

static void pem_holds_several_public_keys_and_no_private_one(void **state)
{
	struct signer rsa = signer_make("RS256", "a"), ec = signer_make("ES256", "b"), ed = signer_make("EdDSA", "c");
	char path[] = "/tmp/sluice-jwk-XXXXXX";
	(void)state;
	close(mkstemp(path));
	signer_write_pem(&rsa, path);
	signer_write_pem(&ec, path);
	signer_write_pem(&ed, path);
	struct jwk_set *set = read_file(path);
	assert_non_null(set);
	assert_int_equal(jwk_set_count(set), 3);
	assert_int_equal(jwk_set_at(set, 0)->algorithms, 1u << JWK_RS256 | 1u << JWK_PS256);
	assert_int_equal(jwk_set_at(set, 1)->algorithms, 1u << JWK_ES256);
	assert_int_equal(jwk_set_at(set, 2)->algorithms, 1u << JWK_EDDSA);
	assert_null(jwk_set_at(set, 0)->kid);
	jwk_set_drop(set);
	FILE *file = fopen(path, "ae");
	assert_int_equal(PEM_write_PrivateKey(file, ec.key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	assert_null(read_file(path));
	unlink(path);
	signer_free(&rsa);
	signer_free(&ec);
	signer_free(&ed);
}

static void names_of_algorithms_are_the_registered_ones(void **state)
{
	static const char *const others[] = {"none",  "None",  "HS256",  "RS384", "ES384",
					     "PS512", "rs256", "RS256 ", "",      "Ed448"};
	enum jwk_algorithm algorithm;
	(void)state;
	for (enum jwk_algorithm i = 0; i < JWK_ALGORITHM_COUNT; i++) {
		assert_true(jwk_algorithm_parse(span_of(jwk_algorithm_name(i)), &algorithm));
		assert_int_equal(algorithm, i);
	}
	assert_true(jwk_algorithm_parse(SPAN("Ed25519"), &algorithm));
	assert_int_equal(algorithm, JWK_EDDSA);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(jwk_algorithm_parse(span_of(others[i]), &algorithm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_signatures_verify_and_one_bit_breaks_them),
	    cmocka_unit_test(a_pair_of_zeros_or_of_another_length_is_no_signature),
	    cmocka_unit_test(a_key_that_names_its_algorithm_verifies_no_other),
	    cmocka_unit_test(a_signature_of_es256_in_der_is_refused),
	    cmocka_unit_test(keys_that_cannot_be_used_are_refused),
	    cmocka_unit_test(rsa_keys_have_2048_to_4096_bits),
	    cmocka_unit_test(a_set_leaves_out_what_cannot_be_used_and_says_so),
	    cmocka_unit_test(a_set_has_at_most_64_keys),
	    cmocka_unit_test(a_large_text_is_refused_unread),
	    cmocka_unit_test(pem_holds_several_public_keys_and_no_private_one),
	    cmocka_unit_test(names_of_algorithms_are_the_registered_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
