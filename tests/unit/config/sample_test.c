/* SPDX-License-Identifier: MIT */
/*
 * The files that come with the program: every key of the table is in the sample
 * and has its default there, the sample and the demonstration load, and no
 * damage done to the sample crashes the loader.
 */
#include "tests/unit/config/fixture.h"

#include <unistd.h>

#include "config/keys.h"
#include "config/plan_options.h"
#include "config/tree.h"

enum { SAMPLE_MAX = 32768 };

static char sample[SAMPLE_MAX];      /* config/sluice.yaml */
static char switched_on[SAMPLE_MAX]; /* the same with every key that is switched off by one # */

static int setup(void **state)
{
	FILE *file = fopen("config/sluice.yaml", "re");
	if (file == NULL)
		return -1;
	sample[fread(sample, 1, sizeof(sample) - 1, file)] = '\0';
	fclose(file);
	const char *at = sample;
	char *to = switched_on;
	while (*at != '\0') {
		const char *end = strchr(at, '\n');
		size_t len = (size_t)(end - at) + 1;
		if (at[0] == '#' && at[1] != '#') {
			at++;
			len--;
		}
		memcpy(to, at, len);
		to += len;
		at += len;
	}
	*to = '\0';
	return fixture_setup(state);
}

/* The value at a path of the table, in any entry of lists and mappings of names; NULL when it is nowhere. */
static const struct tree_node *find(const struct tree_node *node, const char *path)
{
	size_t len = strcspn(path, ".[");
	if (*path == '\0')
		return node;
	if (len == 0 && *path == '.')
		return find(node, path + 1);
	bool any = *path == '*' || *path == '[';
	size_t step = *path == '[' ? 2 : len;
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		const struct tree_node *found = NULL;
		if (any || span_equal(at->key, (struct span){path, len}))
			found = find(at, path + step);
		if (found != NULL)
			return found;
	}
	return NULL;
}

static void every_key_of_the_table_is_in_the_sample_with_its_default(void **state)
{
	(void)state;
	struct arena arena;
	struct findings findings;
	arena_init(&arena, 0);
	findings_init(&findings, "sluice.yaml");
	const struct tree_node *root = tree_read(&arena, span_of(switched_on), &findings);
	assert_non_null(root);
	for (size_t i = 0; i < keys_count; i++) {
		const struct tree_node *node = find(root, keys_table[i].path);
		if (node == NULL)
			fail_msg("config/sluice.yaml lacks %s", keys_table[i].path);
		if (keys_table[i].standard != NULL)
			assert_string_equal(node->text.at, keys_table[i].standard);
	}
	findings_fini(&findings);
	arena_fini(&arena);
}

/* Is there a member of that name anywhere below node? */
static bool has_member(const struct tree_node *node, const char *name)
{
	if (tree_member(node, name) != NULL)
		return true;
	for (const struct tree_node *at = node->first; at != NULL; at = at->next)
		if (has_member(at, name))
			return true;
	return false;
}

static void every_option_of_plans_is_in_the_sample(void **state)
{
	(void)state;
	struct arena arena;
	struct findings findings;
	arena_init(&arena, 0);
	findings_init(&findings, "sluice.yaml");
	const struct tree_node *root = tree_read(&arena, span_of(switched_on), &findings);
	assert_non_null(root);
	for (size_t i = 0; i < plan_options_count; i++)
		if (!has_member(tree_member(root, "models"), plan_options_table[i].key.path))
			fail_msg("config/sluice.yaml lacks the option %s", plan_options_table[i].key.path);
	assert_true(has_member(tree_member(root, "models"), "name"));
	findings_fini(&findings);
	arena_fini(&arena);
}

static void the_sample_loads_as_it_is(void **state)
{
	(void)state;
	buf_reset(&fixture_errors);
	const struct config *config = config_load_file("config/sluice.yaml", &fixture_errors);
	assert_string_equal(fixture_findings(), "");
	assert_non_null(config);
	config_drop(config);
}

/* The name of a master is for sentinels only. */
static void ask_sentinels(char *yaml)
{
	static const char single[] = "mode: single";
	static const char sentinel[] = "mode: sentinel";
	char *mode = strstr(yaml, single);
	assert_non_null(mode);
	memmove(mode + strlen(sentinel), mode + strlen(single), strlen(mode + strlen(single)) + 1);
	memcpy(mode, sentinel, strlen(sentinel));
}

