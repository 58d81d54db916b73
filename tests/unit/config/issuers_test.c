/* SPDX-License-Identifier: MIT */
/* Issuers of tokens in the file: what they are taken for, and what is refused. */
#include "tests/unit/config/fixture.h"

#include "lib/jwk.h"

#define HERE "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"
#define JWT(text) HERE "auth:\n  jwt:\n    corp: { " text " }\n"
#define WHO "issuer: 'https://id/x?y', audience: sluice"
#define URL WHO ", jwks: 'https://id/jwks'"

static void an_issuer_needs_its_name_an_audience_and_keys(void **state)
{
	(void)state;
	const struct config *config = fixture_good(JWT(URL));
	const struct config_issuer *issuer = &config->auth.issuers[0];
	assert_true(config_auth_is_on(config)); /* without a pepper, since there are no keys */
	assert_int_equal(config->auth.issuer_count, 1);
	assert_string_equal(issuer->name, "corp");
	assert_string_equal(issuer->issuer, "https://id/x?y");
	assert_int_equal(issuer->audience_count, 1);
	assert_string_equal(issuer->audiences[0], "sluice");
	assert_string_equal(issuer->jwks, "https://id/jwks");
	assert_null(issuer->keys);
	assert_null(issuer->ca);
	assert_int_equal(issuer->algorithms, 0);
	assert_int_equal(issuer->skew_us, 30000000);
	assert_int_equal(issuer->refresh_us, 900000000);
	assert_int_equal(issuer->refresh_least_us, 30000000);
	assert_string_equal(issuer->tenant, "corp");
	assert_string_equal(issuer->claims.subject, "sub");
	assert_string_equal(issuer->claims.scope, "scope");
	assert_null(issuer->claims.tenant);
	assert_null(issuer->claims.models);
	config_drop(config);
}

static void all_of_an_issuer_can_be_said(void **state)
{
	(void)state;
	const struct config *config = fixture_good(
	    HERE
	    "auth:\n  mode: keys\n  jwt:\n    corp:\n      issuer: i\n      audience: [a, b]\n      keys: Makefile\n"
	    "      algorithms: [ES256, EdDSA]\n      skew: 0s\n      tenant: any\n"
	    "      claims: { tenant: 'https://x/team', subject: uid, scope: none, models: m }\n"
	    "    other: { issuer: j, audience: c, jwks: 'http://127.0.0.1:1/k', ca: Makefile, refresh: 1s, "
	    "refresh_least: 1s, algorithms: RS256, tenant: a/b }\n");
	const struct config_issuer *issuer = &config->auth.issuers[0];
	assert_int_equal(issuer->audience_count, 2);
	assert_non_null(issuer->keys);
	/* the words of the file stand in the order of the algorithms */
	assert_int_equal(issuer->algorithms, 1u << JWK_ES256 | 1u << JWK_EDDSA);
	assert_int_equal(issuer->skew_us, 0);
	assert_null(issuer->tenant);
	assert_string_equal(issuer->claims.tenant, "https://x/team");
	assert_string_equal(issuer->claims.subject, "uid");
	assert_null(issuer->claims.scope);
	assert_string_equal(issuer->claims.models, "m");
	issuer = &config->auth.issuers[1];
	assert_int_equal(issuer->algorithms, 1u << JWK_RS256);
	assert_string_equal(issuer->tenant, "a/b");
	assert_non_null(issuer->ca);
	config_drop(config);
}

static void hosts_of_this_machine_may_be_asked_in_cleartext(void **state)
{
	static const char *const good[] = {"127.0.0.1", "127.9.9.9:80", "localhost:8080", "[::1]:1"};
	static const char *const bad[] = {"10.0.0.1", "127.0.0.1.example.com", "localhost.example.com", "id",
					  "128.0.0.1"};
	char yaml[1024];
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(yaml, sizeof(yaml), JWT(WHO ", jwks: 'http://%s/k'"), good[i]);
		config_drop(fixture_good(yaml));
	}
	for (size_t i = 0; i < 5; i++) {
		snprintf(yaml, sizeof(yaml), JWT(WHO ", jwks: 'http://%s/k'"), bad[i]);
		fixture_bad(yaml, "t.yaml:6: auth.jwt.corp.jwks: anybody on the way could change the keys; expected "
				  "https://, or a loopback address\n");
	}
}

static void what_is_wrong_with_an_issuer_is_said(void **state)
{
	static const char *const rows[][2] = {
	    {WHO, "6: auth.jwt.corp: it has no public keys; expected \"jwks\", a URL, or \"keys\", a file"},
	    {URL ", keys: Makefile",
	     "6: auth.jwt.corp.jwks: there is a file of keys, too; expected one of \"keys\" and \"jwks\""},
	    {"audience: a, jwks: 'https://id/k'",
	     "6: auth.jwt.corp.issuer: missing; expected 1 to 256 visible ASCII characters without spaces"},
	    {"issuer: i, jwks: 'https://id/k'", "6: auth.jwt.corp.audience: missing; expected 1 to 256 visible ASCII "
						"characters without spaces, or a list of such "
						"texts"},
	    {"issuer: i, audience: [], jwks: 'https://id/k'",
	     "6: auth.jwt.corp.audience: it is empty; expected at least one name of this gateway"},
	    {URL ", algorithms: [HS256]",
	     "6: auth.jwt.corp.algorithms[0]: got \"HS256\"; expected one of RS256, PS256, ES256, EdDSA; did you mean "
	     "\"RS256\"?"},
	    {URL ", algorithms: none",
	     "6: auth.jwt.corp.algorithms: got \"none\"; expected one of RS256, PS256, ES256, EdDSA"},
	    {URL ", refresh: 1s",
	     "6: auth.jwt.corp.refresh: it is shorter than refresh_least; expected the longer of the two"},
	    {URL ", tenant: any", "6: auth.jwt.corp.tenant: it is any, and no claim says the tenant; expected "
				  "\"claims.tenant\" beside it"},
	    {WHO ", keys: Makefile, ca: Makefile", "6: auth.jwt.corp.ca: it is for \"jwks\", which is not there"},
	    {URL " }, two: { " URL,
	     "6: auth.jwt.two: its issuer is that of corp at line 6, too; expected one of its own"},
	    {URL " }, 'a b': { issuer: j, audience: a, jwks: 'https://id/k'",
	     "6: auth.jwt.a b: an issuer's name is 1 to 64 letters, digits, \".\", \"_\" and \"-\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char yaml[2048];
		snprintf(yaml, sizeof(yaml), HERE "auth:\n  jwt: {\n    corp: { %s } }\n", rows[i][0]);
		assert_null(fixture_load(yaml));
		if (strstr(fixture_findings(), rows[i][1]) == NULL)
			fail_msg("%s:\n%s", rows[i][0], fixture_findings());
	}
}

static void tokens_are_of_no_use_where_nobody_is_asked(void **state)
{
	(void)state;
	fixture_bad(HERE "auth: { mode: none, jwt: { corp: { " URL " } } }\n",
		    "t.yaml:4: auth: it is none, so that nobody asks for tokens; expected mode: keys, or no \"jwt\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_issuer_needs_its_name_an_audience_and_keys),
	    cmocka_unit_test(all_of_an_issuer_can_be_said),
	    cmocka_unit_test(hosts_of_this_machine_may_be_asked_in_cleartext),
	    cmocka_unit_test(what_is_wrong_with_an_issuer_is_said),
	    cmocka_unit_test(tokens_are_of_no_use_where_nobody_is_asked),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
