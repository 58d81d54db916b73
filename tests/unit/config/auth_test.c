/* SPDX-License-Identifier: MIT */
/* Keys of clients in the file: where their values go, what is refused and in which words, and who must be asked. */
#include "tests/unit/config/fixture.h"

#define REST "backends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"
#define HERE "listen: [127.0.0.1:1]\n"
#define PEPPER "auth: { pepper: 0123456789abcdef0123456789abcdef }\n"
#define SUM "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define BAD_HASH "4kQ9-Yb2:" SUM
#define HASH "hash: '4kQ9xYb2:" SUM "'"

static void every_member_of_a_key_goes_where_it_belongs(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(HERE "auth: { mode: keys, pepper: 0123456789abcdef0123456789abcdef, failures: 7 }\n"
			      "keys:\n  k-1:\n    " HASH "\n    tenant: acme/search/a.1\n    models: [m, 'x*']\n"
			      "    endpoints: [chat, models]\n    admin: true\n    networks: [10.1.0.0/16, '::1']\n"
			      "    expires: 2027-01-31T12:00:01Z\n    state: revoked\n" REST);
	const struct config_key *key = &config->keys[0];
	assert_true(config_auth_is_on(config));
	assert_int_equal(config->auth.failures, 7);
	assert_int_equal(config->key_count, 1);
	assert_string_equal(key->name, "k-1");
	assert_string_equal(key->hash->id, "4kQ9xYb2");
	assert_int_equal(key->hash->sum[1], 0x11);
	assert_int_equal(key->hash->sum[31], 0xff);
	assert_string_equal(key->tenant, "acme/search/a.1");
	assert_string_equal(key->identity, "\nacme/search/a.1");
	assert_int_equal(key->model_count, 2);
	assert_string_equal(key->models[1], "x*");
	assert_int_equal(key->endpoints, 1u << CONFIG_ENDPOINT_CHAT | 1u << CONFIG_ENDPOINT_MODELS);
	assert_true(key->admin);
	assert_int_equal(key->network_count, 2);
	assert_int_equal(key->networks[0].bits, 112);
	assert_int_equal(key->networks[0].address[12], 10);
	assert_int_equal(key->networks[1].bits, 128);
	assert_int_equal(key->expires_s, 1801396801);
	assert_int_equal(key->state, CONFIG_KEY_REVOKED);
	assert_ptr_equal(config_find_key(config, SPAN("4kQ9xYb2")), key);
	assert_null(config_find_key(config, SPAN("4kQ9xYb3")));
	config_drop(config);
}

static void a_key_alone_may_everything_but_admin_and_is_its_own_tenant(void **state)
{
	(void)state;
	const struct config *config = fixture_good(HERE PEPPER "keys: { k: { " HASH " } }\n" REST);
	const struct config_key *key = &config->keys[0];
	assert_true(config_auth_is_on(config)); /* keys are asked for where there are some */
	assert_int_equal(config->auth.failures, 20);
	assert_string_equal(key->tenant, "k");
	assert_true(config_key_may_use(key, SPAN("anything")));
	assert_int_equal(key->endpoints, 0);
	assert_false(key->admin);
	assert_int_equal(key->network_count, 0);
	assert_int_equal(key->expires_s, 0);
	assert_int_equal(key->state, CONFIG_KEY_ACTIVE);
	config_drop(config);
}

static void models_are_allowed_by_patterns(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(HERE PEPPER "keys: { k: { " HASH ", models: [m, 'gpt-*'] } }\n" REST);
	const struct config_key *key = &config->keys[0];
	assert_true(config_key_may_use(key, SPAN("m")));
	assert_true(config_key_may_use(key, SPAN("gpt-4o")));
	assert_false(config_key_may_use(key, SPAN("m2")));
	assert_false(config_key_may_use(key, SPAN("")));
	assert_false(config_key_may_use(key, (struct span){NULL, 0}));
	assert_true(config_key_may_use(NULL, SPAN("m2")));
	config_drop(config);
}

static void key_is_bad(const char *members, const char *finding)
{
	char yaml[2048], expected[2048];
	snprintf(yaml, sizeof(yaml), HERE PEPPER "keys:\n  k: { %s }\n" REST, members);
	snprintf(expected, sizeof(expected), "t.yaml:4: keys.k%s\n", finding);
	fixture_bad(yaml, expected);
}

