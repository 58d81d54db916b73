/* SPDX-License-Identifier: MIT */
/* Both stores of keys, against a real file and a real Redis: the same tests for each, then what only one can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/redis/redis.h"
#include "config/config.h"
#include "lib/buf.h"
#include "lib/log.h"
#include "service/access/key_store.h"
#include "service/loop/loop.h"
#include "tests/redis/redis_server.h"

enum { WAIT_MS = 60000, SHORT_MS = 200, HEARD_MAX = 65536 };

static struct redis_process *server;

struct world {
	struct config config;
	struct redis_shared *redis;
	struct loop *loop;
	struct key_store *store;
	char directory[32], path[64];
	/* what was visited last */
	char heard[HEARD_MAX]; /* "ID=RECORD@VERSION " of each */
	size_t count;
};

static void on_item(void *context, const struct key_store_item *item)
{
	struct world *world = context;
	size_t len = strlen(world->heard);
	world->count++;
	if (len + 512 < sizeof(world->heard))
		snprintf(world->heard + len, sizeof(world->heard) - len, "%.*s=%.*s@%" PRIu64 " ", SPAN_ARG(item->id),
			 SPAN_ARG(item->record), item->version);
}

static struct key_store *open_store(struct world *world, bool creates, unsigned wait_ms)
{
	struct key_store_options options = {.config = &world->config,
					    .redis = world->redis,
					    .loop = world->loop,
					    .wait_ms = wait_ms,
					    .creates = creates};
	struct key_store *store = key_store_create(&options);
	assert_non_null(store);
	return store;
}

static void start(struct world *world, unsigned kind)
{
	*world = (struct world){.loop = loop_create(), .directory = "/tmp/key_store.XXXXXX"};
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/keys.db", world->directory);
	world->config.auth = (struct config_auth){.store = kind, .file = world->path};
	world->config.redis = (struct config_redis){.prefix = "test", .budget_us = 10000000, .connect_us = 10000000};
	if (kind == CONFIG_STORE_REDIS) {
		world->config.redis.socket = server->socket;
		redis_process_say(server, "FLUSHALL");
		world->redis = redis_shared_create(&world->config.redis, NULL);
		assert_non_null(world->redis);
	}
	world->store = open_store(world, true, WAIT_MS);
}

static void stop(struct world *world)
{
	key_store_destroy(world->store);
	if (world->redis != NULL)
		redis_shared_destroy(world->redis);
	loop_destroy(world->loop);
	unlink(world->path);
	rmdir(world->directory);
}

static const char *read_since(struct world *world, uint64_t since, uint64_t *version)
{
	world->heard[0] = '\0';
	world->count = 0;
	if (!key_store_read(world->store, since, on_item, world, version))
		fail_msg("%s", key_store_why(world->store));
	return world->heard;
}

static enum key_store_put put(struct key_store *store, const char *id, uint64_t version, const char *record,
			      uint64_t *stored)
{
	struct key_store_item item = {.id = span_of(id), .version = version, .record = span_of(record)};
	return key_store_put(store, &item, stored);
}

/* ---- what both do ---- */

static void changes_are_read_from_the_version_that_was_seen(unsigned kind)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	start(&world, kind);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{\"a\":1}", &stored), KEY_STORE_DONE);
	assert_int_equal(stored, 1);
	assert_int_equal(put(world.store, "bbbbbbbb", 0, "{\"b\":\"x y\"}", &stored), KEY_STORE_DONE);
	read_since(&world, 0, &version);
	assert_int_equal(version, 2);
	assert_int_equal(world.count, 2);
	assert_non_null(strstr(world.heard, "aaaaaaaa={\"a\":1}@1 "));
	assert_non_null(strstr(world.heard, "bbbbbbbb={\"b\":\"x y\"}@2 "));
	assert_string_equal(read_since(&world, 2, &version), "");
	assert_int_equal(version, 2);
	assert_int_equal(put(world.store, "aaaaaaaa", 1, "{\"a\":2}", &stored), KEY_STORE_DONE);
	assert_int_equal(stored, 3);
	assert_string_equal(read_since(&world, 2, &version), "aaaaaaaa={\"a\":2}@3 ");
	assert_int_equal(version, 3);
	assert_string_equal(read_since(&world, 3, &version), "");
	assert_int_equal(world.count, 0);
	read_since(&world, 0, &version);
	assert_int_equal(world.count, 2);
	stop(&world);
}

