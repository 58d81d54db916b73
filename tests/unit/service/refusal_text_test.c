/* SPDX-License-Identifier: MIT */
/* The words of refusals by routing. */
#include "service/refusal_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/arena_fixture.h"

static void expect(struct span got, const char *want)
{
	if (!span_is(got, want))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(got), want);
}

#define SERVES                                                                                             \
	" gateway serves POST /v1/chat/completions, POST /v1/responses, POST /v1/responses/input_tokens, " \
	"GET /v1/responses/{id}, DELETE /v1/responses/{id}, "                                              \
	"GET /v1/responses/{id}/input_items, POST /v1/messages, POST /v1/messages/count_tokens, POST "     \
	"/v1/completions, "                                                                                \
	"POST /v1/embeddings, "                                                                            \
	"POST /v1/fanout, "                                                                                \
	"GET /v1/models, GET /v1/models/{id}, GET /v1/limits"
#define ADMIN_SERVES                                                                                                 \
	" listener serves GET /livez, GET /readyz, GET /admin/backends, GET /admin/cache, DELETE /admin/cache, "     \
	"GET /admin/keys, POST /admin/keys, GET /admin/keys/{id}, PATCH /admin/keys/{id}, DELETE /admin/keys/{id}, " \
	"POST /admin/keys/{id}/rotate, GET /admin/usage, GET /metrics, GET /openapi.json, GET /docs, GET "           \
	"/docs/{file}, "                                                                                             \
	"and describes all operations at /docs."

static const struct config config = {.admin = {.host = "127.0.0.1", .port = "9090"}};
static const struct config with_docs = {.public_set = 1u << CONFIG_PUBLIC_DOCS};
static const struct config bare = {.file = ""};
static const struct surface clients = {.config = &config};
static const struct surface admin = {.config = &config, .admin = true};

static void a_path_that_is_not_served_names_what_is(void **state)
{
	const struct surface documented = {.config = &with_docs};
	(void)state;
	expect(refusal_text_path(SPAN("POST"), SPAN("/v1/threads"), &clients, &arena),
	       "POST /v1/threads is not served; this" SERVES ".");
	expect(refusal_text_path(SPAN("GET"), SPAN(""), &clients, &arena), "GET  is not served; this" SERVES ".");
	expect(refusal_text_path(SPAN("GET"), SPAN("/x"), &documented, &arena),
	       "GET /x is not served; this" SERVES ", and describes all operations at /docs.");
	expect(refusal_text_path(SPAN("GET"), SPAN("/x"), &admin, &arena), "GET /x is not served; this" ADMIN_SERVES);
}

static void the_root_says_where_the_docs_page_is(void **state)
{
	const struct surface without_admin = {.config = &bare};
	(void)state;
	expect(refusal_text_path(SPAN("HEAD"), SPAN("/"), &clients, &arena),
	       "GET / is not served; this" SERVES
	       ". The admin listener serves the docs page; list `docs` in `public` to "
	       "serve it here.");
	expect(refusal_text_path(SPAN("GET"), SPAN("/"), &without_admin, &arena),
	       "GET / is not served; this" SERVES ".");
}

static void a_path_of_another_listener_names_the_key_and_no_address(void **state)
{
	static const struct {
		const char *path, *name;
		enum operation operation;
	} rows[] = {
	    {"/metrics", "metrics", OPERATION_METRICS},       {"/docs", "docs", OPERATION_DOCS},
	    {"/docs/docs.js", "docs", OPERATION_DOCS_FILE},   {"/openapi.json", "openapi", OPERATION_OPENAPI},
	    {"/admin/backends", "admin", OPERATION_BACKENDS},
	};
	const struct surface without_admin = {.config = &bare};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span path = span_of(rows[i].path);
		expect(
		    refusal_text_elsewhere(SPAN("GET"), path, rows[i].operation, &clients, &arena),
		    arena_printf(&arena,
				 "GET %s is served by the admin listener (`admin`); list `%s` in `public` to serve it "
				 "here.",
				 rows[i].path, rows[i].name)
			.at);
		expect(
		    refusal_text_elsewhere(SPAN("GET"), path, rows[i].operation, &without_admin, &arena),
		    arena_printf(&arena,
				 "GET %s is not served, since `admin` is off; list `%s` in `public` to serve it here.",
				 rows[i].path, rows[i].name)
			.at);
	}
	expect(refusal_text_elsewhere(SPAN("POST"), SPAN("/v1/completions"), OPERATION_COMPLETIONS, &admin, &arena),
	       "POST /v1/completions is served by the public listeners (`listen`); the admin listener serves it to its "
	       "own "
	       "docs page alone.");
}

