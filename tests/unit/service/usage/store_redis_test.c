/* SPDX-License-Identifier: MIT */
/*
 * The record of use in a real Redis: two replicas that add to it, compared with SQLite as the model, row by row; and
 * that every row counts once, whatever replies are lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "clients/redis/redis.h"
#include "config/config.h"
#include "lib/log.h"
#include "service/loop/loop.h"
#include "service/usage/store.h"
#include "tests/redis/redis_server.h"

enum { DAY = 20787, DAYS = 4, REPLICAS = 2, WAIT_MS = 60000, SHORT_MS = 500, MOST = 1000, FOUND = 100000 };

/* It writes every change to the disk before it answers. */
#define DURABLE "appendonly yes\nappendfsync always\n"

static const char *const keys[] = {"", "one", "two", "three", "a:b", "7:(other)"};
static const char *const tenants[] = {"", "acme", "acme/search", "acmecorp", "x y 1"};
static const char small[] = "small", large[] = "large", local[] = "b/x", remote[] = "c/y;tokens=1 2";
static const char *const models[] = {NULL, small, large};
static const char *const targets[] = {NULL, local, remote};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct world {
	struct redis_process *server;
	struct config_redis config;
	struct redis_shared *shared;
	struct loop *loop;
	struct usage_store *each[REPLICAS];
	struct usage_store *model; /* SQLite */
	uint64_t seed;
};

static struct usage_store *open_store(struct world *world, uint64_t most, uint64_t found_most, unsigned wait_ms)
{
	struct usage_redis_options options = {.redis = world->shared,
					      .loop = world->loop,
					      .prefix = "test",
					      .most = most,
					      .found_most = found_most,
					      .wait_ms = wait_ms};
	struct usage_store *store = usage_store_redis_create(&options);
	assert_non_null(store);
	return store;
}

static void start(struct world *world, const char *redis, uint64_t most, unsigned wait_ms)
{
	*world = (struct world){.server = redis_process_start(redis), .loop = loop_create(), .seed = 1};
	world->config = (struct config_redis){
	    .prefix = "test", .budget_us = 10000000, .connect_us = 10000000, .socket = world->server->socket};
	world->shared = redis_shared_create(&world->config, NULL);
	assert_non_null(world->shared);
	for (int i = 0; i < REPLICAS; i++)
		world->each[i] = open_store(world, most, FOUND, wait_ms);
	world->model = usage_store_sqlite_create(NULL, most, WAIT_MS);
	assert_non_null(world->model);
}

static void stop(struct world *world)
{
	for (int i = 0; i < REPLICAS; i++)
		usage_store_destroy(world->each[i]);
	usage_store_destroy(world->model);
	redis_shared_destroy(world->shared);
	loop_destroy(world->loop);
	redis_process_stop(world->server);
}

/* A number below most; the same ones in every run. */
static uint32_t dice(struct world *world, size_t most)
{
	world->seed = world->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((world->seed >> 33) % most);
}

static void put(struct usage_table *table, const struct usage_subject *where, const char *key, const char *tenant,
		const struct usage_counts *counts)
{
	struct usage_subject subject = *where;
	subject.key = span_of(key);
	subject.tenant = span_of(tenant);
	subject.hash = usage_hash(subject.key, subject.tenant);
	assert_true(usage_table_add(table, &subject, counts));
}

/* Adds the same rows to both tables. */
static void fill(struct world *world, struct usage_table *one, struct usage_table *other, size_t rows)
{
	usage_table_init(one, FOUND);
	usage_table_init(other, FOUND);
	for (size_t i = 0; i < rows; i++) {
		char key[32];
		struct usage_subject where = {.day = DAY + dice(world, DAYS),
					      .model = models[dice(world, COUNT(models))],
					      .target = targets[dice(world, COUNT(targets))]};
		const char *tenant = tenants[dice(world, COUNT(tenants))];
		struct usage_counts counts;
		snprintf(key, sizeof(key), "%s%.0u", keys[dice(world, COUNT(keys))], dice(world, 3));
		for (int unit = 0; unit < USAGE_UNITS; unit++)
			counts.of[unit] = dice(world, 1000000) * (uint64_t)dice(world, 1000000);
		put(one, &where, key, tenant, &counts);
		put(other, &where, key, tenant, &counts);
	}
}

