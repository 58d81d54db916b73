/* SPDX-License-Identifier: MIT */
/* Expansion of ${…}, and that nothing expanded is ever shown. */
#include "tests/unit/config/fixture.h"

#include <unistd.h>

#include "config/expand.h"

#define SECRET "sk-very-secret"

static struct arena arena;
static struct expansion result;
static char directory[64];

static bool expands(const char *raw)
{
	return expand(&arena, span_of(raw), directory, &result);
}

static void expect(const char *raw, const char *text, bool tainted)
{
	assert_true(expands(raw));
	assert_string_equal(result.text.at, text);
	assert_int_equal(result.text.len, strlen(text));
	assert_int_equal(result.tainted, tainted);
}

static void refuse(const char *raw, const char *problem)
{
	assert_false(expands(raw));
	assert_string_equal(result.problem, problem);
}

static void text_without_references_stays_as_it_is(void **state)
{
	(void)state;
	expect("", "", false);
	expect("plain text", "plain text", false);
	expect("$5 and $HOME and 5$", "$5 and $HOME and 5$", false);
	expect("}{", "}{", false);
}

static void two_dollars_are_one(void **state)
{
	(void)state;
	expect("$$", "$", false);
	expect("$${SLUICE_SET}", "${SLUICE_SET}", false);
	expect("$$$${", "$${", false);
}

static void variables_expand_anywhere_in_a_value(void **state)
{
	(void)state;
	expect("${SLUICE_SET}", "value", true);
	expect("a${SLUICE_SET}b${SLUICE_SET}c", "avaluebvaluec", true);
	expect("$$${SLUICE_SET}", "$value", true);
}

static void a_default_stands_for_unset_and_empty(void **state)
{
	(void)state;
	expect("${SLUICE_UNSET:-d e}", "d e", true);
	expect("${SLUICE_EMPTY:-d}", "d", true);
	expect("${SLUICE_UNSET:-}", "", true);
	expect("${SLUICE_SET:-d}", "value", true);
	expect("${SLUICE_EMPTY}", "", true);
}

static void what_was_expanded_is_not_expanded_again(void **state)
{
	(void)state;
	setenv("SLUICE_TRICKY", "${SLUICE_SET}$$", 1);
	expect("${SLUICE_TRICKY}", "${SLUICE_SET}$$", true);
	unsetenv("SLUICE_TRICKY");
}

static void an_unset_variable_is_named(void **state)
{
	(void)state;
	refuse("x${SLUICE_UNSET}",
	       "the environment variable SLUICE_UNSET is not set; set it, or write ${SLUICE_UNSET:-default}");
}

static void broken_references_are_refused(void **state)
{
	(void)state;
	refuse("${SLUICE_SET", "a ${ is not closed by a }; write $${ for the characters themselves");
	const char *form = "expected ${NAME}, ${NAME:-default}, ${file:PATH} or ${credential:NAME}, and $$ for a "
			   "dollar sign";
	refuse("${}", form);
	refuse("${1A}", form);
	refuse("${A-B}", form);
	refuse("${:-x}", form);
	refuse("${A:-${B}}", "the default of ${A} holds another ${…}; they do not nest");
	refuse("${file:}", "expected the path of a file in ${file:PATH}");
}

static void files_are_relative_to_the_configuration_and_lose_one_line_end(void **state)
{
	(void)state;
	char raw[128];
	fixture_write(directory, "key", "secret\n\n");
	expect("${file:key}", "secret\n", true);
	snprintf(raw, sizeof(raw), "<${file:%skey}>", directory);
	expect(raw, "<secret\n>", true);
	fixture_write(directory, "key", "secret\r\n");
	expect("${file:key}", "secret", true);
	fixture_write(directory, "key", "");
	expect("${file:key}", "", true);
	fixture_remove(directory, "key");
	refuse("${file:key}", "the file \"key\" cannot be read: No such file or directory");
	refuse("${file:.}", "the file \".\" cannot be read: Is a directory");
}