static void the_sample_loads_with_all_keys_switched_on(void **state)
{
	(void)state;
	static char yaml[SAMPLE_MAX + 8];
	char directory[] = "/tmp/sluice-test-XXXXXX";
	static const char *const files[] = {"cert.pem", "key.pem", "ca.pem", "partner.pem", "sluice.yaml"};
	char path[64];
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < 4; i++)
		fixture_write(directory, files[i], "x");
	memcpy(yaml, switched_on, sizeof(switched_on));
	ask_sentinels(yaml);
	fixture_write(directory, files[4], yaml);
	snprintf(path, sizeof(path), "%s/sluice.yaml", directory);
	buf_reset(&fixture_errors);
	const struct config *config = config_load_file(path, &fixture_errors);
	assert_string_equal(fixture_findings(), "");
	assert_non_null(config);
	assert_non_null(config->listeners[1].tls_key);
	assert_non_null(config->backends[0].ca);
	assert_non_null(config->backends[0].key);
	assert_string_equal(config->backends[0].probe.path, "/models");
	assert_string_equal(config->redis.master, "mymaster");
	config_drop(config);
	for (size_t i = 0; i < 5; i++)
		fixture_remove(directory, files[i]);
	rmdir(directory);
}

static void the_demonstration_is_what_make_run_starts(void **state)
{
	(void)state;
	buf_reset(&fixture_errors);
	const struct config *config = config_load_text(config_demo_yaml(), "(embedded)", &fixture_errors);
	assert_string_equal(fixture_findings(), "");
	assert_non_null(config);
	assert_string_equal(config->listeners[0].host, "127.0.0.1");
	assert_string_equal(config->listeners[0].port, "8080");
	assert_string_equal(config->backends[0].url, "http://127.0.0.1:9101/v1");
	assert_string_equal(config->backends[1].url, "http://127.0.0.1:9102/v1");
	assert_string_equal(config_find_model(config, SPAN("demo"))->plan->target, "alpha/river-1");
	const struct config_plan *fallback = config_find_model(config, SPAN("demo-fallback"))->plan;
	assert_string_equal(fallback->combinator, "fallback");
	assert_string_equal(fallback->children[1]->target, "beta/river-1");
	const struct config_plan *all = config_find_model(config, SPAN("demo-all"))->plan;
	assert_string_equal(all->combinator, "all");
	assert_string_equal(all->children[1]->target, "beta/stone-1");
	config_drop(config);
}

static void the_reference_names_every_key(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 1 << 20);
	config_describe(&out);
	assert_false(buf_failed(&out));
	for (size_t i = 0; i < keys_count; i++) {
		char cell[128];
		snprintf(cell, sizeof(cell), "| `%s` | ", keys_table[i].path);
		assert_non_null(memmem(buf_span(&out).at, buf_len(&out), cell, strlen(cell)));
	}
	buf_fini(&out);
}

/* Loads damaged text; whatever comes of it, findings are told exactly when nothing was loaded. */
static void survive(struct span yaml)
{
	buf_reset(&fixture_errors);
	const struct config *config = config_load_text(yaml, "t.yaml", &fixture_errors);
	assert_int_equal(config == NULL, buf_len(&fixture_errors) != 0);
	config_drop(config);
}

static void no_truncation_of_the_sample_crashes(void **state)
{
	(void)state;
	size_t size = strlen(switched_on);
	for (size_t len = 0; len <= size; len++) {
		char *copy = malloc(len + 1); /* of the exact size, so that ASan sees a read behind it */
		memcpy(copy, switched_on, len);
		survive((struct span){copy, len});
		free(copy);
	}
}

static void no_random_damage_to_the_sample_crashes(void **state)
{
	(void)state;
	static const char bytes[] = "{}[]:,-#&*!|>'\"%@`?\n\t ~$\\\x00\xff\xc3"
				    "09az";
	size_t size = strlen(switched_on);
	char copy[SAMPLE_MAX];
	srandom(4711);
	for (int round = 0; round < 2000; round++) {
		memcpy(copy, switched_on, size);
		for (long left = 1 + random() % 8; left > 0; left--)
			copy[(size_t)random() % size] = bytes[(size_t)random() % (sizeof(bytes) - 1)];
		survive((struct span){copy, size});
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_key_of_the_table_is_in_the_sample_with_its_default),
	    cmocka_unit_test(every_option_of_plans_is_in_the_sample),
	    cmocka_unit_test(the_sample_loads_as_it_is),
	    cmocka_unit_test(the_sample_loads_with_all_keys_switched_on),
	    cmocka_unit_test(the_demonstration_is_what_make_run_starts),
	    cmocka_unit_test(the_reference_names_every_key),
	    cmocka_unit_test(no_truncation_of_the_sample_crashes),
	    cmocka_unit_test(no_random_damage_to_the_sample_crashes),
	};
	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
