/* SPDX-License-Identifier: MIT */
/* The record of use in memory and in a file: sums, filters, pages, bounds, and files that cannot be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/usage/question.h"
#include "service/usage/store.h"

enum {
	DAY = 20787 /* 2026-11-30 */,
	WAIT_MS = 60000,
	MOST = 1000,
	HEARD_MAX = 8192,
	ALL = (1 << USAGE_DIMENSIONS) - 1
};

static const char small[] = "small", large[] = "large", target[] = "b/x";

struct world {
	struct usage_store *store;
	char directory[32], path[64];
	char heard[HEARD_MAX]; /* "DAY,KEY,TENANT,MODEL,TARGET=REQUESTS " of each row, - for what is summed up */
	bool more;
};

static void start(struct world *world, bool in_file, uint64_t most)
{
	*world = (struct world){.directory = "/tmp/usage_store.XXXXXX"};
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/usage.db", world->directory);
	world->store = usage_store_sqlite_create(in_file ? world->path : NULL, most, WAIT_MS);
	assert_non_null(world->store);
}

static void stop(struct world *world)
{
	usage_store_destroy(world->store);
	unlink(world->path);
	assert_int_equal(rmdir(world->directory), 0);
}

static void put(struct usage_table *table, uint32_t day, const char *key, const char *tenant, const char *model,
		uint64_t requests)
{
	struct usage_subject subject = {.day = day,
					.hash = usage_hash(span_of(key), span_of(tenant)),
					.key = span_of(key),
					.tenant = span_of(tenant),
					.model = model,
					.target = model == NULL ? NULL : target};
	struct usage_counts counts = {.of = {[USAGE_REQUESTS] = requests, [USAGE_SPEND] = requests}};
	assert_true(usage_table_add(table, &subject, &counts));
}

static void fill(struct usage_table *table)
{
	usage_table_init(table, 100000);
	put(table, DAY, "one", "acme", small, 1);
	put(table, DAY, "one", "acme", large, 2);
	put(table, DAY, "two", "acme/search", small, 4);
	put(table, DAY, "three", "acmecorp", small, 8);
	put(table, DAY + 1, "one", "acme", small, 16);
	put(table, DAY + 1, "", "", NULL, 32);
}

static void add(struct world *world)
{
	struct usage_table table;
	fill(&table);
	if (!usage_store_add(world->store, &table))
		fail_msg("%s", usage_store_why(world->store));
	usage_table_fini(&table);
}

static void on_found(void *context, const struct usage_found *found)
{
	struct world *world = context;
	size_t len = strlen(world->heard);
	len += (size_t)snprintf(world->heard + len, HEARD_MAX - len, "%" PRId64,
				found->place.day < 0 ? -1 : found->place.day - DAY);
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++)
		len += (size_t)snprintf(world->heard + len, HEARD_MAX - len, ",%.*s",
					found->place.of[i].at == NULL ? 1 : (int)found->place.of[i].len,
					found->place.of[i].at == NULL ? "-" : found->place.of[i].at);
	snprintf(world->heard + len, HEARD_MAX - len, "=%" PRIu64 " ", found->counts.of[USAGE_REQUESTS]);
	assert_int_equal(found->counts.of[USAGE_REQUESTS], found->counts.of[USAGE_SPEND]);
}

static struct usage_filter everything(void)
{
	return (struct usage_filter){.to = UINT32_MAX, .by = ALL, .limit = 100};
}

static void expect(struct world *world, const struct usage_filter *filter, const char *rows)
{
	world->heard[0] = '\0';
	if (!usage_store_find(world->store, filter, on_found, world, &world->more))
		fail_msg("%s", usage_store_why(world->store));
	assert_string_equal(world->heard, rows);
}

/* Runs a check with a store in memory and with one in a file. */
static void in_both(void (*check)(struct world *world))
{
	for (int in_file = 0; in_file < 2; in_file++) {
		struct world world;
		start(&world, in_file != 0, MOST);
		add(&world);
		check(&world);
		stop(&world);
	}
}

static void check_sums(struct world *world)
{
	struct usage_filter filter = everything();
	expect(world, &filter,
	       "0,one,acme,large,b/x=2 0,one,acme,small,b/x=1 0,three,acmecorp,small,b/x=8 "
	       "0,two,acme/search,small,b/x=4 1,,,,=32 1,one,acme,small,b/x=16 ");
	add(world);
	filter.by = 1u << USAGE_MODEL;
	expect(world, &filter, "-1,-,-,,-=64 -1,-,-,large,-=4 -1,-,-,small,-=58 ");
	filter.by = 1u << USAGE_DAY | 1u << USAGE_KEY;
	expect(world, &filter, "0,one,-,-,-=6 0,three,-,-,-=16 0,two,-,-,-=8 1,,-,-,-=64 1,one,-,-,-=32 ");
	filter.by = 0;
	expect(world, &filter, "-1,-,-,-,-=126 ");
	assert_int_equal(usage_store_rows(world->store), 6);
}