static void must_add(struct usage_store *store, struct usage_table *table)
{
	if (!usage_store_add(store, table))
		fail_msg("%s", usage_store_why(store));
	assert_int_equal(usage_store_waiting(store), 0);
	assert_int_equal(table->count, 0);
	usage_table_fini(table);
}

/* ---- comparing ---- */

struct heard {
	char *text;
	size_t len, room;
	bool more;
};

static void say(struct heard *heard, const char *bytes, size_t len)
{
	while (heard->len + len + 1 > heard->room) {
		heard->room = heard->room * 2 + 4096;
		heard->text = realloc(heard->text, heard->room);
		assert_non_null(heard->text);
	}
	if (len > 0)
		memcpy(heard->text + heard->len, bytes, len);
	heard->len += len;
	heard->text[heard->len] = '\0';
}

static void on_found(void *context, const struct usage_found *found)
{
	char number[32];
	say(context, number, (size_t)snprintf(number, sizeof(number), "%" PRId64, found->place.day));
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++) {
		say(context, "|", 1);
		if (found->place.of[i].at == NULL)
			say(context, "-", 1);
		else
			say(context, found->place.of[i].at, found->place.of[i].len);
	}
	for (int i = 0; i < USAGE_UNITS; i++)
		say(context, number, (size_t)snprintf(number, sizeof(number), " %" PRIu64, found->counts.of[i]));
	say(context, "\n", 1);
}

static struct heard find(struct usage_store *store, const struct usage_filter *filter)
{
	struct heard heard = {.len = 0};
	say(&heard, "", 0);
	if (!usage_store_find(store, filter, on_found, &heard, &heard.more))
		fail_msg("%s", usage_store_why(store));
	return heard;
}

static void compare(struct world *world, const struct usage_filter *filter)
{
	struct heard expected = find(world->model, filter);
	for (int i = 0; i < REPLICAS; i++) {
		struct heard got = find(world->each[i], filter);
		if (strcmp(got.text, expected.text) != 0 || got.more != expected.more)
			fail_msg("by %x, limit %" PRIu64 ":\n got %d\n%s\nwant %d\n%s", filter->by, filter->limit,
				 got.more, got.text, expected.more, expected.text);
		free(got.text);
	}
	free(expected.text);
}

static struct span any_of(struct world *world, const char *const *list, size_t count)
{
	const char *value = list[dice(world, count)];
	return span_of(value == NULL ? "" : value);
}

static struct usage_filter any_filter(struct world *world)
{
	struct usage_filter filter = {.from = DAY - 1 + dice(world, 3),
				      .to = DAY + dice(world, DAYS + 1),
				      .by = dice(world, 1 << USAGE_DIMENSIONS),
				      .limit = 1 + dice(world, dice(world, 2) == 0 ? 3 : 1000)};
	if (dice(world, 4) == 0)
		filter.only[USAGE_KEY] = any_of(world, keys, COUNT(keys));
	if (dice(world, 4) == 0)
		filter.only[USAGE_TENANT] = SPAN("acme");
	if (dice(world, 4) == 0)
		filter.only[USAGE_MODEL] = any_of(world, models, COUNT(models));
	if (dice(world, 4) == 0)
		filter.only[USAGE_TARGET] = any_of(world, targets, COUNT(targets));
	if (filter.by != 0 && dice(world, 2) == 0) {
		filter.after = true;
		filter.place = (struct usage_place){.day = DAY + dice(world, DAYS),
						    .of = {[USAGE_KEY] = any_of(world, keys, COUNT(keys)),
							   [USAGE_TENANT] = any_of(world, tenants, COUNT(tenants)),
							   [USAGE_MODEL] = any_of(world, models, COUNT(models)),
							   [USAGE_TARGET] = any_of(world, targets, COUNT(targets))}};
	}
	return filter;
}

static const struct usage_filter everything = {
    .to = UINT32_MAX, .by = (1u << USAGE_DIMENSIONS) - 1, .limit = UINT32_MAX};

/* ---- tests ---- */

static void every_question_is_answered_as_sqlite_does(void **state)
{
	enum { ROUNDS = 12, QUESTIONS = 60 };
	static const size_t sizes[] = {0, 1, 20, 99, 100, 101, 400};
	struct world world;
	(void)state;
	start(&world, "", FOUND, WAIT_MS);
	for (int round = 0; round < ROUNDS; round++) {
		struct usage_table table, same;
		fill(&world, &table, &same, sizes[(size_t)round % COUNT(sizes)]);
		must_add(world.each[round % REPLICAS], &table);
		must_add(world.model, &same);
		compare(&world, &everything);
		for (int i = 0; i < QUESTIONS; i++) {
			struct usage_filter filter = any_filter(&world);
			compare(&world, &filter);
		}
		assert_int_equal(usage_store_rows(world.each[0]), usage_store_rows(world.model));
	}
	stop(&world);
}

