/* SPDX-License-Identifier: MIT */
/* Tokens against issuers: whose they are, what they may do, and what a worker remembers of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/access/access.h"
#include "service/access/claims.h"
#include "service/access/issuers.h"
#include "service/access/key_source.h"
#include "service/access/tokens.h"
#include "tests/tokens/signer.h"

enum { NOW = 1800000000, CORP = 0, PARTNER = 1, PLAIN = 2, LATE = 3 };

#define BASE "\"aud\":\"sluice\",\"exp\":1800000060"
#define OF_CORP "{\"iss\":\"https://corp\"," BASE ",\"sub\":\"ann\""
#define OF_PARTNER "{\"iss\":\"https://partner\"," BASE ",\"sub\":\"ann\""
#define OF_PLAIN "{\"iss\":\"https://plain\"," BASE ",\"sub\":\"ann\""
#define OF_LATE "{\"iss\":\"https://late\"," BASE ",\"sub\":\"ann\""

static struct signer corp, other;
static const struct config *config;
static struct issuers *issuers;
static struct tokens *tokens;
static unsigned wanted[4];

static void on_want(void *context, size_t index)
{
	(void)context;
	wanted[index]++;
}

static int setup(void **state)
{
	static const char yaml[] =
	    "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"
	    "auth:\n  jwt:\n"
	    "    corp: { issuer: 'https://corp', audience: sluice, keys: %s }\n"
	    "    partner: { issuer: 'https://partner', audience: sluice, keys: %s, tenant: acme/p, algorithms: ES256,\n"
	    "               claims: { tenant: team, models: models } }\n"
	    "    plain: { issuer: 'https://plain', audience: sluice, keys: %s, tenant: any,\n"
	    "             claims: { tenant: org, scope: none } }\n"
	    "    late: { issuer: 'https://late', audience: sluice, jwks: 'https://late/' }\n";
	char path[] = "/tmp/sluice-tokens-XXXXXX", text[2048];
	struct buf errors;
	(void)state;
	buf_init(&errors, 4096);
	corp = signer_make("ES256", "corp");
	other = signer_make("ES256", "other");
	close(mkstemp(path));
	signer_write_pem(&corp, path);
	snprintf(text, sizeof(text), yaml, path, path, path);
	config = config_load_text(span_of(text), "t.yaml", &errors);
	if (config == NULL)
		print_error("%.*s", SPAN_ARG(buf_span(&errors)));
	assert_non_null(config);
	issuers = issuers_create(config, &errors);
	assert_non_null(issuers);
	unlink(path);
	buf_fini(&errors);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	issuers_destroy(issuers);
	config_drop(config);
	signer_free(&corp);
	signer_free(&other);
	return 0;
}

/* Each test has a worker that has proven nothing. */
static int begin(void **state)
{
	(void)state;
	memset(wanted, 0, sizeof(wanted));
	issuers_set_fetcher(issuers, (struct issuers_fetcher){on_want, NULL});
	for (size_t i = 0; i < 4; i++)
		issuers_looked(issuers, i);
	tokens = tokens_create(config, issuers);
	return tokens == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	tokens_destroy(tokens);
	return 0;
}

/* A set of that signer's key alone. */
static struct jwk_set *set_of(const struct signer *signer)
{
	char jwk[SIGNER_JWK];
	struct buf notes;
	buf_init(&notes, 1024);
	signer_jwk(signer, "", jwk);
	struct jwk_set *set = jwk_set_read(span_of(jwk), &notes);
	assert_non_null(set);
	buf_fini(&notes);
	return set;
}

static enum error_code check_at(const char *token, uint64_t now_s, struct holder **holder)
{
	return tokens_check(tokens, span_of(token), now_s, holder);
}

static enum error_code check_by(const struct signer *signer, const char *claims)
{
	char token[SIGNER_TOKEN];
	struct holder *holder;
	signer_token(signer, claims, token);
	enum error_code error = check_at(token, NOW, &holder);
	assert_int_equal(error == ERROR_NONE, holder != NULL);
	holder_drop(holder);
	return error;
}