static void rows_are_summed_up_by_what_is_asked_for(void **state)
{
	(void)state;
	in_both(check_sums);
}

static void check_filters(struct world *world)
{
	struct usage_filter filter = everything();
	filter.by = 1u << USAGE_KEY;
	filter.only[USAGE_TENANT] = SPAN("acme");
	expect(world, &filter, "-1,one,-,-,-=19 -1,two,-,-,-=4 "); /* and what is below, but not acmecorp */
	filter.from = filter.to = DAY;
	expect(world, &filter, "-1,one,-,-,-=3 -1,two,-,-,-=4 ");
	filter.only[USAGE_MODEL] = SPAN("large");
	expect(world, &filter, "-1,one,-,-,-=2 ");
	filter.only[USAGE_KEY] = SPAN("two");
	expect(world, &filter, "");
	filter = everything();
	filter.only[USAGE_KEY] = SPAN("");
	expect(world, &filter, "1,,,,=32 ");
	filter = everything();
	filter.by = 0;
	filter.from = DAY + 5;
	expect(world, &filter, "");
}

static void a_filter_leaves_all_else_out(void **state)
{
	(void)state;
	in_both(check_filters);
}

static void check_pages(struct world *world)
{
	struct usage_filter filter = everything();
	filter.by = 1u << USAGE_DAY | 1u << USAGE_KEY;
	filter.limit = 2;
	expect(world, &filter, "0,one,-,-,-=3 0,three,-,-,-=8 ");
	assert_true(world->more);
	filter.after = true;
	filter.place = (struct usage_place){.day = DAY, .of = {[USAGE_KEY] = SPAN("three")}};
	expect(world, &filter, "0,two,-,-,-=4 1,,-,-,-=32 ");
	assert_true(world->more);
	filter.place = (struct usage_place){.day = DAY + 1, .of = {[USAGE_KEY] = SPAN("")}};
	expect(world, &filter, "1,one,-,-,-=16 ");
	assert_false(world->more);
}

static void pages_follow_each_other(void **state)
{
	(void)state;
	in_both(check_pages);
}

static void check_expiry(struct world *world)
{
	struct usage_filter filter = everything();
	assert_true(usage_store_expire(world->store, DAY + 1));
	expect(world, &filter, "1,,,,=32 1,one,acme,small,b/x=16 ");
	assert_int_equal(usage_store_rows(world->store), 2);
}

static void old_days_go(void **state)
{
	(void)state;
	in_both(check_expiry);
}

static void a_full_store_counts_new_keys_together(void **state)
{
	enum { KEYS = 10000, ROOM = 100 };
	(void)state;
	for (int in_file = 0; in_file < 2; in_file++) {
		struct world world;
		struct usage_table table;
		char key[16];
		start(&world, in_file != 0, ROOM);
		for (int round = 0; round < 2; round++) {
			usage_table_init(&table, KEYS);
			for (int i = 0; i < KEYS; i++) {
				snprintf(key, sizeof(key), "key-%d", i);
				put(&table, DAY, key, "acme", small, 1);
			}
			assert_true(usage_store_add(world.store, &table));
			usage_table_fini(&table);
		}
		assert_int_equal(usage_store_rows(world.store), ROOM + 1);
		struct usage_filter filter = everything();
		filter.only[USAGE_KEY] = SPAN(USAGE_OTHER);
		expect(&world, &filter, "0,(other),,small,b/x=19800 ");
		filter = everything();
		filter.by = 0;
		expect(&world, &filter, "-1,-,-,-,-=20000 ");
		stop(&world);
	}
}

