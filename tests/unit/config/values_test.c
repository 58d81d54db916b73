/* SPDX-License-Identifier: MIT */
/* Scalars: what is read, what is refused, and the table's own entries. */
#include "tests/unit/config/fixture.h"

#include "config/values.h"

static uint64_t size_of(const char *text)
{
	uint64_t bytes = 0;
	assert_true(value_parse_size(span_of(text), &bytes));
	return bytes;
}

static uint64_t duration_of(const char *text)
{
	uint64_t us = 0;
	assert_true(value_parse_duration(span_of(text), &us));
	return us;
}

static void sizes_know_binary_and_decimal_units(void **state)
{
	(void)state;
	assert_int_equal(size_of("4MiB"), 4 << 20);
	assert_int_equal(size_of("512KiB"), 512 << 10);
	assert_int_equal(size_of("1GiB"), 1 << 30);
	assert_int_equal(size_of("1MB"), 1000000);
	assert_int_equal(size_of("2KB"), 2000);
	assert_int_equal(size_of("3GB"), 3000000000);
	assert_int_equal(size_of("7B"), 7);
	assert_int_equal(size_of("123"), 123);
	assert_int_equal(size_of("0"), 0);
}

static void sizes_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"",
					    "4 megs",
					    "4 MiB",
					    "MiB",
					    "-1",
					    "+1",
					    "1.5MiB",
					    "4mib",
					    "0x10",
					    "010",
					    "4M",
					    "1e3",
					    "4k",
					    "4MiB ",
					    " 4",
					    "18446744073709551616",
					    "18446744073709551615KiB"};
	uint64_t bytes = 0;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(value_parse_size(span_of(wrong[i]), &bytes));
}

static void durations_are_microseconds(void **state)
{
	(void)state;
	assert_int_equal(duration_of("250ms"), 250000);
	assert_int_equal(duration_of("2s"), 2000000);
	assert_int_equal(duration_of("10m"), 600000000);
	assert_int_equal(duration_of("1h"), 3600000000);
}

static void durations_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "5", "2 s", "1h30m", "s", "-2s", "1.5s", "2S", "5124095576030432h"};
	uint64_t us = 0;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(value_parse_duration(span_of(wrong[i]), &us));
}

static void booleans_are_true_and_false_only(void **state)
{
	(void)state;
	bool truth = false;
	assert_true(value_parse_bool(SPAN("true"), &truth) && truth);
	assert_true(value_parse_bool(SPAN("false"), &truth) && !truth);
	static const char *const wrong[] = {"", "yes", "no", "on", "1", "True", "truee"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(value_parse_bool(span_of(wrong[i]), &truth));
}

static struct arena values_arena;

/* Reads text as the value of a key of the table; a string lives until the next call. */
static bool reads(const char *section, const char *name, const char *text, struct value *value, char *expected)
{
	arena_fini(&values_arena);
	const struct key *key = key_find(section, span_of(name));
	assert_non_null(key);
	return value_read(&values_arena, key, span_of(text), "", value, expected);
}

static void bounds_are_inclusive(void **state)
{
	(void)state;
	struct value value;
	char expected[VALUE_EXPECTED_MAX];
	assert_true(reads("limits", "body", "1KiB", &value, expected));
	assert_true(reads("limits", "body", "1GiB", &value, expected));
	assert_false(reads("limits", "body", "1023", &value, expected));
	assert_string_equal(expected, "a size from 1KiB to 1GiB");
	assert_false(reads("limits", "body", "1073741825", &value, expected));
	assert_true(reads("limits", "json_depth", "512", &value, expected));
	assert_false(reads("limits", "json_depth", "513", &value, expected));
	assert_string_equal(expected, "a number from 1 to 512");
	assert_false(reads("limits", "json_depth", "0", &value, expected));
}

static void every_default_and_bound_of_the_table_is_readable(void **state)
{
	(void)state;
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		struct value value;
		struct arena arena;
		char expected[VALUE_EXPECTED_MAX];
		arena_init(&arena, 0);
		const char *const texts[] = {key->standard, key->least, key->most};
		for (size_t t = 0; t < 3; t++)
			if (texts[t] != NULL)
				assert_true(value_read(&arena, key, span_of(texts[t]), "", &value, expected));
		assert_true((key->least == NULL) == (key->most == NULL));
		bool number = key->type == KEY_SIZE || key->type == KEY_DURATION || key->type == KEY_UNSIGNED ||
			      key->type == KEY_PERCENT;
		assert_true(number == (key->least != NULL));
		assert_true((key->flags & KEY_REQUIRED) == 0 || key->standard == NULL);
		assert_true(key->type != KEY_SECRET || key->standard == NULL);
		assert_true(key->text[0] != '\0' && key->text[strlen(key->text) - 1] == '.');
		arena_fini(&arena);
	}
}

static void every_key_of_the_table_is_found_in_its_section(void **state)
{
	(void)state;
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		char section[128];
		snprintf(section, sizeof(section), "%s", key->path);
		char *dot = strrchr(section, '.');
		*(dot == NULL ? section : dot) = '\0';
		assert_ptr_equal(key_find(section, span_of(key_leaf(key))), key);
	}
}