/* The holder of a good token, which the worker keeps, too. */
static struct holder *holder_of(const char *claims)
{
	char token[SIGNER_TOKEN];
	struct holder *holder;
	signer_token(&corp, claims, token);
	enum error_code error = check_at(token, NOW, &holder);
	if (error != ERROR_NONE)
		fail_msg("%s: %s %s", claims, error_row(error)->code, tokens_why(tokens));
	return holder;
}

static void a_token_becomes_a_holder_with_what_its_claims_say(void **state)
{
	(void)state;
	struct holder *holder =
	    holder_of(OF_CORP ",\"scope\":\"openid sluice:chat  sluice:model:gpt-* sluice:model:m\"}");
	const struct config_key *key = holder->key;
	assert_string_equal(holder->id, "corp:ann");
	assert_string_equal(key->name, "corp:ann");
	assert_null(key->hash);
	assert_string_equal(key->tenant, "corp/ann");
	assert_string_equal(key->identity, "\ncorp/ann");
	assert_true(access_has_right(key, OPERATION_RIGHT_CHAT));
	assert_false(access_has_right(key, OPERATION_RIGHT_EMBEDDINGS));
	assert_false(access_has_right(key, OPERATION_RIGHT_ADMIN));
	assert_true(config_key_may_use(key, SPAN("gpt-5")));
	assert_true(config_key_may_use(key, SPAN("m")));
	assert_false(config_key_may_use(key, SPAN("mm")));
	holder_drop(holder);
}

static void a_token_without_a_scope_may_do_nothing(void **state)
{
	static const char *const claims[] = {OF_CORP "}", OF_CORP ",\"scope\":\"\"}", OF_CORP ",\"scope\":[]}",
					     OF_CORP
					     ",\"scope\":\"chat sluice: sluice:Chat sluice:chatter xsluice:chat\"}"};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct holder *holder = holder_of(claims[i]);
		for (enum operation_right right = OPERATION_RIGHT_CHAT; right <= OPERATION_RIGHT_ADMIN; right++)
			assert_false(access_has_right(holder->key, right));
		holder_drop(holder);
	}
}

static void every_endpoint_has_its_word(void **state)
{
	(void)state;
	for (enum operation_right right = OPERATION_RIGHT_CHAT; right <= OPERATION_RIGHT_MODELS; right++) {
		char claims[512];
		snprintf(claims, sizeof(claims), OF_CORP ",\"scope\":[\"sluice:%s\"]}", operation_right_name(right));
		struct holder *holder = holder_of(claims);
		for (enum operation_right each = OPERATION_RIGHT_CHAT; each <= OPERATION_RIGHT_MODELS; each++)
			assert_int_equal(access_has_right(holder->key, each), each == right);
		assert_int_equal(holder->key->model_count, 0);
		holder_drop(holder);
	}
	struct holder *holder = holder_of(OF_CORP ",\"scope\":\"sluice:admin\"}");
	assert_true(access_has_right(holder->key, OPERATION_RIGHT_ADMIN));
	assert_false(access_has_right(holder->key, OPERATION_RIGHT_CHAT));
	holder_drop(holder);
}

static void where_no_scope_is_asked_for_all_but_admin_is_allowed(void **state)
{
	(void)state;
	struct holder *holder = holder_of(OF_PLAIN ",\"org\":\"a/b/c\",\"scope\":\"sluice:admin\"}");
	assert_string_equal(holder->key->tenant, "a/b/c");
	assert_true(access_has_right(holder->key, OPERATION_RIGHT_FANOUT));
	assert_false(access_has_right(holder->key, OPERATION_RIGHT_ADMIN));
	holder_drop(holder);
}

static void tenants_are_below_that_of_their_issuer(void **state)
{
	static const char *const refused[] = {
	    OF_PARTNER ",\"models\":[\"m\"]}",
	    OF_PARTNER ",\"models\":[\"m\"],\"team\":\"\"}",
	    OF_PARTNER ",\"models\":[\"m\"],\"team\":7}",
	    OF_PARTNER ",\"models\":[\"m\"],\"team\":\"a/b\"}", /* a fourth level */
	    OF_PARTNER ",\"models\":[\"m\"],\"team\":\"../x\"}",
	    OF_PARTNER ",\"models\":[\"m\"],\"team\":\"a\\n\"}",
	    OF_PLAIN ",\"org\":\"a/b/c/d\"}",
	    OF_PLAIN "}",
	};
	(void)state;
	struct holder *holder = holder_of(OF_PARTNER ",\"models\":[\"m\",\"n*\"],\"team\":\"red\"}");
	assert_string_equal(holder->key->tenant, "acme/p/red");
	assert_true(config_key_may_use(holder->key, SPAN("nn")));
	assert_false(config_key_may_use(holder->key, SPAN("x")));
	holder_drop(holder);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(check_by(&corp, refused[i]), ERROR_TOKEN_INVALID);
		assert_non_null(strstr(tokens_why(tokens), "claims.tenant"));
	}
}

