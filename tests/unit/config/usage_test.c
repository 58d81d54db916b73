/* SPDX-License-Identifier: MIT */
/* The section usage: where the record of use is kept, and stores that cannot be. */
#include "tests/unit/config/fixture.h"

#define HERE "listen: [127.0.0.1:1]\n"
#define REST "backends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"

static void stores_are_in_memory_in_a_file_or_in_redis(void **state)
{
	(void)state;
	const struct config *config = fixture_good(HERE REST);
	assert_int_equal(config->usage.store, CONFIG_USAGE_NONE);
	assert_int_equal(config->usage.days, 400);
	config_drop(config);
	config = fixture_good(HERE "usage: { store: sqlite, file: usage.db, days: 1 }\n" REST);
	assert_int_equal(config->usage.store, CONFIG_USAGE_SQLITE);
	assert_string_equal(config->usage.file, "usage.db");
	assert_int_equal(config->usage.days, 1);
	config_drop(config);
	config = fixture_good(HERE "usage: { store: redis }\nredis: { servers: 127.0.0.1:6379 }\n" REST);
	assert_int_equal(config->usage.store, CONFIG_USAGE_REDIS);
	config_drop(config);
}

static void a_store_that_cannot_be_is_refused(void **state)
{
	(void)state;
	fixture_bad(HERE "usage: { store: sqlite }\n" REST,
		    "t.yaml:2: usage.file: missing; expected the path of the SQLite file, such as usage.db\n");
	fixture_bad(HERE "usage: { file: usage.db }\n" REST,
		    "t.yaml:2: usage.file: no store is in a file; expected store: sqlite beside it\n");
	fixture_bad(HERE "usage: { store: redis }\n" REST,
		    "t.yaml:2: usage.store: it is redis, and there is none; expected servers or unix in \"redis\", or "
		    "store: sqlite\n");
	fixture_bad(HERE "auth: { pepper: 0123456789abcdef0123456789abcdef, store: sqlite, file: k.db }\n"
			 "usage: { store: sqlite, file: k.db }\n" REST,
		    "t.yaml:3: usage.file: it is auth.file, too; expected a file of its own\n");
	fixture_bad(HERE "usage: { days: 0 }\n" REST,
		    "t.yaml:2: usage.days: got \"0\"; expected a number from 1 to 36500\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stores_are_in_memory_in_a_file_or_in_redis),
	    cmocka_unit_test(a_store_that_cannot_be_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