static void what_is_wrong_with_a_key_is_told_with_what_was_expected(void **state)
{
	static const char expected_hash[] =
	    "; expected an id, a colon and 64 hex digits, as `sluice keys create` prints them";
	static const char tenant[] =
	    "; expected one to three names by slashes, such as acme/search/crawler, each of at most 64 "
	    "letters, digits, \".\", \"_\" and \"-\"";
	static const char network[] =
	    "; expected an address or a network such as 10.0.0.0/8 or \"fd00::/8\", without bits "
	    "behind its length, or a list of them";
	static const char when[] = "; expected a time in UTC such as 2027-01-31 or 2027-01-31T12:00:00Z";
	static const struct {
		const char *member, *got, *expected;
	} rows[] = {
	    {"tenant: a/b/c/d", ".tenant: got \"a/b/c/d\"", tenant},
	    {"tenant: a//b", ".tenant: got \"a//b\"", tenant},
	    {"tenant: a/", ".tenant: got \"a/\"", tenant},
	    {"networks: 10.0.0.1/8", ".networks: got \"10.0.0.1/8\"", network},
	    {"networks: 10.0.0.0/33", ".networks: got \"10.0.0.0/33\"", network},
	    {"networks: [here]", ".networks[0]: got \"here\"", network},
	    {"networks: '::/129'", ".networks: got \"::/129\"", network},
	    {"expires: tomorrow", ".expires: got \"tomorrow\"", when},
	    {"expires: 2027-02-29", ".expires: got \"2027-02-29\"", when},
	    {"expires: 2027-01-31T24:00:00Z", ".expires: got \"2027-01-31T24:00:00Z\"", when},
	    {"expires: 1969-12-31", ".expires: got \"1969-12-31\"", when},
	    {"models: []", ".models: it is empty",
	     "; expected at least one, or no \"models\" at all, which allows all"},
	    {"networks: []", ".networks: it is empty",
	     "; expected at least one, or no \"networks\" at all, which allows all"},
	    {"endpoints: [chat, chats]", ".endpoints[1]: got \"chats\"",
	     "; expected one of chat, completions, embeddings, fanout, models; did you mean \"chat\"?"},
	    {"state: gone", ".state: got \"gone\"", "; expected one of active, revoked"},
	    {"limit: 1", ".limit: unknown key", "; did you mean \"limits\"?"},
	};
	char members[512], finding[1024];
	(void)state;
	key_is_bad("admin: true", ".hash: missing; expected an id, a colon and 64 hex digits, as `sluice keys create` "
				  "prints them");
	for (size_t i = 0; i < 3; i++) {
		static const char *const wrong[] = {"4kQ9xYb2", "4kQ9xYb2:00", BAD_HASH};
		snprintf(members, sizeof(members), "hash: '%s'", wrong[i]);
		char yaml[1024];
		snprintf(yaml, sizeof(yaml), HERE PEPPER "keys:\n  k: { %s }\n" REST, members);
		assert_null(fixture_load(yaml));
		assert_non_null(strstr(fixture_findings(), expected_hash));
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(members, sizeof(members), HASH ", %s", rows[i].member);
		snprintf(finding, sizeof(finding), "%s%s", rows[i].got, rows[i].expected);
		key_is_bad(members, finding);
	}
}

static void two_keys_with_one_id_are_refused(void **state)
{
	(void)state;
	fixture_bad(HERE PEPPER "keys:\n  a: { " HASH " }\n  b: { " HASH " }\n" REST,
		    "t.yaml:5: keys.b: its id 4kQ9xYb2 is that of a at line 4, too; expected a key of its own\n");
}

static void keys_need_a_pepper_that_is_never_shown(void **state)
{
	(void)state;
	fixture_bad(
	    HERE "keys: { k: { " HASH " } }\n" REST,
	    "t.yaml:2: auth.pepper: missing; expected the secret of at least 32 characters that the hashes of keys "
	    "were made with, such as ${file:pepper} or ${SLUICE_PEPPER}\n");
	fixture_bad(HERE "auth: { pepper: hush }\nkeys: { k: { " HASH " } }\n" REST,
		    "t.yaml:2: auth.pepper: it has 4 characters; expected at least 32, such as `openssl rand -hex 32` "
		    "prints\n");
	assert_null(fixture_load(HERE "auth: { pepper: 'hush hush' }\nkeys: { k: { " HASH " } }\n" REST));
	assert_null(strstr(fixture_findings(), "hush"));
}

static void a_mode_that_does_not_go_with_the_keys_is_refused(void **state)
{
	(void)state;
	fixture_bad(
	    HERE "auth: keys\n" REST,
	    "t.yaml:2: auth: it is keys, and there are none; expected at least one in "
	    "\"keys\": `sluice keys create --name NAME` makes it; a store of keys (auth.store), or an issuer of "
	    "tokens in \"jwt\"\n"
	    "t.yaml:2: auth.pepper: missing; expected the secret of at least 32 "
	    "characters that the hashes of keys were made with, such as ${file:pepper} "
	    "or ${SLUICE_PEPPER}\n");
	fixture_bad(
	    HERE "auth: none\nkeys: { k: { " HASH " } }\n" REST,
	    "t.yaml:2: auth: it is none, so that nobody asks for the 1 keys of the file; expected auth: keys, or "
	    "no keys\n");
	fixture_bad(HERE "auth: nobody\n" REST, "t.yaml:2: auth: got \"nobody\"; expected one of keys, none\n");
}