static void a_file_outlives_its_store_and_is_its_owners_alone(void **state)
{
	struct world world;
	struct stat file;
	struct usage_filter filter = everything();
	(void)state;
	start(&world, true, MOST);
	add(&world);
	usage_store_destroy(world.store);
	assert_int_equal(stat(world.path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	world.store = usage_store_sqlite_create(world.path, MOST, WAIT_MS);
	add(&world);
	filter.by = 0;
	expect(&world, &filter, "-1,-,-,-,-=126 ");
	assert_int_equal(usage_store_rows(world.store), 6);
	stop(&world);
}

static void two_stores_add_to_one_file(void **state)
{
	struct world world;
	struct usage_table table;
	struct usage_filter filter = everything();
	(void)state;
	start(&world, true, MOST);
	struct usage_store *other = usage_store_sqlite_create(world.path, MOST, WAIT_MS);
	for (int i = 0; i < 10; i++) {
		add(&world);
		fill(&table);
		assert_true(usage_store_add(other, &table));
	}
	usage_table_fini(&table);
	filter.by = 0;
	expect(&world, &filter, "-1,-,-,-,-=1260 ");
	usage_store_destroy(other);
	stop(&world);
}

static void a_file_of_something_else_is_left_alone(void **state)
{
	struct world world;
	struct usage_table table;
	(void)state;
	start(&world, true, MOST);
	FILE *file = fopen(world.path, "w");
	assert_non_null(file);
	fputs("These are somebody's notes, longer than the head of a database would be, which is 100 bytes, all in "
	      "all.\n",
	      file);
	fclose(file);
	fill(&table);
	assert_false(usage_store_add(world.store, &table));
	assert_non_null(strstr(usage_store_why(world.store), "not a database"));
	unlink(world.path);
	assert_true(usage_store_add(world.store, &table)); /* a new one is made */
	usage_table_fini(&table);
	stop(&world);
}

/* ---- questions ---- */

/* Asks with a query, and compares the answer. */
static void ask(struct world *world, const char *query, bool wants_csv, const char *answer)
{
	struct usage_question question;
	struct findings findings = {.count = 0};
	usage_question_init(&question);
	assert_true(usage_question_read(&question, span_of(query), wants_csv, &findings));
	usage_question_answer(&question, world->store);
	assert_int_equal(question.error, ERROR_NONE);
	if (!span_is(buf_span(&question.answer), answer))
		fail_msg("%s:\n got %.*s\nwant %s", query, SPAN_ARG(buf_span(&question.answer)), answer);
	usage_question_fini(&question);
}

static void answers_are_json_or_csv(void **state)
{
	struct world world;
	(void)state;
	start(&world, false, MOST);
	add(&world);
	ask(&world, "by=day,model&from=2026-11-30&to=2026-11-30&limit=1", false,
	    "{\"object\":\"list\",\"data\":[{\"id\":\"0000513300056c61726765\",\"object\":\"usage\",\"day\":\"2026-11-"
	    "30\","
	    "\"key\":null,\"tenant\":null,\"model\":\"large\",\"target\":null,\"requests\":2,\"calls\":0,"
	    "\"estimated_calls\":0,\"input_tokens\":0,\"cache_read_tokens\":0,\"cache_write_tokens\":0,"
	    "\"output_tokens\":0,\"spend\":2}],\"first_id\":\"0000513300056c61726765\",\"last_id\":"
	    "\"0000513300056c61726765\",\"has_more\":true}");
	ask(&world, "by=day,model&after=0000513300056c61726765&limit=1", true,
	    "id,day,key,tenant,model,target,requests,calls,estimated_calls,input_tokens,cache_read_tokens,"
	    "cache_write_tokens,output_tokens,spend\r\n"
	    "000051330005736d616c6c,2026-11-30,,,\"small\",,13,0,0,0,0,0,0,13\r\n");
	ask(&world, "key=nobody&format=json", true,
	    "{\"object\":\"list\",\"data\":[],\"first_id\":null,\"last_id\":null,\"has_more\":false}");
	stop(&world);
}

static void a_csv_value_is_never_a_formula(void **state)
{
	struct world world;
	struct usage_table table;
	(void)state;
	start(&world, false, MOST);
	usage_table_init(&table, MOST);
	put(&table, DAY, "=1+\"1\",x", "", NULL, 1);
	assert_true(usage_store_add(world.store, &table));
	usage_table_fini(&table);
	ask(&world, "by=key&format=csv", false,
	    "id,day,key,tenant,model,target,requests,calls,estimated_calls,input_tokens,cache_read_tokens,"
	    "cache_write_tokens,output_tokens,spend\r\n00083d312b2231222c78,,\"'=1+\"\"1\"\",x\",,,,1,0,0,0,0,0,0,"
	    "1\r\n");
	stop(&world);
}

static void wrong_questions_are_refused(void **state)
{
	static const char *const queries[] = {"from=2026-13-01",
					      "to=yesterday-",
					      "by=day,day",
					      "by=hour",
					      "by=day,",
					      "limit=0",
					      "after=00",
					      "after=xyz",
					      "by=key&after=0003616263ff",
					      "format=xml",
					      "from=2026-11-1",
					      "unknown=1",
					      "by=key&after=ffff61"};
	(void)state;
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct usage_question question;
		struct findings findings = {.count = 0};
		usage_question_init(&question);
		if (usage_question_read(&question, span_of(queries[i]), false, &findings))
			fail_msg("%s is taken", queries[i]);
		assert_true(findings.count > 0);
		usage_question_fini(&question);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_are_summed_up_by_what_is_asked_for),
	    cmocka_unit_test(a_filter_leaves_all_else_out),
	    cmocka_unit_test(pages_follow_each_other),
	    cmocka_unit_test(old_days_go),
	    cmocka_unit_test(a_full_store_counts_new_keys_together),
	    cmocka_unit_test(a_file_outlives_its_store_and_is_its_owners_alone),
	    cmocka_unit_test(two_stores_add_to_one_file),
	    cmocka_unit_test(a_file_of_something_else_is_left_alone),
	    cmocka_unit_test(answers_are_json_or_csv),
	    cmocka_unit_test(a_csv_value_is_never_a_formula),
	    cmocka_unit_test(wrong_questions_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