static void a_path_that_is_nearly_served_is_suggested(void **state)
{
	static const char base[] = " OpenAI clients' base URL ends in /v1, once.";
	static const struct {
		const char *path, *near, *hint;
	} rows[] = {
	    {"/chat/completions", "/v1/chat/completions", base},
	    {"/models/small", "/v1/models/small", base},
	    {"/v1/v1/chat/completions", "/v1/chat/completions", base},
	    {"/models/", "/v1/models", base},
	    {"/v1/v1/models/", "/v1/models", base},
	    {"/v1/chat/completions/", "/v1/chat/completions", ""},
	    {"/v1/models//", "/v1/models", ""},
	    {"/docs/", NULL, NULL}, /* not here */
	    {"/v1/v1/", NULL, NULL},
	    {"/v1", NULL, NULL},
	    {"/v2/models", NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span got = refusal_text_path(SPAN("GET"), span_of(rows[i].path), &clients, &arena);
		struct span want =
		    rows[i].near == NULL
			? arena_printf(&arena, "GET %s is not served; this" SERVES ".", rows[i].path)
			: arena_printf(&arena, "GET %s is not served; did you mean %s?%s This" SERVES ".", rows[i].path,
				       rows[i].near, rows[i].hint);
		expect(got, want.at);
	}
	expect(refusal_text_path(SPAN("GET"), SPAN("/docs/"), &admin, &arena),
	       "GET /docs/ is not served; did you mean /docs? This" ADMIN_SERVES);
}

static void a_long_path_is_cut(void **state)
{
	char path[3000];
	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	struct span got = refusal_text_path(SPAN("GET"), (struct span){path, sizeof(path)}, &clients, &arena);
	assert_true(got.len > 128 && got.len < 600);
}

static void a_method_that_is_not_allowed_names_those_that_are(void **state)
{
	(void)state;
	expect(refusal_text_method(SPAN("GET"), SPAN("/v1/embeddings"), "POST, OPTIONS", &arena),
	       "GET is not allowed for /v1/embeddings; allowed: POST, OPTIONS.");
}

static void a_size_over_its_limit_names_both_and_the_key(void **state)
{
	const struct config_limits limits = {.body = 4 << 20, .header_list = 65536};
	(void)state;
	expect(refusal_text_size(ERROR_BODY_TOO_LARGE, 5000000, &limits, &arena),
	       "The request body has 5.0 MB; the limit is 4 MiB (limits.body).");
	expect(refusal_text_size(ERROR_BODY_TOO_LARGE, 0, &limits, &arena),
	       "The request body is larger than 4 MiB (limits.body).");
	expect(refusal_text_size(ERROR_HEADERS_TOO_LARGE, 0, &limits, &arena),
	       "The request headers are too large; the limit is 64 KiB (limits.header_list).");
	assert_null(refusal_text_size(ERROR_MALFORMED_HTTP, 0, &limits, &arena).at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_path_that_is_not_served_names_what_is),
	    TEST(the_root_says_where_the_docs_page_is),
	    TEST(a_path_of_another_listener_names_the_key_and_no_address),
	    TEST(a_path_that_is_nearly_served_is_suggested),
	    TEST(a_long_path_is_cut),
	    TEST(a_method_that_is_not_allowed_names_those_that_are),
	    TEST(a_size_over_its_limit_names_both_and_the_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
