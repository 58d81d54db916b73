/* SPDX-License-Identifier: MIT */
/* Operations on the keys of a store, in a file: what they answer, what they refuse, and what never gets into the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "lib/json.h"
#include "lib/log.h"
#include "service/access/key_book.h"
#include "service/loop/loop.h"

#define PEPPER "0123456789abcdef0123456789abcdef"

enum { WAIT_MS = 60000, TEXT_MAX = 4096, CONTENT_MAX = 1 << 20 };

static const struct config *config;
static struct loop *loop;
static struct key_book *book;
static char directory[] = "/tmp/key_book.XXXXXX";
static char path[64];

static struct key_book *open_book(bool creates)
{
	struct key_store_options options = {.config = config, .loop = loop, .wait_ms = WAIT_MS, .creates = creates};
	struct key_book *opened = key_book_create(&options);
	assert_non_null(opened);
	return opened;
}

static int setup(void **state)
{
	char yaml[TEXT_MAX];
	struct buf errors;
	(void)state;
	buf_init(&errors, TEXT_MAX);
	log_set_level(LOG_ERROR);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/keys.db", directory);
	snprintf(yaml, sizeof(yaml),
		 "listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"
		 "auth: { pepper: " PEPPER ", store: sqlite, file: %s }\n",
		 path);
	config = config_load_text(span_of(yaml), "t.yaml", &errors);
	assert_non_null(config);
	loop = loop_create();
	buf_fini(&errors);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_destroy(loop);
	config_drop(config);
	return rmdir(directory);
}

static int open_one(void **state)
{
	(void)state;
	book = open_book(true);
	return 0;
}

static int close_one(void **state)
{
	(void)state;
	key_book_destroy(book);
	unlink(path);
	return 0;
}

/* Runs an operation; its answer, or the message of its error, as text. */
static const char *run_in(struct key_book *where, enum key_operation operation, const char *id, const char *text,
			  enum error_code expected)
{
	static char answer[TEXT_MAX];
	struct key_task task;
	key_task_init(&task, operation);
	task.id = span_of(id);
	task.body = operation == KEY_LIST ? (struct span){NULL, 0} : span_of(text);
	task.query = operation == KEY_LIST ? span_of(text) : (struct span){NULL, 0};
	key_book_run(where, &task);
	struct span said = task.error == ERROR_NONE ? buf_span(&task.answer) : task.message;
	snprintf(answer, sizeof(answer), "%.*s", said.at == NULL ? 0 : (int)said.len, said.at == NULL ? "" : said.at);
	if (task.error != expected)
		fail_msg("error %d: %s", task.error, answer);
	key_task_fini(&task);
	return answer;
}

static const char *run(enum key_operation operation, const char *id, const char *text, enum error_code expected)
{
	return run_in(book, operation, id, text, expected);
}

static void take_member(const char *answer, const char *name, char text[API_KEY_LENGTH + 1])
{
	char pattern[32], format[32];
	snprintf(pattern, sizeof(pattern), "\"%s\":\"", name);
	const char *at = strstr(answer, pattern);
	assert_non_null(at);
	snprintf(format, sizeof(format), "%%%d[^\"]", API_KEY_LENGTH);
	assert_int_equal(sscanf(at + strlen(pattern), format, text), 1);
}

struct made {
	char id[API_KEY_LENGTH + 1], key[API_KEY_LENGTH + 1];
};

static struct made make(const char *body)
{
	struct made made;
	const char *answer = run(KEY_CREATE, NULL, body, ERROR_NONE);
	take_member(answer, "id", made.id);
	take_member(answer, "key", made.key);
	return made;
}

static void check_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", text, part);
}

/* The file holds no such bytes. */
static void check_file_lacks(const char *text)
{
	static char content[CONTENT_MAX];
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t len = fread(content, 1, sizeof(content), file);
	fclose(file);
	assert_true(len > 0 && len < sizeof(content));
	assert_null(memmem(content, len, text, strlen(text)));
}

