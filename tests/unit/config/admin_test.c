/* SPDX-License-Identifier: MIT */
/* The admin listener and what is public: forms, defaults, and what cannot be. */
#include "tests/unit/config/fixture.h"

#include <unistd.h>

#define REST "models: { m: b/x }\nbackends: { b: { url: http://h } }\n"
#define EXPECTED                                                                                                    \
	"expected off or an address with port, such as 127.0.0.1:9090, or unix: and the path of a socket, at most " \
	"106 "

static void the_default_is_on_loopback_and_nothing_of_it_is_public(void **state)
{
	(void)state;
	const struct config *config = fixture_good("listen: [h:1]\n" REST);
	assert_true(config_admin_is_on(config));
	assert_string_equal(config->admin.host, "127.0.0.1");
	assert_string_equal(config->admin.port, "9090");
	assert_null(config->admin.socket);
	assert_int_equal(config->public_set, 0);
	config_drop(config);
}

static void it_is_an_address_a_socket_or_off(void **state)
{
	(void)state;
	const struct config *config = fixture_good("listen: [h:1]\nadmin: '[::1]:0'\n" REST);
	assert_string_equal(config->admin.host, "::1");
	assert_string_equal(config->admin.port, "0");
	assert_int_equal(config->admin.line, 2);
	config_drop(config);
	config = fixture_good("listen: [h:1]\nadmin: unix:/run/a.sock\n" REST);
	assert_true(config_admin_is_on(config));
	assert_null(config->admin.host);
	assert_string_equal(config->admin.socket, "/run/a.sock");
	config_drop(config);
	config = fixture_good("listen: [h:1]\nadmin: off\n" REST);
	assert_false(config_admin_is_on(config));
	config_drop(config);
}

static void what_is_none_of_them_is_refused(void **state)
{
	static const char *const wrong[] = {"9090", "of", "'unix:'", "unix", "127.0.0.1"};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char yaml[256], findings[512];
		snprintf(yaml, sizeof(yaml), "listen: [h:1]\nadmin: %s\n" REST, wrong[i]);
		bool quoted = wrong[i][0] == '\'';
		snprintf(findings, sizeof(findings), "t.yaml:2: admin: got \"%.*s\"; " EXPECTED "bytes long\n",
			 (int)strlen(wrong[i]) - (quoted ? 2 : 0), wrong[i] + quoted);
		fixture_bad(yaml, findings);
	}
}

static void a_path_of_a_socket_is_relative_to_the_file(void **state)
{
	char directory[] = "/tmp/sluice-test-XXXXXX";
	char path[64], socket[64];
	(void)state;
	assert_non_null(mkdtemp(directory));
	fixture_write(directory, "s.yaml", "listen: [h:1]\nadmin: unix:a.sock\n" REST);
	snprintf(path, sizeof(path), "%s/s.yaml", directory);
	snprintf(socket, sizeof(socket), "%s/a.sock", directory);
	const struct config *config = config_load_file(path, &fixture_errors);
	assert_non_null(config);
	assert_string_equal(config->admin.socket, socket);
	config_drop(config);
	fixture_remove(directory, "s.yaml");
	rmdir(directory);
}

static void an_address_that_a_listener_has_is_refused(void **state)
{
	static const struct {
		const char *listen, *admin;
		bool good;
	} rows[] = {
	    {"127.0.0.1:9", "127.0.0.1:9", false},
	    {"0.0.0.0:9", "127.0.0.1:9", false},
	    {"127.0.0.1:9", "0.0.0.0:9", false},
	    {"'[::]:9'", "'[::1]:9'", false},
	    {"127.0.0.1:9", "127.0.0.2:9", true},
	    {"'[::]:9'", "127.0.0.1:9", true},
	    {"127.0.0.1:0", "127.0.0.1:0", true},
	    {"127.0.0.1:8", "127.0.0.1:9", true},
	    {"0.0.0.0:9", "off", true},
	    {"0.0.0.0:9", "unix:/run/a", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char yaml[256];
		snprintf(yaml, sizeof(yaml), "listen: [h:1, %s]\nadmin: %s\nauth: none\n" REST, rows[i].listen,
			 rows[i].admin);
		const struct config *config = fixture_load(yaml);
		if ((config != NULL) != rows[i].good)
			fail_msg("%s beside %s: %s", rows[i].admin, rows[i].listen, fixture_findings());
		config_drop(config);
	}
	fixture_bad("listen: [h:1, 0.0.0.0:9090]\nauth: none\n" REST,
		    "t.yaml:1: admin: the default 127.0.0.1:9090 is the address of listen[1] at line 1, too; expected "
		    "another port, unix:PATH or off\n");
	fixture_bad("listen: [0.0.0.0:9]\nadmin: 0.0.0.0:9\nauth: none\n" REST,
		    "t.yaml:2: admin: 0.0.0.0:9 is the address of listen[0] at line 1, too; expected another port, "
		    "unix:PATH or off\n");
}

static void what_is_public_is_one_name_or_a_list(void **state)
{
	(void)state;
	const struct config *config = fixture_good("listen: [h:1]\npublic: [metrics, admin]\n" REST);
	assert_int_equal(config->public_set, 1 << CONFIG_PUBLIC_METRICS | 1 << CONFIG_PUBLIC_ADMIN);
	config_drop(config);
	config = fixture_good("listen: [h:1]\npublic: docs\n" REST);
	assert_int_equal(config->public_set, 1 << CONFIG_PUBLIC_DOCS);
	config_drop(config);
	config = fixture_good("listen: [h:1]\npublic: [openapi]\n" REST);
	assert_int_equal(config->public_set, 1 << CONFIG_PUBLIC_OPENAPI);
	config_drop(config);
	config = fixture_good("listen: [h:1]\npublic:\n" REST);
	assert_int_equal(config->public_set, 0);
	config_drop(config);
}

static void an_unknown_name_is_told_with_what_was_meant(void **state)
{
	(void)state;
	fixture_bad("listen: [h:1]\npublic: [docs, metric]\n" REST,
		    "t.yaml:2: public[1]: got \"metric\"; expected one of metrics, docs, openapi, admin; did you mean "
		    "\"metrics\"?\n");
	fixture_bad("listen: [h:1]\npublic: { docs: true }\n" REST,
		    "t.yaml:2: public: got a mapping; expected one of metrics, docs, openapi, admin\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_default_is_on_loopback_and_nothing_of_it_is_public),
	    cmocka_unit_test(it_is_an_address_a_socket_or_off),
	    cmocka_unit_test(what_is_none_of_them_is_refused),
	    cmocka_unit_test(a_path_of_a_socket_is_relative_to_the_file),
	    cmocka_unit_test(an_address_that_a_listener_has_is_refused),
	    cmocka_unit_test(what_is_public_is_one_name_or_a_list),
	    cmocka_unit_test(an_unknown_name_is_told_with_what_was_meant),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