static void a_store_of_keys_is_keys_enough(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good("listen: [0.0.0.0:1]\nauth: { pepper: 0123456789abcdef0123456789abcdef, store: sqlite, file: "
			 "/nowhere/keys.db }\n" REST);
	assert_true(config_auth_is_on(config));
	assert_true(config_auth_has_store(config));
	assert_string_equal(config->auth.file, "/nowhere/keys.db");
	assert_int_equal(config->auth.refresh_us, 1000000);
	assert_int_equal(config->auth.grace_us, 3600000000);
	config_drop(config);
	config =
	    fixture_good(HERE "auth: { pepper: 0123456789abcdef0123456789abcdef, store: redis, grace: 0s }\nredis: "
			      "{ servers: 127.0.0.1:6379 }\n" REST);
	assert_int_equal(config->auth.store, CONFIG_STORE_REDIS);
	assert_int_equal(config->auth.grace_us, 0);
	config_drop(config);
}

static void a_store_that_cannot_be_is_refused(void **state)
{
	(void)state;
	fixture_bad(HERE "auth: { pepper: 0123456789abcdef0123456789abcdef, store: sqlite }\n" REST,
		    "t.yaml:2: auth.file: missing; expected the path of the SQLite file, such as keys.db\n");
	fixture_bad(HERE "auth: { pepper: 0123456789abcdef0123456789abcdef, store: redis }\n" REST,
		    "t.yaml:2: auth.store: it is redis, and there is none; expected servers or unix in \"redis\", or "
		    "store: sqlite\n");
	fixture_bad(HERE "auth: { mode: none, store: sqlite, file: keys.db }\n" REST,
		    "t.yaml:2: auth.store: nobody is asked for a key, as auth.mode is none; expected mode: keys, or no "
		    "store\n");
	fixture_bad(HERE "auth: { pepper: 0123456789abcdef0123456789abcdef, file: keys.db }\nkeys: { k: { " HASH
			 " } }\n" REST,
		    "t.yaml:2: auth.file: no store is in a file; expected store: sqlite beside it\n");
	fixture_bad(HERE
		    "auth: { pepper: 0123456789abcdef0123456789abcdef, store: sqlite, file: k, refresh: 4s }\n" REST,
		    "t.yaml:2: auth.refresh: got \"4s\"; expected a duration from 100ms to 3s\n");
}

static void without_keys_listeners_are_for_this_machine_unless_the_file_says_otherwise(void **state)
{
	static const char *const local[] = {"127.0.0.1:1", "127.8.9.1:1", "'[::1]:1'", "localhost:1"};
	static const char *const others[] = {"0.0.0.0:1", "10.0.0.1:1", "'[::]:1'", "'[fe80::1]:1'",
					     "'[::ffff:127.0.0.1]:1'"};
	char yaml[512];
	(void)state;
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		snprintf(yaml, sizeof(yaml), "listen: [%s]\n" REST, local[i]);
		const struct config *config = fixture_good(yaml);
		assert_int_equal(config->auth.mode, CONFIG_AUTH_UNSAID);
		config_drop(config);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(yaml, sizeof(yaml), "listen: [127.0.0.1:2, %s]\n" REST, others[i]);
		assert_null(fixture_load(yaml));
		assert_non_null(strstr(fixture_findings(), "t.yaml:1: listen[1]: other machines may reach "));
		snprintf(yaml, sizeof(yaml), "listen: [%s]\nauth: none\n" REST, others[i]);
		config_drop(fixture_good(yaml));
		snprintf(yaml, sizeof(yaml), "listen: [%s]\n" PEPPER "keys: { k: { " HASH " } }\n" REST, others[i]);
		config_drop(fixture_good(yaml));
		snprintf(yaml, sizeof(yaml), HERE "admin: %s\n" REST, others[i]);
		assert_null(fixture_load(yaml));
		assert_non_null(strstr(fixture_findings(), "t.yaml:2: admin: other machines may reach "));
	}
	config_drop(fixture_good(HERE "admin: unix:/run/a\n" REST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_member_of_a_key_goes_where_it_belongs),
	    cmocka_unit_test(a_key_alone_may_everything_but_admin_and_is_its_own_tenant),
	    cmocka_unit_test(models_are_allowed_by_patterns),
	    cmocka_unit_test(what_is_wrong_with_a_key_is_told_with_what_was_expected),
	    cmocka_unit_test(two_keys_with_one_id_are_refused),
	    cmocka_unit_test(keys_need_a_pepper_that_is_never_shown),
	    cmocka_unit_test(a_mode_that_does_not_go_with_the_keys_is_refused),
	    cmocka_unit_test(a_store_of_keys_is_keys_enough),
	    cmocka_unit_test(a_store_that_cannot_be_is_refused),
	    cmocka_unit_test(without_keys_listeners_are_for_this_machine_unless_the_file_says_otherwise),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