static void pages_follow_each_other_over_days(void **state)
{
	struct world world;
	struct usage_table table, same;
	struct usage_filter filter = everything;
	(void)state;
	start(&world, "", FOUND, WAIT_MS);
	fill(&world, &table, &same, 50);
	must_add(world.each[0], &table);
	must_add(world.model, &same);
	filter.by = 1u << USAGE_DAY;
	filter.limit = 1;
	for (uint32_t day = DAY; day < DAY + DAYS; day++) {
		compare(&world, &filter);
		filter.after = true;
		filter.place = (struct usage_place){.day = day};
	}
	stop(&world);
}

/* Redis stands still: what was sent is carried out later, when nobody waits for the reply any more. */
static void a_batch_whose_reply_is_lost_counts_once(void **state)
{
	enum { ROUNDS = 5 };
	struct world world;
	(void)state;
	start(&world, "", FOUND, SHORT_MS);
	struct usage_store *patient = open_store(&world, FOUND, FOUND, WAIT_MS);
	for (int round = 0; round < ROUNDS; round++) {
		struct usage_table table, same;
		fill(&world, &table, &same, 250);
		while (usage_store_rows(world.each[0]) == 0 && !usage_store_expire(world.each[0], 0))
			;
		redis_process_signal(world.server, SIGSTOP);
		assert_false(usage_store_add(world.each[0], &table));
		uint64_t waiting = usage_store_waiting(world.each[0]);
		assert_int_equal(waiting + table.count, same.count);
		redis_process_signal(world.server, SIGCONT);
		while (!usage_store_add(world.each[0], &table))
			assert_in_range(usage_store_waiting(world.each[0]) + table.count, 0, same.count);
		must_add(world.model, &same);
	}
	struct heard expected = find(world.model, &everything), got = find(patient, &everything);
	assert_string_equal(got.text, expected.text);
	free(got.text);
	free(expected.text);
	usage_store_destroy(patient);
	stop(&world);
}

static void a_redis_that_is_killed_and_comes_back_has_every_row_once(void **state)
{
	enum { ROUNDS = 4 };
	struct world world;
	(void)state;
	start(&world, DURABLE, FOUND, SHORT_MS);
	struct usage_store *patient = open_store(&world, FOUND, FOUND, WAIT_MS);
	for (int round = 0; round < ROUNDS; round++) {
		struct usage_table table, same;
		fill(&world, &table, &same, 150);
		redis_process_signal(world.server, SIGKILL);
		assert_false(usage_store_add(world.each[0], &table));
		redis_process_restart(world.server);
		while (!usage_store_add(world.each[0], &table))
			;
		must_add(world.model, &same);
		fill(&world, &table, &same, 150);
		must_add(patient, &table);
		must_add(world.model, &same);
	}
	struct heard expected = find(world.model, &everything), got = find(patient, &everything);
	assert_string_equal(got.text, expected.text);
	free(got.text);
	free(expected.text);
	usage_store_destroy(patient);
	stop(&world);
}

static void a_full_day_counts_new_keys_together(void **state)
{
	enum { KEYS = 3000, ROOM = 100 };
	struct world world;
	const struct usage_subject where = {.day = DAY, .model = small, .target = local};
	const struct usage_counts one = {.of = {[USAGE_REQUESTS] = 1}};
	(void)state;
	start(&world, "", ROOM, WAIT_MS);
	for (int round = 0; round < REPLICAS; round++) {
		struct usage_table table;
		char key[16];
		usage_table_init(&table, KEYS);
		for (int i = 0; i < KEYS; i++) {
			snprintf(key, sizeof(key), "key-%d", i);
			put(&table, &where, key, "acme", &one);
		}
		must_add(world.each[round], &table);
	}
	assert_int_equal(usage_store_rows(world.each[1]), ROOM + 1);
	struct usage_filter filter = everything;
	filter.by = 1u << USAGE_TENANT;
	struct heard got = find(world.each[0], &filter);
	assert_string_equal(got.text, "-1|-||-|- 5800 0 0 0 0 0 0 0\n-1|-|acme|-|- 200 0 0 0 0 0 0 0\n");
	free(got.text);
	filter.by = 0;
	filter.only[USAGE_KEY] = SPAN(USAGE_OTHER);
	got = find(world.each[0], &filter);
	assert_string_equal(got.text, "-1|-|-|-|- 5800 0 0 0 0 0 0 0\n");
	free(got.text);
	stop(&world);
}