static void credentials_are_files_of_a_directory_that_systemd_names(void **state)
{
	const char *form = "expected the name of a credential in ${credential:NAME}";
	(void)state;
	refuse("${credential:key}", "the credential \"key\" cannot be read: systemd passed none on "
				    "(CREDENTIALS_DIRECTORY is not set); expected LoadCredential= in the unit");
	directory[strlen(directory) - 1] = '\0'; /* systemd adds no slash */
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	strcat(directory, "/");
	fixture_write(directory, "key", "secret\n");
	expect("<${credential:key}>", "<secret>", true);
	assert_true(result.from_file);
	expect("${SLUICE_SET}", "value", true);
	assert_false(result.from_file);
	fixture_remove(directory, "key");
	refuse("${credential:key}", "the file \"key\" cannot be read: No such file or directory");
	refuse("${credential:}", form);
	refuse("${credential:../key}", form);
	refuse("${credential:..}", form);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_file_that_is_no_secret_is_refused(void **state)
{
	(void)state;
	static char large[65538];
	memset(large, 'x', sizeof(large) - 1);
	fixture_write(directory, "key", large);
	refuse("${file:key}", "the file \"key\" is larger than 64KiB");
	fixture_remove(directory, "key");
	refuse("${file:/dev/zero}", "the file \"/dev/zero\" is larger than 64KiB");
}

/* Every kind of key gets the secret, written out or expanded, where it is wrong. */
static void secrets_never_appear_in_findings(void **state)
{
	(void)state;
	static const char *const wrong[] = {
	    LEAST "workers: ${SLUICE_SECRET}\n",
	    LEAST "limits: { body: \"${SLUICE_SECRET}\" }\n",
	    LEAST "limits: { json_depth: \"1${SLUICE_SECRET}\" }\n",
	    LEAST "log: { level: \"${SLUICE_SECRET}\" }\n",
	    LEAST "    stream_usage: ${SLUICE_SECRET}\n",
	    LEAST "    dialect: ${SLUICE_SECRET}\n",
	    LEAST "    ca: ${SLUICE_SECRET}\n",
	    LEAST "    timeouts: { idle: \"${SLUICE_SECRET}\" }\n",
	    LEAST "    api_key: \"" SECRET " with spaces\"\n",
	    LEAST "    api_key: [" SECRET "]\n",
	    LEAST "    api_key: { x: " SECRET " }\n",
	    LEAST "    api_key: *" SECRET "\n",
	    LEAST "    api_key: &" SECRET " x\n",
	    LEAST "    api_key: !" SECRET " x\n",
	    LEAST "    api_key: @" SECRET "\n",
	    LEAST "    api_key: \"" SECRET "\n",
	    LEAST "    apikey: " SECRET "\n",
	    LEAST "    api_key: ${NOPE_"
		  "UNSET:-a b" SECRET "}\n",
	    LEAST "  other:\n    url: http://user:" SECRET "@h/v1\n",
	    LEAST "  other:\n    url: http://h/v1?key=" SECRET "\n",
	    LEAST "  other:\n    url: http://h/v1\n      api_key " SECRET "\n",
	    LEAST "  other:\n    url: ${SLUICE_SECRET}\n",
	    "listen: [\"${SLUICE_SECRET}\"]\nbackends: {a: {url: http://h}}\nmodels: {m: a/x}\n",
	    "listen: [h:1]\nbackends: {a: {url: http://h}}\nmodels: {m: \"${SLUICE_SECRET}\"}\n",
	    "listen: [h:1]\nbackends: {a: {url: http://h}}\nmodels: {m: \"${SLUICE_SECRET}/x\"}\n",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_null(fixture_load(wrong[i]));
		assert_true(buf_len(&fixture_errors) != 0);
		if (strstr(fixture_findings(), SECRET) != NULL)
			fail_msg("case %zu shows the secret: %s", i, fixture_findings());
	}
}

static void expansion_reaches_every_kind_of_value(void **state)
{
	(void)state;
	setenv("SLUICE_N", "7", 1);
	const struct config *config = fixture_good("listen: [\"127.0.0.1:80${SLUICE_N}\"]\n"
						   "workers: ${SLUICE_N}\n"
						   "backends:\n  a:\n    url: http://h${SLUICE_N}/v1\n"
						   "    api_key: ${SLUICE_SECRET}\n"
						   "models: { m: \"a/x${SLUICE_N}\" }\n");
	assert_string_equal(config->listeners[0].port, "807");
	assert_int_equal(config->workers, 7);
	assert_string_equal(config->backends[0].url, "http://h7/v1");
	assert_true(secret_is(config->backends[0].api_key, SPAN(SECRET)));
	assert_string_equal(config->models[0].plan->target_model, "x7");
	config_drop(config);
	unsetenv("SLUICE_N");
}

static int setup(void **state)
{
	arena_init(&arena, 0);
	strcpy(directory, "/tmp/sluice-test-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	strcat(directory, "/");
	setenv("SLUICE_SET", "value", 1);
	setenv("SLUICE_EMPTY", "", 1);
	setenv("SLUICE_SECRET", SECRET, 1);
	unsetenv("SLUICE_UNSET");
	return fixture_setup(state);
}

static int teardown(void **state)
{
	arena_fini(&arena);
	rmdir(directory);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_without_references_stays_as_it_is),
	    cmocka_unit_test(two_dollars_are_one),
	    cmocka_unit_test(variables_expand_anywhere_in_a_value),
	    cmocka_unit_test(a_default_stands_for_unset_and_empty),
	    cmocka_unit_test(what_was_expanded_is_not_expanded_again),
	    cmocka_unit_test(an_unset_variable_is_named),
	    cmocka_unit_test(broken_references_are_refused),
	    cmocka_unit_test(files_are_relative_to_the_configuration_and_lose_one_line_end),
	    cmocka_unit_test(credentials_are_files_of_a_directory_that_systemd_names),
	    cmocka_unit_test(a_file_that_is_no_secret_is_refused),
	    cmocka_unit_test(secrets_never_appear_in_findings),
	    cmocka_unit_test(expansion_reaches_every_kind_of_value),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
