/* SPDX-License-Identifier: MIT */
/* The docs page as files: compressed or not, revalidated, and with nothing from elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define END                \
	{                  \
		NULL, NULL \
	}

static const struct h2_header gzip[] = {{"accept-encoding", "br;q=1.0, gzip;q=0.8"}, END};
static const struct h2_header no_gzip[] = {{"accept-encoding", "gzip;q=0"}, END};

static struct sluice *start(void)
{
	return sluice_start("backends: { b: { url: 'http://127.0.0.1:1/v1' } }\nmodels: { m: b/m }\n");
}

static struct answer ask(const struct sluice *sluice, enum via via, const char *path, const struct h2_header *headers)
{
	struct answer answer;
	client_ask(sluice, via, "GET", path, headers, NULL, &answer);
	return answer;
}

static void the_page_loads_nothing_from_elsewhere(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(sluice, via, "/docs", no_gzip);
		assert_int_equal(answer.status, 200);
		check_header(&answer, "content-type", "text/html; charset=utf-8");
		check_header(&answer, "content-encoding", NULL);
		check_contains(&answer.body, "<!doctype html>");
		check_lacks(&answer.body, "http://");
		check_lacks(&answer.body, "https://");
		char *policy = answer_header(&answer, "content-security-policy");
		assert_non_null(policy);
		assert_non_null(strstr(policy, "default-src 'none'"));
		assert_null(strstr(policy, "unsafe"));
		free(policy);
		answer_free(&answer);
	}
}

static void its_files_come_compressed_to_those_who_take_it(void **state)
{
	static const char *const files[] = {"/docs", "/docs/docs.css", "/docs/docs.js", "/docs/swagger-ui.css",
					    "/docs/swagger-ui-bundle.js"};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct answer packed = ask(sluice, VIA_H2, files[i], gzip);
		struct answer plain = ask(sluice, VIA_H1, files[i], NULL);
		check_header(&packed, "content-encoding", "gzip");
		check_header(&plain, "content-encoding", NULL);
		check_header(&packed, "vary", "accept-encoding");
		check_same(packed.body.at, 2, "\x1f\x8b", 2);
		/* the last four bytes of gzip: the length of what was compressed (RFC 1952, section 2.3.1) */
		const unsigned char *tail = (const unsigned char *)packed.body.at + packed.body.len - 4;
		assert_int_equal(tail[0] | tail[1] << 8 | tail[2] << 16 | tail[3] << 24, plain.body.len);
		answer_free(&packed);
		answer_free(&plain);
	}
}

/* Each form has a tag of its own. */
static void check_revalidation(const struct sluice *sluice, const char *path)
{
	struct answer first = ask(sluice, VIA_H1, path, gzip);
	char *etag = answer_header(&first, "etag");
	struct h2_header has_it[] = {{"accept-encoding", "gzip"}, {"if-none-match", etag}, END};
	struct h2_header has_the_other[] = {{"if-none-match", etag}, END};
	struct answer same = ask(sluice, VIA_H1, path, has_it);
	assert_int_equal(same.status, 304);
	answer_free(&same);
	same = ask(sluice, VIA_H1, path, has_the_other);
	assert_int_equal(same.status, 200);
	answer_free(&same);
	answer_free(&first);
	free(etag);
}

static void they_are_revalidated(void **state)
{
	(void)state;
	struct sluice *sluice = start();
	check_revalidation(sluice, "/docs");
	check_revalidation(sluice, "/docs/docs.js");
}

static void other_files_are_404(void **state)
{
	static const char *const paths[] = {"/docs/index.html", "/docs/../docs", "/docs/docs.js/", "/docs/%64ocs.js",
					    "/docs/docs.js.gz"};
	(void)state;
	struct sluice *sluice = start();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct answer answer = ask(sluice, VIA_H2, paths[i], NULL);
		check_error(&answer, 404, "not_found");
		answer_free(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(the_page_loads_nothing_from_elsewhere),
	    SCENARIO(its_files_come_compressed_to_those_who_take_it),
	    SCENARIO(they_are_revalidated),
	    SCENARIO(other_files_are_404),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