static void a_key_is_made_shown_once_and_stored_as_a_hash(void **state)
{
	struct span id;
	(void)state;
	struct made made =
	    make("{\"name\":\"crawler\",\"tenant\":\"acme/search\",\"models\":[\"m\",\"g*\"],"
		 "\"labels\":{\"team\":\"b\\u00fcro\"},\"limits\":{\"requests\":[\"1/second\",\"9/day\"]}}");
	assert_true(api_key_parse(span_of(made.key), &id));
	assert_true(span_is(id, made.id));
	const char *shown = run(KEY_SHOW, made.id, NULL, ERROR_NONE);
	check_has(shown,
		  "\"name\":\"crawler\",\"tenant\":\"acme/search\",\"state\":\"active\",\"models\":[\"m\",\"g*\"],"
		  "\"endpoints\":null,\"networks\":null,\"admin\":false,\"expires\":null,"
		  "\"labels\":{\"team\":\"b\\u00fcro\"},\"limits\":{\"requests\":[\"1/second\",\"9/day\"]}");
	assert_null(strstr(shown, "\"key\":\""));
	assert_null(strstr(shown, "hash"));
	check_file_lacks(made.key);
	check_file_lacks(made.key + strlen(API_KEY_PREFIX) + API_KEY_ID); /* the secret */
	const struct stored_key *stored = key_copy_find(key_book_copy(book), span_of(made.id));
	assert_non_null(stored);
	assert_string_equal(stored->key.name, "crawler");
	assert_string_equal(stored->key.identity, "\nacme/search");
	assert_int_equal(stored->key.model_count, 2);
	assert_true(config_key_may_use(&stored->key, SPAN("gpt")));
	assert_false(config_key_may_use(&stored->key, SPAN("other")));
	assert_int_equal(stored->key.revision, 1);
	assert_int_equal(stored->key.limits.rates[QUOTA_REQUESTS].count, 2);
	assert_int_equal(stored->key.limits.rates[QUOTA_REQUESTS].list[1].limit, 9);
	assert_int_equal(stored->key.limits.rates[QUOTA_REQUESTS].list[1].window, QUOTA_DAY);
}