static void addresses_are_host_and_port(void **state)
{
	(void)state;
	struct value value;
	char expected[VALUE_EXPECTED_MAX];
	static const char *const right[] = {"127.0.0.1:8080", "[::1]:0", "localhost:65535", "a-b.example:1"};
	static const char *const wrong[] = {
	    "",     ":8080",  "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "[::1]", "[::1:80", "[x]:80",
	    "*:80", "a b:80", "h:8x",      "h:123456",   "[]:80",           "-a:80",  "h:80/", "[::1]80"};
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(reads("listen[]", "address", right[i], &value, expected));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(reads("listen[]", "address", wrong[i], &value, expected));
}

static void origins_take_the_form_that_browsers_send(void **state)
{
	(void)state;
	static const char *const right[][2] = {
	    {"*", "*"},
	    {"https://app.example.com", "https://app.example.com"},
	    {"HTTPS://App.Example.COM:443", "https://app.example.com"},
	    {"http://h:80", "http://h"},
	    {"http://h:443", "http://h:443"},
	    {"https://h:80", "https://h:80"},
	    {"http://localhost:3000", "http://localhost:3000"},
	    {"http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"},
	    {"tauri://localhost", "tauri://localhost"},
	    {"chrome-extension://abcdef", "chrome-extension://abcdef"},
	};
	static const char *const wrong[] = {"",
					    "**",
					    "*.example.com",
					    "https://*.a",
					    "example.com",
					    "https://",
					    "https:/h",
					    "https://h/",
					    "https://h/p",
					    "https://h?q",
					    "https://h#f",
					    "https://u@h",
					    "https://h:",
					    "https://h:0",
					    "https://h:65536",
					    "https://h:8o",
					    "https://h h",
					    "://h",
					    "3d://h",
					    "+a://h",
					    "null",
					    "https://[::1",
					    "https://h,b"};
	struct value value;
	char expected[VALUE_EXPECTED_MAX];
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_true(reads("cors", "origins", right[i][0], &value, expected));
		assert_string_equal(value.string, right[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (reads("cors", "origins", wrong[i], &value, expected))
			fail_msg("%s became %s", wrong[i], value.string);
}

static void urls_are_http_with_a_host_and_nothing_to_hide(void **state)
{
	(void)state;
	struct value value;
	char expected[VALUE_EXPECTED_MAX];
	static const char *const right[] = {"http://h", "https://h:443/v1", "http://[::1]:8/a/b/",
					    "http://1.2.3.4/v1//"};
	static const char *const wrong[] = {
	    "",           "h/v1",           "ftp://h/",      "http://",         "http:///v1",
	    "http://u@h", "http://u:p@h/",  "http://h/?q=1", "http://h#f",      "http://h:0",
	    "http://h:",  "http://h:99999", "http://h/a b",  "http://h/\r\nX:", "http://[::1",
	    "HTTP//h",    "http://h\\x",    "http://h/\x7f", "http:/h"};
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(reads("backends.*", "url", right[i], &value, expected));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(reads("backends.*", "url", wrong[i], &value, expected));
}

static void paths_of_urls_begin_with_a_slash(void **state)
{
	(void)state;
	struct value value;
	char expected[VALUE_EXPECTED_MAX];
	static const char *const wrong[] = {"health", "http://h/x", "/a b", "/a?b", "/a#b", "/\r\nX:", "/caf\xc3\xa9"};
	assert_true(reads("backends.*.probe", "path", "/", &value, expected));
	assert_true(reads("backends.*.probe", "path", "/v1/models", &value, expected));
	assert_true(reads("backends.*.probe", "path", "", &value, expected));
	assert_null(value.string);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(reads("backends.*.probe", "path", wrong[i], &value, expected));
}

static void secrets_that_would_break_a_header_are_refused(void **state)
{
	(void)state;
	struct value value;
	char expected[VALUE_EXPECTED_MAX];
	assert_true(reads("backends.*", "api_key", "sk-123_/+=", &value, expected));
	assert_false(reads("backends.*", "api_key", "a\r\nX-Evil: 1", &value, expected));
	assert_false(reads("backends.*", "api_key", "a b", &value, expected));
	assert_false(reads("backends.*", "api_key", "caf\xc3\xa9", &value, expected));
	assert_true(reads("backends.*", "api_key", "", &value, expected));
	assert_null(value.string);
}

static int setup(void **state)
{
	(void)state;
	arena_init(&values_arena, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&values_arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_know_binary_and_decimal_units),
	    cmocka_unit_test(sizes_that_are_none_are_refused),
	    cmocka_unit_test(durations_are_microseconds),
	    cmocka_unit_test(durations_that_are_none_are_refused),
	    cmocka_unit_test(booleans_are_true_and_false_only),
	    cmocka_unit_test(bounds_are_inclusive),
	    cmocka_unit_test(every_default_and_bound_of_the_table_is_readable),
	    cmocka_unit_test(every_key_of_the_table_is_found_in_its_section),
	    cmocka_unit_test(addresses_are_host_and_port),
	    cmocka_unit_test(origins_take_the_form_that_browsers_send),
	    cmocka_unit_test(urls_are_http_with_a_host_and_nothing_to_hide),
	    cmocka_unit_test(paths_of_urls_begin_with_a_slash),
	    cmocka_unit_test(secrets_that_would_break_a_header_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
