/* SPDX-License-Identifier: MIT */
/* GET /admin/backends: what is written for a state of health and of the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "schemas/answer_fields.h"
#include "service/admin/admin.h"
#include "service/health/health.h"
#include "service/health/limit.h"

#define SECOND 1000000ull

static const struct config_backend backends[] = {
    {.name = "a", .breaker = {true, 60 * SECOND, 10, 50, 5, 3, 5 * SECOND, 300 * SECOND}},
    {.name = "none"},
};
static const struct config_target targets[] = {{&backends[0], "x\"y", "a/x\"y", false},
					       {&backends[0], "z", "a/z", false}};
static const struct config config = {
    .backends = backends, .backend_count = 2, .targets = targets, .target_count = 2, .retries = {20, 3}};

static struct health *health;
static char text[8192];

static int setup(void **state)
{
	(void)state;
	health = health_create(&config, 1, NULL);
	return health == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	health_destroy(health);
	return 0;
}

static const char *page(struct limit *const *limits, uint64_t now_us)
{
	struct admin_request request = {.config = &config, .health = health, .limits = limits, .now_us = now_us};
	struct admin_answer answer = {.status = 200};
	buf_init(&answer.body, sizeof(text) - 1);
	admin_backends(&request, &answer);
	assert_false(buf_failed(&answer.body));
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(buf_span(&answer.body)));
	buf_fini(&answer.body);
	return text;
}

static void enter(struct health_call *call, size_t target, enum health_purpose purpose, uint64_t now_us)
{
	uint64_t wait;
	struct health_use use = {.target = target};
	assert_int_equal(health_enter(health, call, &use, purpose, now_us, &wait), HEALTH_OK);
}

static void all_that_is_known_is_told(void **state)
{
	struct health_call call = {0};
	struct health_call other = {0};
	struct health_outcome good = {.code = ERROR_NONE};
	(void)state;
	for (int i = 0; i < 2; i++) { /* with the next one, enough to know how fast it is */
		enter(&other, 0, HEALTH_FIRST, 10 * SECOND);
		health_first_content(&other, 10 * SECOND + 12345);
		health_leave(&other, &good, 10 * SECOND + 12345);
	}
	enter(&call, 0, HEALTH_REPEAT, 10 * SECOND);
	health_first_content(&call, 10 * SECOND + 12345);
	enter(&other, 1, HEALTH_FIRST, 20 * SECOND);
	struct health_outcome busy = {
	    .code = ERROR_UPSTREAM_BUSY, .kind = FAILURE_RATE_LIMIT, .retry_after_us = 7 * SECOND};
	health_leave(&other, &busy, 20 * SECOND);
	assert_string_equal(
	    page(NULL, 10 * SECOND + 12345),
	    "{\"object\":\"list\",\"data\":[{\"id\":\"a\",\"object\":\"backend\",\"targets\":["
	    "{\"id\":\"a/"
	    "x\\\"y\",\"object\":\"target\",\"model\":\"x\\\"y\",\"reason\":\"ok\",\"wait_ms\":0.000,\"operation\":"
	    "\"chat\","
	    "\"breaker\":\"closed\",\"why\":null,\"last_error\":null,\"next_probe_ms\":0.000,\"opened\":0,"
	    "\"outcomes\":3,\"failed\":0,\"cooling_ms\":0.000,\"probed_down\":false,\"running\":1,"
	    "\"latency_ms\":12.345,\"share\":1.000,\"queue\":null},"
	    "{\"id\":\"a/"
	    "z\",\"object\":\"target\",\"model\":\"z\",\"reason\":\"cooling\",\"wait_ms\":16987.655,\"operation\":"
	    "\"chat\","
	    "\"breaker\":\"closed\",\"why\":null,\"last_error\":null,\"next_probe_ms\":0.000,\"opened\":0,"
	    "\"outcomes\":0,\"failed\":0,\"cooling_ms\":16987.655,\"probed_down\":false,\"running\":0,"
	    "\"latency_ms\":null,\"share\":1.000,\"queue\":null}],\"running\":1,\"retries\":1},"
	    "{\"id\":\"none\",\"object\":\"backend\",\"targets\":[],\"running\":0,\"retries\":0}]}");
}

static void an_open_breaker_tells_what_opened_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct health_call call = {0};
		enter(&call, 0, HEALTH_FIRST, 10 * SECOND);
		struct health_outcome unreachable = {.code = ERROR_UPSTREAM_DNS, .kind = FAILURE_CONNECT};
		health_leave(&call, &unreachable, 10 * SECOND);
	}
	assert_non_null(strstr(page(NULL, 10 * SECOND), "\"reason\":\"open\",\"wait_ms\":"));
	assert_non_null(strstr(text, "\"breaker\":\"open\",\"why\":\"unreachable\",\"last_error\":\"upstream_dns\""));
	assert_non_null(strstr(text, "\"opened\":1,\"outcomes\":3,\"failed\":3"));
}

static void a_limit_tells_its_queue(void **state)
{
	static const struct config_concurrency options = {.calls = 8, .queue = 4, .wait_us = SECOND};
	struct limit *limits[] = {NULL, limit_create(&options)};
	struct limit_waiter waiter = {0};
	(void)state;
	assert_non_null(limits[1]);
	assert_int_equal(limit_enter(limits[1], &waiter, SECOND), LIMIT_GO);
	const char *second = strstr(page(limits, SECOND), "\"queue\":null},{\"id\":\"a/z\"");
	assert_non_null(second);
	assert_non_null(strstr(second, "\"queue\":{\"limit\":8,\"running\":1,\"waiting\":0,\"tenants\":[]}}]"));
	limit_leave(limits[1], waiter.place, 0, false, SECOND);
	limit_drop(limits[1]);
}

static void its_schema_has_each_member(void **state)
{
	static const struct field_table *const tables[] = {&backend_list_fields, &listed_backend_fields,
							   &backend_target_fields};
	(void)state;
	page(NULL, SECOND);
	for (unsigned i = 0; i < 3; i++)
		for (size_t j = 0; j < tables[i]->count; j++) {
			char key[64];
			snprintf(key, sizeof(key), "\"%s\":", tables[i]->fields[j].name);
			if (strstr(text, key) == NULL)
				fail_msg("no %s in %s", key, text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_that_is_known_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_open_breaker_tells_what_opened_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_limit_tells_its_queue, setup, teardown),
	    cmocka_unit_test_setup_teardown(its_schema_has_each_member, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