static void a_record_that_changed_meanwhile_is_not_overwritten(unsigned kind)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	start(&world, kind);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_DONE);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{\"new\":1}", &stored), KEY_STORE_CONFLICT);
	assert_int_equal(put(world.store, "aaaaaaaa", 7, "{\"new\":2}", &stored), KEY_STORE_CONFLICT);
	assert_int_equal(put(world.store, "bbbbbbbb", 1, "{\"new\":3}", &stored), KEY_STORE_CONFLICT);
	assert_string_equal(read_since(&world, 0, &version), "aaaaaaaa={}@1 ");
	assert_int_equal(version, 1);
	stop(&world);
}

static void another_process_sees_a_change_at_once(unsigned kind)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	start(&world, kind);
	struct key_store *other = open_store(&world, false, WAIT_MS);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_DONE);
	struct key_store *own = world.store;
	world.store = other;
	assert_string_equal(read_since(&world, 0, &version), "aaaaaaaa={}@1 ");
	assert_int_equal(put(own, "aaaaaaaa", 1, "{\"a\":2}", &stored), KEY_STORE_DONE);
	assert_string_equal(read_since(&world, 1, &version), "aaaaaaaa={\"a\":2}@2 ");
	assert_int_equal(put(other, "aaaaaaaa", 2, "{\"a\":3}", &stored), KEY_STORE_DONE);
	assert_string_equal(read_since(&world, 2, &version), "aaaaaaaa={\"a\":3}@3 ");
	world.store = own;
	assert_string_equal(read_since(&world, 2, &version), "aaaaaaaa={\"a\":3}@3 ");
	key_store_destroy(other);
	stop(&world);
}

static void a_thousand_keys_are_read_whole_and_by_their_changes(unsigned kind)
{
	enum { KEYS = 1000 };
	struct world world;
	uint64_t version = 0, stored = 0;
	char id[9];
	start(&world, kind);
	for (unsigned i = 0; i < KEYS; i++) {
		snprintf(id, sizeof(id), "%08u", i);
		assert_int_equal(put(world.store, id, 0, "{}", &stored), KEY_STORE_DONE);
	}
	read_since(&world, 0, &version);
	assert_int_equal(version, KEYS);
	assert_true(world.count >= KEYS); /* some may come twice */
	read_since(&world, 1, &version);
	assert_int_equal(version, KEYS);
	assert_int_equal(world.count, KEYS - 1);
	stop(&world);
}

static void a_store_that_went_back_in_time_is_found_out(unsigned kind)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	start(&world, kind);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_DONE);
	assert_string_equal(read_since(&world, 9, &version), "");
	assert_int_equal(version, 1);
	stop(&world);
}

#define BOTH(test)                                 \
	static void test##_in_a_file(void **state) \
	{                                          \
		(void)state;                       \
		test(CONFIG_STORE_SQLITE);         \
	}                                          \
	static void test##_in_redis(void **state)  \
	{                                          \
		(void)state;                       \
		test(CONFIG_STORE_REDIS);          \
	}
BOTH(changes_are_read_from_the_version_that_was_seen)
BOTH(a_record_that_changed_meanwhile_is_not_overwritten)
BOTH(another_process_sees_a_change_at_once)
BOTH(a_thousand_keys_are_read_whole_and_by_their_changes)
BOTH(a_store_that_went_back_in_time_is_found_out)

/* ---- files ---- */

static void a_file_that_is_gone_is_told_and_never_made_anew(void **state)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	char aside[80];
	(void)state;
	start(&world, CONFIG_STORE_SQLITE);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_DONE);
	struct key_store *service = open_store(&world, false, WAIT_MS);
	key_store_destroy(world.store);
	world.store = service;
	read_since(&world, 0, &version);
	snprintf(aside, sizeof(aside), "%s.aside", world.path);
	assert_int_equal(rename(world.path, aside), 0);
	assert_false(key_store_read(service, 1, on_item, &world, &version));
	assert_non_null(strstr(key_store_why(service), "No such file"));
	assert_int_equal(put(service, "bbbbbbbb", 0, "{}", &stored), KEY_STORE_FAILED);
	assert_int_not_equal(access(world.path, F_OK), 0);
	assert_int_equal(rename(aside, world.path), 0);
	assert_string_equal(read_since(&world, 0, &version), "aaaaaaaa={}@1 ");
	stop(&world);
}