static void old_days_go(void **state)
{
	struct world world;
	struct usage_table table, same;
	(void)state;
	start(&world, "", FOUND, WAIT_MS);
	fill(&world, &table, &same, 300);
	must_add(world.each[0], &table);
	must_add(world.model, &same);
	assert_true(usage_store_expire(world.each[1], DAY + 2));
	assert_true(usage_store_expire(world.model, DAY + 2));
	compare(&world, &everything);
	assert_int_equal(usage_store_rows(world.each[1]), usage_store_rows(world.model));
	assert_string_equal(redis_process_say(world.server, "HLEN test:usage"), ":2\r\n");
	assert_string_equal(redis_process_say(world.server, "EXISTS test:usage:%d test:usage:%d", DAY, DAY + 2),
			    ":1\r\n");
	assert_true(usage_store_expire(world.each[0], DAY + DAYS));
	assert_string_equal(redis_process_say(world.server, "DBSIZE"), ":0\r\n");
	stop(&world);
}

static void a_name_that_is_something_else_is_told_and_waited_for(void **state)
{
	struct world world;
	struct usage_table table, same;
	(void)state;
	start(&world, "", FOUND, WAIT_MS);
	for (uint32_t day = DAY; day < DAY + DAYS; day++)
		redis_process_say(world.server, "SET test:usage:%u notes", day);
	fill(&world, &table, &same, 30);
	assert_false(usage_store_add(world.each[0], &table));
	assert_non_null(strstr(usage_store_why(world.each[0]), "WRONGTYPE"));
	assert_int_equal(usage_store_waiting(world.each[0]), same.count);
	redis_process_say(world.server, "FLUSHALL");
	must_add(world.each[0], &table);
	must_add(world.model, &same);
	compare(&world, &everything);
	stop(&world);
}

static void fields_that_are_no_rows_are_passed_over(void **state)
{
	struct world world;
	struct usage_table table, same;
	(void)state;
	start(&world, "", FOUND, WAIT_MS);
	fill(&world, &table, &same, 30);
	must_add(world.each[0], &table);
	must_add(world.model, &same);
	redis_process_say(world.server, "HSET test:usage:%d 3:one x 99:a 1 0:0:0:1:z 1 0:0:0:0:x 2 1:a0:0:0: 1_2_3",
			  DAY);
	redis_process_say(world.server, "HSET test:usage notes 12 99999999999 1");
	compare(&world, &everything);
	stop(&world);
}

static void what_is_too_much_to_sum_up_is_refused(void **state)
{
	struct world world;
	struct usage_table table, same;
	struct usage_filter filter = everything;
	struct heard heard = {.len = 0};
	(void)state;
	start(&world, "", FOUND, WAIT_MS);
	fill(&world, &table, &same, 500);
	must_add(world.each[0], &table);
	must_add(world.model, &same);
	struct usage_store *little = open_store(&world, FOUND, 20, WAIT_MS);
	assert_false(usage_store_find(little, &everything, on_found, &heard, &heard.more));
	assert_non_null(strstr(usage_store_why(little), "ask for fewer days"));
	assert_int_equal(heard.len, 0);
	filter.by = 1u << USAGE_MODEL;
	struct heard got = find(little, &filter), expected = find(world.model, &filter);
	assert_string_equal(got.text, expected.text);
	free(got.text);
	free(expected.text);
	usage_store_destroy(little);
	stop(&world);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_question_is_answered_as_sqlite_does),
	    cmocka_unit_test(pages_follow_each_other_over_days),
	    cmocka_unit_test(a_batch_whose_reply_is_lost_counts_once),
	    cmocka_unit_test(a_redis_that_is_killed_and_comes_back_has_every_row_once),
	    cmocka_unit_test(a_full_day_counts_new_keys_together),
	    cmocka_unit_test(old_days_go),
	    cmocka_unit_test(a_name_that_is_something_else_is_told_and_waited_for),
	    cmocka_unit_test(fields_that_are_no_rows_are_passed_over),
	    cmocka_unit_test(what_is_too_much_to_sum_up_is_refused),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