/* A subject is any text: it may neither break a log line nor choose a place below somebody else's tenant. */
static void a_subject_that_is_no_name_is_hashed(void **state)
{
	static const char *const subjects[] = {"a/b", "a b", "\\n", "\\u00e9", "a\\\"", "..."};
	char seen[8][128];
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		char claims[512];
		snprintf(claims, sizeof(claims), "{\"iss\":\"https://corp\"," BASE ",\"sub\":\"%s\"}", subjects[i]);
		struct holder *holder = holder_of(claims);
		snprintf(seen[i], sizeof(seen[i]), "%s", holder->key->tenant);
		if (i < 5) {
			assert_memory_equal(holder->id, "corp:sub-", 9);
			assert_memory_equal(seen[i], "corp/sub-", 9);
			assert_int_equal(strlen(seen[i]), 9 + 16);
		}
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(seen[i], seen[j]);
		holder_drop(holder);
	}
	assert_int_equal(check_by(&corp, "{\"iss\":\"https://corp\"," BASE ",\"sub\":\"\"}"), ERROR_TOKEN_INVALID);
	assert_string_equal(tokens_why(tokens), "The token lacks a claim, or has it in another form than expected: "
						"auth.jwt.corp.claims.subject.");
	assert_int_equal(check_by(&corp, "{\"iss\":\"https://corp\"," BASE "}"), ERROR_TOKEN_INVALID);
}

