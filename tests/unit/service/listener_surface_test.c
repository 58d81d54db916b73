/* SPDX-License-Identifier: MIT */
/* Which listener serves what. */
#include "service/listener_surface.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/keys.h"
#include "service/methods.h"

static bool is_v1(enum operation operation)
{
	return strncmp(operation_row(operation)->path, "/v1/", 4) == 0;
}

static bool is_health(enum operation operation)
{
	return operation == OPERATION_LIVEZ || operation == OPERATION_READYZ;
}

static void clients_are_served_the_api_and_health_alone(void **state)
{
	const struct config config = {.public_set = 0};
	const struct surface surface = {.config = &config};
	(void)state;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		assert_int_equal(surface_serves(&surface, operation), is_v1(operation) || is_health(operation));
}

static void operators_are_served_everything_but_the_api(void **state)
{
	const struct config config = {.public_set = 0};
	const struct surface surface = {.config = &config, .admin = true};
	(void)state;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		assert_int_equal(surface_serves(&surface, operation), !is_v1(operation));
}

static void the_docs_page_of_the_admin_listener_is_served_the_api_too(void **state)
{
	const struct config config = {.public_set = 0};
	const struct surface surface = {.config = &config, .admin = true, .page = true};
	(void)state;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		assert_true(surface_serves(&surface, operation));
}

/* Returns the operations that public listeners serve because of what is listed, a bit each. */
static unsigned opened(unsigned public_set)
{
	const struct config config = {.public_set = public_set};
	const struct surface surface = {.config = &config};
	unsigned found = 0;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
		if (!is_v1(operation) && !is_health(operation) && surface_serves(&surface, operation))
			found |= 1u << operation;
	return found;
}

static void public_opens_what_it_names(void **state)
{
	(void)state;
	assert_int_equal(opened(1u << CONFIG_PUBLIC_METRICS), 1u << OPERATION_METRICS);
	assert_int_equal(opened(1u << CONFIG_PUBLIC_OPENAPI), 1u << OPERATION_OPENAPI);
	assert_int_equal(opened(1u << CONFIG_PUBLIC_DOCS),
			 1u << OPERATION_DOCS | 1u << OPERATION_DOCS_FILE | 1u << OPERATION_OPENAPI);
	assert_int_equal(opened(1u << CONFIG_PUBLIC_ADMIN),
			 1u << OPERATION_BACKENDS | 1u << OPERATION_CACHE | 1u << OPERATION_PURGE |
			     1u << OPERATION_USAGE | 1u << OPERATION_KEYS | 1u << OPERATION_KEY_CREATE |
			     1u << OPERATION_KEY | 1u << OPERATION_KEY_CHANGE | 1u << OPERATION_KEY_REVOKE |
			     1u << OPERATION_KEY_ROTATE);
}

/* The word of the key `public` at that place. */
static struct span word_at(unsigned place)
{
	const char *at = key_find("", SPAN("public"))->words;
	struct span word = {NULL, 0};
	for (unsigned i = 0; i <= place; i++)
		assert_true(key_next_word(&at, &word));
	return word;
}

static void refusals_name_the_words_of_the_key(void **state)
{
	static const struct {
		enum operation_surface surface;
		enum config_public place;
	} rows[] = {{OPERATION_OF_METRICS, CONFIG_PUBLIC_METRICS},
		    {OPERATION_OF_DOCS, CONFIG_PUBLIC_DOCS},
		    {OPERATION_OF_OPENAPI, CONFIG_PUBLIC_OPENAPI},
		    {OPERATION_OF_ADMIN, CONFIG_PUBLIC_ADMIN}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(span_is(word_at(rows[i].place), operation_public_name(rows[i].surface)));
}

/* A path of another listener is refused whatever the method is. */
static void all_operations_at_a_path_are_of_the_same_listeners(void **state)
{
	(void)state;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		enum operation first = methods_at(span_of(operation_row(operation)->path));
		assert_int_equal(operation_row(first)->surface, operation_row(operation)->surface);
	}
	assert_int_equal(methods_at(SPAN("/nowhere")), OPERATION_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clients_are_served_the_api_and_health_alone),
	    cmocka_unit_test(operators_are_served_everything_but_the_api),
	    cmocka_unit_test(the_docs_page_of_the_admin_listener_is_served_the_api_too),
	    cmocka_unit_test(public_opens_what_it_names),
	    cmocka_unit_test(refusals_name_the_words_of_the_key),
	    cmocka_unit_test(all_operations_at_a_path_are_of_the_same_listeners),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