static void a_body_that_is_wrong_is_refused_for_what_is_wrong(void **state)
{
	static const struct {
		const char *body;
		enum error_code error;
		const char *text;
	} rows[] = {
	    {"", ERROR_INVALID_JSON, "Invalid JSON at line 1"},
	    {"{\"name\":\"a\"", ERROR_INVALID_JSON, "Invalid JSON"},
	    {"{\"name\":\"a\",\"name\":\"b\"}", ERROR_INVALID_JSON, "duplicate"},
	    {"[]", ERROR_INVALID_TYPE, ""},
	    {"{}", ERROR_MISSING_PARAMETER, "name is required"},
	    {"{\"name\":\"a b\"}", ERROR_INVALID_VALUE, "got \"a b\""},
	    {"{\"name\":\"a\",\"colour\":1}", ERROR_UNSUPPORTED_PARAMETER, "colour"},
	    {"{\"name\":\"a\",\"tenant\":\"a/b/c/d\"}", ERROR_INVALID_VALUE, "tenant must be one to three names"},
	    {"{\"name\":\"a\",\"tenant\":\"a//b\"}", ERROR_INVALID_VALUE, "tenant must be one to three names"},
	    {"{\"name\":\"a\",\"models\":[]}", ERROR_INVALID_VALUE, "models must be a non-empty array"},
	    {"{\"name\":\"a\",\"models\":\"m\"}", ERROR_INVALID_TYPE, "models"},
	    {"{\"name\":\"a\",\"endpoints\":[\"chat\",\"chatt\"]}", ERROR_INVALID_VALUE, "endpoints[1]"},
	    {"{\"name\":\"a\",\"networks\":[\"::1\",\"10.0.0.1/8\"]}", ERROR_INVALID_VALUE,
	     "networks[1] must be an address"},
	    {"{\"name\":\"a\",\"expires\":\"2035-02-30\"}", ERROR_INVALID_VALUE, "expires must be a day"},
	    {"{\"name\":\"a\",\"admin\":\"yes\"}", ERROR_INVALID_TYPE, "admin"},
	    {"{\"name\":\"a\",\"labels\":{\"b\":1}}", ERROR_INVALID_TYPE, "labels.b"},
	    {"{\"name\":\"a\",\"limits\":[1]}", ERROR_INVALID_TYPE, "limits"},
	    {"{\"name\":\"a\",\"limits\":{\"requests\":\"60/minutes\"}}", ERROR_INVALID_VALUE,
	     "limits.requests must be a number from 1, a slash"},
	    {"{\"name\":\"a\",\"limits\":{\"spend\":[\"1.5/month\",\"1.x/month\"]}}", ERROR_INVALID_VALUE,
	     "limits.spend[1] must be dollars"},
	    {"{\"name\":\"a\",\"limits\":{\"tokens\":[\"1/day\",\"5/day\"]}}", ERROR_INVALID_VALUE,
	     "limits.tokens[1] must be one limit for each window"},
	    {"{\"name\":\"a\",\"limits\":{\"concurrent\":0}}", ERROR_INVALID_VALUE, "limits.concurrent"},
	    {"{\"name\":\"a\",\"limits\":{\"request\":\"60/minute\"}}", ERROR_INVALID_VALUE,
	     "limits.request must be one of requests, tokens"},
	    {"{\"name\":\"a\",\"state\":\"active\"}", ERROR_UNSUPPORTED_PARAMETER, "state"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_has(run(KEY_CREATE, NULL, rows[i].body, rows[i].error), rows[i].text);
	check_has(run(KEY_LIST, NULL, "", ERROR_NONE), "\"data\":[]");
}

static void what_a_change_does_not_name_stays_and_null_resets(void **state)
{
	(void)state;
	struct made made = make("{\"name\":\"a\",\"tenant\":\"t\",\"models\":[\"m\"],\"admin\":true,"
				"\"expires\":\"2035-01-01\",\"labels\":{\"x\":\"y\"},\"limits\":{\"concurrent\":1}}");
	check_has(run(KEY_CHANGE, made.id, "{}", ERROR_NONE), "\"expires\":\"2035-01-01\",\"labels\":{\"x\":\"y\"}");
	check_has(run(KEY_CHANGE, made.id, "{\"models\":null,\"limits\":{\"concurrent\":2}}", ERROR_NONE),
		  "\"models\":null,\"endpoints\":null,\"networks\":null,\"admin\":true,\"expires\":\"2035-01-01\","
		  "\"labels\":{\"x\":\"y\"},\"limits\":{\"concurrent\":2}");
	check_has(run(KEY_CHANGE, made.id,
		      "{\"name\":null,\"tenant\":null,\"admin\":null,\"expires\":null,\"labels\":null,\"limits\":null}",
		      ERROR_NONE),
		  "\"name\":\"a\",\"tenant\":\"a\",\"state\":\"active\",\"models\":null,\"endpoints\":null,"
		  "\"networks\":null,\"admin\":false,\"expires\":null,\"labels\":{},\"limits\":null");
	check_has(run(KEY_CHANGE, made.id, "{\"state\":\"revoked\"}", ERROR_NONE), "\"state\":\"revoked\"");
	check_has(run(KEY_CHANGE, made.id, "{\"state\":\"active\"}", ERROR_NONE), "\"state\":\"active\"");
	check_has(run(KEY_CHANGE, made.id, "{\"id\":\"x\"}", ERROR_UNSUPPORTED_PARAMETER), "id");
	check_has(run(KEY_CHANGE, "12345678", "{}", ERROR_KEY_NOT_FOUND), "no key of the id 12345678");
	check_has(run(KEY_REVOKE, "../etc", NULL, ERROR_KEY_NOT_FOUND), "8 letters and digits");
}

static void a_rotation_keeps_the_former_secret_for_its_overlap(void **state)
{
	char second[API_KEY_LENGTH + 1], third[API_KEY_LENGTH + 1];
	(void)state;
	struct made made = make("{\"name\":\"a\"}");
	take_member(run(KEY_ROTATE, made.id, "{\"overlap\":3600}", ERROR_NONE), "key", second);
	assert_memory_equal(second, made.key, strlen(API_KEY_PREFIX) + API_KEY_ID); /* the id stays */
	assert_string_not_equal(second, made.key);
	const struct stored_key *key = key_copy_find(key_book_copy(book), span_of(made.id));
	assert_non_null(key->former);
	assert_int_equal(key->record.former_until_s - key->record.updated_s, 3600);
	struct config_key_hash first = *key->former;
	take_member(run(KEY_ROTATE, made.id, "", ERROR_NONE), "key", third);
	key = key_copy_find(key_book_copy(book), span_of(made.id));
	assert_memory_not_equal(key->former->sum, first.sum, HMAC_SIZE); /* only one former secret */
	assert_int_equal(key->record.former_until_s - key->record.updated_s, 86400);
	take_member(run(KEY_ROTATE, made.id, "{\"overlap\":0}", ERROR_NONE), "key", third);
	assert_null(key_copy_find(key_book_copy(book), span_of(made.id))->former);
	run(KEY_ROTATE, made.id, "{\"overlap\":-1}", ERROR_INVALID_VALUE);
	check_file_lacks(second + strlen(API_KEY_PREFIX) + API_KEY_ID);
	check_file_lacks(third + strlen(API_KEY_PREFIX) + API_KEY_ID);
}

static void keys_are_listed_by_pages_tenants_and_states(void **state)
{
	static const char *const tenants[] = {"acme", "acme/a", "acme/a/b", "acmes", "other"};
	struct made made[5];
	char query[128], last[API_KEY_LENGTH + 1] = "";
	size_t pages = 0;
	bool more = true;
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		char body[128];
		snprintf(body, sizeof(body), "{\"name\":\"k%zu\",\"tenant\":\"%s\"}", i, tenants[i]);
		made[i] = make(body);
	}
	for (; more; pages++) {
		snprintf(query, sizeof(query), "limit=2%s%s", last[0] == '\0' ? "" : "&after=", last);
		const char *answer = run(KEY_LIST, NULL, query, ERROR_NONE);
		take_member(answer, "last_id", last);
		more = strstr(answer, "\"has_more\":true") != NULL;
	}
	assert_int_equal(pages, 3);
	const char *below = run(KEY_LIST, NULL, "tenant=acme", ERROR_NONE);
	check_has(below, "\"acme\"");
	check_has(below, "\"acme/a/b\"");
	assert_null(strstr(below, "acmes"));
	run(KEY_REVOKE, made[4].id, NULL, ERROR_NONE);
	check_has(run(KEY_LIST, NULL, "state=revoked", ERROR_NONE), made[4].id);
	assert_null(strstr(run(KEY_LIST, NULL, "state=active", ERROR_NONE), made[4].id));
	check_has(run(KEY_LIST, NULL, "tenant=nobody", ERROR_NONE),
		  "\"data\":[],\"first_id\":null,\"last_id\":null,\"has_more\":false");
	run(KEY_LIST, NULL, "limit=0", ERROR_INVALID_VALUE);
	run(KEY_LIST, NULL, "limt=3", ERROR_UNSUPPORTED_PARAMETER);
	run(KEY_LIST, NULL, "after=x", ERROR_INVALID_VALUE);
}

static void two_processes_change_one_key_and_lose_nothing(void **state)
{
	(void)state;
	struct made made = make("{\"name\":\"a\"}");
	struct key_book *other = open_book(false);
	run_in(other, KEY_CHANGE, made.id, "{\"labels\":{\"x\":\"1\"}}", ERROR_NONE);
	check_has(run(KEY_CHANGE, made.id, "{\"models\":[\"m\"]}", ERROR_NONE), "\"labels\":{\"x\":\"1\"}");
	check_has(run_in(other, KEY_REVOKE, made.id, NULL, ERROR_NONE), "\"models\":[\"m\"]");
	check_has(run(KEY_SHOW, made.id, NULL, ERROR_NONE), "\"state\":\"revoked\"");
	key_book_destroy(other);
}

static void a_store_that_lost_its_keys_is_told_and_the_copy_stays(void **state)
{
	(void)state;
	struct made made = make("{\"name\":\"a\"}");
	struct key_book *service = open_book(false);
	assert_true(key_book_refresh(service, false));
	unlink(path);
	key_book_destroy(book);
	book = open_book(true);
	assert_false(key_book_refresh(service, false));
	check_has(key_book_why(service), "No such file");
	assert_non_null(key_copy_find(key_book_copy(service), span_of(made.id)));
	assert_true(key_book_refresh(book, false)); /* the file is there again, and empty */
	assert_false(key_book_refresh(service, false));
	check_has(key_book_why(service), "the store is empty, and had 1 keys");
	assert_non_null(key_copy_find(key_book_copy(service), span_of(made.id)));
	check_has(run_in(service, KEY_CREATE, NULL, "{\"name\":\"b\"}", ERROR_KEY_STORE), "the store is empty");
	key_book_destroy(service);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_one, close_one)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_key_is_made_shown_once_and_stored_as_a_hash),
	    TEST(a_body_that_is_wrong_is_refused_for_what_is_wrong),
	    TEST(what_a_change_does_not_name_stays_and_null_resets),
	    TEST(a_rotation_keeps_the_former_secret_for_its_overlap),
	    TEST(keys_are_listed_by_pages_tenants_and_states),
	    TEST(two_processes_change_one_key_and_lose_nothing),
	    TEST(a_store_that_lost_its_keys_is_told_and_the_copy_stays),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
