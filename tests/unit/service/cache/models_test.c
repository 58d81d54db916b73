/* SPDX-License-Identifier: MIT */
/* The cache knows models by numbers that belong to their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/cache/models.h"

static struct config_backend backend = {.name = "a", .url = "http://a"};
static struct config_target targets[] = {{.name = "a/x", .backend = &backend, .model = "x"},
					 {.name = "a/y", .backend = &backend, .model = "y"}};
static struct config_plan to_x = {.target = "a/x", .backend = &backend, .target_model = "x"};
static struct config_plan to_y = {.target = "a/y", .backend = &backend, .target_model = "y"};

static struct config config_of(struct config_model *models, size_t count)
{
	return (struct config){.backends = &backend,
			       .backend_count = 1,
			       .targets = targets,
			       .target_count = 2,
			       .models = models,
			       .model_count = count};
}

static void aliases_go_by_the_first_of_them_by_name(void **state)
{
	struct config_model list[] = {{.name = "small", .plan = &to_x, .cache.revision = ""},
				      {.name = "other", .plan = &to_y, .cache.revision = ""},
				      {.name = "fast", .plan = &to_x, .cache.revision = ""}};
	struct config config = config_of(list, 3);
	(void)state;
	struct cache_models *models = cache_models_create(&config, NULL);
	assert_string_equal(models->names[models->first[models->numbers[0]]], "fast");
	assert_string_equal(models->names[models->first[models->numbers[1]]], "other");
	assert_string_equal(models->names[models->first[models->numbers[2]]], "fast");
	cache_models_destroy(models);
}

static void a_later_configuration_gives_a_name_the_same_number(void **state)
{
	struct config_model list[] = {{.name = "small", .plan = &to_x, .cache.revision = ""},
				      {.name = "gone", .plan = &to_y, .cache.revision = ""}};
	struct config_model next[] = {{.name = "new", .plan = &to_y, .cache.revision = ""},
				      {.name = "small", .plan = &to_y, .cache.revision = ""}};
	struct config config = config_of(list, 2), later = config_of(next, 2);
	uint32_t number;
	(void)state;
	struct cache_models *models = cache_models_create(&config, NULL);
	uint32_t small = models->numbers[0], gone = models->numbers[1];
	struct cache_models *then = cache_models_create(&later, models);
	cache_models_destroy(models);
	assert_int_equal(then->numbers[1], small);
	assert_true(then->numbers[0] != small && then->numbers[0] != gone);
	assert_true(cache_models_find(then, "gone", &number));
	assert_int_equal(number, gone);
	assert_string_equal(then->names[then->first[small]], "new");
	assert_int_equal(then->first[gone], gone);
	assert_false(cache_models_find(then, "never", &number));
	cache_models_destroy(then);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(aliases_go_by_the_first_of_them_by_name),
	    cmocka_unit_test(a_later_configuration_gives_a_name_the_same_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