static void claims_of_another_form_refuse_the_token(void **state)
{
	static const char *const rows[][2] = {
	    {OF_CORP ",\"scope\":7}", "claims.scope"},
	    {OF_CORP ",\"scope\":[\"sluice:chat\",7]}", "claims.scope"},
	    {OF_CORP ",\"scope\":{\"sluice:chat\":true}}", "claims.scope"},
	    {OF_CORP ",\"scope\":\"sluice:model:\"}", "claims.scope"},
	    {OF_PARTNER ",\"team\":\"red\"}", "claims.models"},
	    {OF_PARTNER ",\"team\":\"red\",\"models\":[]}", "claims.models"},
	    {OF_PARTNER ",\"team\":\"red\",\"models\":[\"\"]}", "claims.models"},
	    {OF_PARTNER ",\"team\":\"red\",\"models\":[1]}", "claims.models"},
	    {OF_PARTNER ",\"team\":\"red\",\"models\":{\"m\":\"m\"}}", "claims.models"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (check_by(&corp, rows[i][0]) != ERROR_TOKEN_INVALID ||
		    strstr(tokens_why(tokens), rows[i][1]) == NULL)
			fail_msg("%s: %s", rows[i][0], tokens_why(tokens));
	}
}

static void a_token_names_at_most_64_models(void **state)
{
	(void)state;
	for (int count = 64; count <= 65; count++) {
		char claims[4096] = OF_CORP ",\"scope\":\"";
		for (int i = 0; i < count; i++)
			snprintf(claims + strlen(claims), 32, "sluice:model:%d ", i);
		strcat(claims, "\"}");
		assert_int_equal(check_by(&corp, claims), count == 64 ? ERROR_NONE : ERROR_TOKEN_INVALID);
	}
}

static void what_is_wrong_is_said_and_nothing_of_the_token_repeated(void **state)
{
	char token[SIGNER_TOKEN];
	struct holder *holder;
	(void)state;
	assert_int_equal(check_by(&other, OF_CORP "}"), ERROR_TOKEN_INVALID);
	assert_string_equal(tokens_why(tokens), "The token has a signature that none of its issuer's keys made.");
	assert_int_equal(check_by(&corp, "{\"iss\":\"https://evil\"," BASE ",\"sub\":\"ann\"}"), ERROR_TOKEN_INVALID);
	assert_string_equal(tokens_why(tokens), "The token has an issuer (`iss`) that is not accepted here.");
	assert_int_equal(check_by(&corp, "{\"iss\":\"https://corp\",\"aud\":\"x\",\"exp\":1800000060,\"sub\":\"ann\"}"),
			 ERROR_TOKEN_INVALID);
	assert_string_equal(tokens_why(tokens), "The token is for another audience (`aud`).");
	assert_int_equal(check_by(&corp, "{\"iss\":\"https://corp\",\"aud\":\"sluice\",\"exp\":1,\"sub\":\"ann\"}"),
			 ERROR_TOKEN_EXPIRED);
	assert_int_equal(check_at("a.b.c", NOW, &holder), ERROR_TOKEN_INVALID);
	signer_token_of(&corp, "{\"alg\":\"none\"}", OF_CORP "}", token);
	assert_int_equal(check_at(token, NOW, &holder), ERROR_TOKEN_INVALID);
	assert_string_equal(tokens_why(tokens), "The token has an algorithm (`alg`) that is not allowed for its key.");
	/* a key of one issuer is no key of another, and partner allows ES256 alone */
	struct signer rs = signer_make("RS256", "rs");
	issuers_replace(issuers, PARTNER, set_of(&rs));
	assert_int_equal(check_by(&rs, OF_PARTNER ",\"team\":\"red\",\"models\":\"m\"}"), ERROR_TOKEN_INVALID);
	assert_string_equal(tokens_why(tokens), "The token has an algorithm (`alg`) that is not allowed for its key.");
	assert_int_equal(check_by(&rs, OF_CORP "}"), ERROR_TOKEN_INVALID);
	issuers_replace(issuers, PARTNER, set_of(&corp));
	signer_free(&rs);
}

static void a_token_is_proven_once_and_kept_until_it_expires(void **state)
{
	char token[SIGNER_TOKEN];
	struct holder *first, *again, *late;
	(void)state;
	signer_token(&corp, OF_CORP "}", token);
	assert_int_equal(check_at(token, NOW, &first), ERROR_NONE);
	assert_int_equal(check_at(token, NOW + 89, &again), ERROR_NONE); /* 60 s and the skew of 30 s */
	assert_ptr_equal(first, again);
	assert_int_equal(check_at(token, NOW + 90, &late), ERROR_TOKEN_EXPIRED);
	assert_null(late);
	assert_string_equal(tokens_why(tokens), "The token has expired (`exp`).");
	assert_string_equal(first->key->tenant, "corp/ann"); /* requests that hold it go on */
	holder_drop(first);
	holder_drop(again);
	token[strlen(token) / 2] ^= 1; /* another token, whatever is kept */
	assert_int_equal(check_at(token, NOW, &late), ERROR_TOKEN_INVALID);
}

static void keys_that_are_gone_prove_nothing_any_more(void **state)
{
	char token[SIGNER_TOKEN];
	struct holder *holder, *again;
	(void)state;
	signer_token(&corp, OF_CORP "}", token);
	assert_int_equal(check_at(token, NOW, &holder), ERROR_NONE);
	assert_int_equal(check_by(&other, OF_CORP "}"), ERROR_TOKEN_INVALID);
	assert_int_equal(wanted[CORP], 1);
	issuers_replace(issuers, CORP, set_of(&other));
	assert_int_equal(check_by(&other, OF_CORP "}"), ERROR_NONE);
	assert_int_equal(check_at(token, NOW, &again), ERROR_TOKEN_INVALID);
	assert_string_equal(tokens_why(tokens),
			    "The token names a key (`kid`) that its issuer does not have at present.");
	assert_int_equal(wanted[CORP], 1); /* the fetcher has not looked yet */
	issuers_looked(issuers, CORP);
	assert_int_equal(check_at(token, NOW, &again), ERROR_TOKEN_INVALID);
	assert_int_equal(wanted[CORP], 2);
	assert_int_equal(wanted[PARTNER] + wanted[PLAIN], 0);
	issuers_replace(issuers, CORP, set_of(&corp));
	assert_int_equal(check_at(token, NOW, &again), ERROR_NONE);
	holder_drop(holder);
	holder_drop(again);
}

static void without_any_keys_the_token_is_not_to_blame(void **state)
{
	(void)state;
	assert_int_equal(check_by(&corp, OF_LATE "}"), ERROR_TOKEN_KEYS);
	assert_int_equal(wanted[LATE], 0); /* the fetcher is at it anyway */
	issuers_replace(issuers, LATE, set_of(&corp));
	assert_int_equal(check_by(&corp, OF_LATE "}"), ERROR_NONE);
}

static void far_more_tokens_than_a_worker_keeps_are_all_accepted(void **state)
{
	enum { MANY = 3000 };
	struct holder *held = NULL;
	(void)state;
	for (int i = 0; i < MANY; i++) {
		char claims[512];
		snprintf(claims, sizeof(claims), "{\"iss\":\"https://corp\"," BASE ",\"sub\":\"u%d\"}", i);
		struct holder *holder = holder_of(claims);
		if (i == 0)
			held = holder;
		else
			holder_drop(holder);
	}
	assert_string_equal(held->id, "corp:u0"); /* whether or not it was forgotten */
	holder_drop(held);
}

static void texts_are_told_apart_by_their_dots(void **state)
{
	(void)state;
	assert_true(tokens_is_one(SPAN("a.b.c")));
	assert_false(tokens_is_one(SPAN("sk-sluice-a.b")));
	assert_false(tokens_is_one(SPAN("abc")));
	assert_false(tokens_is_one(SPAN("")));
}

static void a_file_that_cannot_be_used_is_reported(void **state)
{
	struct buf errors;
	const struct config_issuer issuer = {.name = "corp", .keys = "Makefile", .line = 7};
	const struct config_issuer gone = {.name = "gone", .keys = "/nowhere", .line = 8};
	const struct config_issuer both[] = {issuer, gone};
	const struct config broken = {.file = "t.yaml", .auth = {.issuers = both, .issuer_count = 2}};
	(void)state;
	buf_init(&errors, 4096);
	assert_null(issuers_create(&broken, &errors));
	buf_append(&errors, (struct span){"", 1});
	assert_string_equal(buf_span(&errors).at, "t.yaml:7: auth.jwt.corp.keys: it is neither JSON nor PEM\n"
						  "t.yaml:8: auth.jwt.gone.keys: No such file or directory\n");
	buf_fini(&errors);
}

static void sets_are_kept_as_long_as_cache_control_says_within_bounds(void **state)
{
	static const struct {
		const char *field;
		uint64_t seconds;
	} rows[] = {{"", 900},
		    {"max-age=60", 60},
		    {"public, Max-Age=60, must-revalidate", 60},
		    {"max-age=5", 30},
		    {"max-age=0", 30},
		    {"max-age=86400", 900},
		    {"max-age=99999999999999999999", 900},
		    {"max-age=", 900},
		    {"max-age=-1", 900},
		    {"max-age=\"60\"", 900},
		    {"no-store", 30},
		    {"max-age=60, no-cache", 30},
		    {"s-maxage=60", 900},
		    {",,max-age=61,", 61}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (key_source_age_us(span_of(rows[i].field), 30000000, 900000000) != rows[i].seconds * 1000000)
			fail_msg("%s", rows[i].field);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
	    EACH(a_token_becomes_a_holder_with_what_its_claims_say),
	    EACH(a_token_without_a_scope_may_do_nothing),
	    EACH(every_endpoint_has_its_word),
	    EACH(where_no_scope_is_asked_for_all_but_admin_is_allowed),
	    EACH(tenants_are_below_that_of_their_issuer),
	    EACH(a_subject_that_is_no_name_is_hashed),
	    EACH(claims_of_another_form_refuse_the_token),
	    EACH(a_token_names_at_most_64_models),
	    EACH(what_is_wrong_is_said_and_nothing_of_the_token_repeated),
	    EACH(a_token_is_proven_once_and_kept_until_it_expires),
	    EACH(keys_that_are_gone_prove_nothing_any_more),
	    EACH(without_any_keys_the_token_is_not_to_blame),
	    EACH(far_more_tokens_than_a_worker_keeps_are_all_accepted),
	    cmocka_unit_test(texts_are_told_apart_by_their_dots),
	    cmocka_unit_test(a_file_that_cannot_be_used_is_reported),
	    cmocka_unit_test(sets_are_kept_as_long_as_cache_control_says_within_bounds),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