static void the_first_key_makes_the_file_for_its_owner_alone(void **state)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	(void)state;
	start(&world, CONFIG_STORE_SQLITE);
	key_store_destroy(world.store);
	world.store = open_store(&world, false, WAIT_MS);
	assert_false(key_store_read(world.store, 0, on_item, &world, &version));
	assert_non_null(strstr(key_store_why(world.store), "the first key makes it"));
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_DONE);
	assert_string_equal(read_since(&world, 0, &version), "aaaaaaaa={}@1 ");
	struct stat file;
	assert_int_equal(stat(world.path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	stop(&world);
}

static void another_file_in_its_place_is_read(void **state)
{
	struct world world, other;
	uint64_t version = 0, stored = 0;
	(void)state;
	start(&world, CONFIG_STORE_SQLITE);
	start(&other, CONFIG_STORE_SQLITE);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_DONE);
	assert_int_equal(put(other.store, "bbbbbbbb", 0, "{}", &stored), KEY_STORE_DONE);
	read_since(&world, 0, &version);
	assert_int_equal(rename(other.path, world.path), 0);
	assert_string_equal(read_since(&world, 0, &version), "bbbbbbbb={}@1 ");
	stop(&other);
	stop(&world);
}

static void a_file_that_is_no_store_is_refused_and_left_alone(void **state)
{
	static const char *const contents[] = {
	    "this is no database, and of some length so that it is not taken for one", "SQLITE"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world world;
		uint64_t version = 0, stored = 0;
		char command[160], after[256] = "";
		start(&world, CONFIG_STORE_SQLITE);
		FILE *file = fopen(world.path, "w");
		fputs(contents[i], file);
		fclose(file);
		assert_false(key_store_read(world.store, 0, on_item, &world, &version));
		assert_non_null(strstr(key_store_why(world.store), "not a database"));
		assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_FAILED);
		snprintf(command, sizeof(command), "cat %s", world.path);
		FILE *pipe = popen(command, "r");
		assert_non_null(fgets(after, sizeof(after), pipe));
		pclose(pipe);
		assert_string_equal(after, contents[i]);
		stop(&world);
	}
}

/* ---- Redis ---- */

static void a_redis_that_is_gone_is_told_in_time_and_found_again(void **state)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	(void)state;
	start(&world, CONFIG_STORE_REDIS);
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_DONE);
	redis_process_say(server, "SAVE");
	key_store_destroy(world.store);
	world.store = open_store(&world, false, SHORT_MS);
	while (!key_store_read(world.store, 0, on_item, &world, &version)) /* however slow the machine is */
		continue;
	redis_process_signal(server, SIGKILL);
	assert_false(key_store_read(world.store, 1, on_item, &world, &version));
	assert_non_null(strstr(key_store_why(world.store), "redis: it "));
	redis_process_restart(server);
	while (!key_store_read(world.store, 0, on_item, &world, &version))
		continue;
	assert_int_equal(version, 1);
	stop(&world);
}

static void a_key_of_redis_that_is_something_else_is_told(void **state)
{
	struct world world;
	uint64_t version = 0, stored = 0;
	(void)state;
	start(&world, CONFIG_STORE_REDIS);
	redis_process_say(server, "SET test:keys nonsense");
	assert_false(key_store_read(world.store, 0, on_item, &world, &version));
	assert_non_null(strstr(key_store_why(world.store), "WRONGTYPE"));
	assert_int_equal(put(world.store, "aaaaaaaa", 0, "{}", &stored), KEY_STORE_FAILED);
	stop(&world);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	server = redis_process_start("");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	redis_process_stop(server);
	return 0;
}

#define TEST_BOTH(test) cmocka_unit_test(test##_in_a_file), cmocka_unit_test(test##_in_redis)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST_BOTH(changes_are_read_from_the_version_that_was_seen),
	    TEST_BOTH(a_record_that_changed_meanwhile_is_not_overwritten),
	    TEST_BOTH(another_process_sees_a_change_at_once),
	    TEST_BOTH(a_thousand_keys_are_read_whole_and_by_their_changes),
	    TEST_BOTH(a_store_that_went_back_in_time_is_found_out),
	    cmocka_unit_test(a_file_that_is_gone_is_told_and_never_made_anew),
	    cmocka_unit_test(the_first_key_makes_the_file_for_its_owner_alone),
	    cmocka_unit_test(another_file_in_its_place_is_read),
	    cmocka_unit_test(a_file_that_is_no_store_is_refused_and_left_alone),
	    cmocka_unit_test(a_redis_that_is_gone_is_told_in_time_and_found_again),
	    cmocka_unit_test(a_key_of_redis_that_is_something_else_is_told),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
