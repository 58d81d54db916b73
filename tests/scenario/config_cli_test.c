/* SPDX-License-Identifier: MIT */
/*
 * The command line: checking a configuration before it serves, the references
 * the binary prints from its own tables, and refusals that help.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sluice.h"

static const char good[] =
    "listen: [127.0.0.1:0]\n"
    "backends:\n"
    "  local: { url: 'http://127.0.0.1:8000/v1', api_key: '${SLUICE_TEST_KEY:-hidden-s3cret}' }\n"
    "models:\n"
    "  small: local/llama\n"
    "  both: { fallback: [local/a, { all: [local/b, local/c] }] }\n";

/* Runs sluice with up to two arguments and checks exit status and, where wanted, words in its output. */
static void check_run(const char *first, const char *second, int status, const char *in_out, const char *in_err)
{
	const char *const arguments[] = {first, second, NULL};
	struct bytes out = {0};
	struct bytes err = {0};
	int got = sluice_run(arguments, &out, &err);
	if (got != status)
		fail_msg("%s %s: want exit %d, got %d\nstdout: %s\nstderr: %s", first, second == NULL ? "" : second,
			 status, got, bytes_text(&out), bytes_text(&err));
	if (in_out != NULL)
		check_contains(&out, in_out);
	if (in_err != NULL)
		check_contains(&err, in_err);
	check_lacks(&out, "s3cret");
	check_lacks(&err, "s3cret");
	bytes_free(&out);
	bytes_free(&err);
}

static const char *write_file(const char *text)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/check.yaml", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

/* The file is refused at that line, with those words. */
static void check_refused(const char *text, unsigned line, const char *words)
{
	char place[160];
	const char *path = write_file(text);
	snprintf(place, sizeof place, "check.yaml:%u", line);
	check_run("--check", path, 1, NULL, place);
	check_run("--check", path, 1, NULL, words);
}

static void a_good_file_passes_the_check(void **state)
{
	(void)state;
	check_run("--check", write_file(good), 0, "ok: 1 backend, 2 models\n", NULL);
}

static void all_that_is_wrong_is_told_in_one_pass(void **state)
{
	static const char *const words[] = {
	    "check.yaml:1: listen[1]: warning: the address is listed already, at line 1\n",
	    "check.yaml:4: models.m: there is no combinator \"fallbak\"; did you mean \"fallback\"?\n",
	    "check.yaml:5: models.n: hedge needs at least 2 children; got 1\n",
	    "check.yaml:6: limts: unknown key; did you mean \"limits\"?\n"};
	(void)state;
	const char *path = write_file("listen: ['127.0.0.1:8080', '127.0.0.1:8080']\n"
				      "backends: { b: { url: 'http://x/v1' } }\nmodels:\n"
				      "  m: { fallbak: [b/m] }\n  n: { hedge: [b/m] }\nlimts: {}\n");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		check_run("--check", path, 1, NULL, words[i]);
}

static void plans_that_cannot_be_built_are_told_together(void **state)
{
	static const char nested[] =
	    "listen: [127.0.0.1:0]\nbackends: { b: { url: 'http://127.0.0.1:1/v1' } }\nmodels:\n"
	    "  m: { quorum: [{ all: [b/x, b/y] }, b/z] }\n"
	    "  n: { quorum: [b/z, { all: [b/x, b/y] }] }\n";
	(void)state;
	check_run("--check", write_file(nested), 1, NULL, "check.yaml:4: models.m: quorum");
	check_run("--check", write_file(nested), 1, NULL, "check.yaml:5: models.n: quorum");
}

static void advice_does_not_fail_the_check(void **state)
{
	(void)state;
	const char *path = write_file(
	    "listen: [127.0.0.1:0]\n"
	    "backends: { b: { url: 'http://127.0.0.1:1/v1/chat/completions', timeouts: { first_content: 1s } } }\n"
	    "models:\n  m: { hedge: [b/m, b/n], after: 2s, resume: continue }\n");
	check_run("--check", path, 0, "ok: 1 backend, 1 model\n", "check.yaml:2: backends.b.url: warning: it ends in");
	check_run("--check", path, 0, NULL, "check.yaml:4: models.m: warning: hedge waits 2s for its spare");
	check_run("--check", path, 0, NULL, "check.yaml:4: models.m: warning: \"resume: continue\" needs a target");
}

static void check_key(const char *request, int status, const char *in_out, const char *in_err)
{
	char path[160];
	struct bytes out = {0};
	struct bytes err = {0};
	snprintf(path, sizeof path, "%s/request.json", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(request, file);
	fclose(file);
	const char *const arguments[] = {"cache", "key", "--config", write_file(good), path, NULL};
	assert_int_equal(sluice_run(arguments, &out, &err), status);
	check_contains(&out, in_out);
	check_contains(&err, in_err);
	bytes_free(&out);
	bytes_free(&err);
}

static void the_key_of_a_request_is_explained(void **state)
{
	(void)state;
	check_key("{\"temperature\":0,\"stream\":true,\"model\":\"small\",\"messages\":[{\"content\":\"hi\",\"role\":"
		  "\"user\"}]}",
		  0,
		  "cached:    yes\nplan:      local/llama@http://127.0.0.1:8000/v1\ncanonical: "
		  "{\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}],\"temperature\":0}\nkey: "
		  "      ",
		  "");
	check_key("{\"model\":\"both\",\"prompt\":\"x\"}", 0, "cached:    no: it is not deterministic", "");
	check_key("{\"model\":\"none\",\"input\":\"x\"}", 1, "", "the model \"none\" is not in ");
	check_key("{\"model\":\"small\"}", 1, "", "messages is required");
	check_key("{", 1, "", "line 1");
}

static void a_missing_file_fails_the_check(void **state)
{
	(void)state;
	check_run("--check", "/nowhere/at/all.yaml", 1, NULL, "/nowhere/at/all.yaml");
}

static void a_bad_file_is_told_with_its_line_and_key(void **state)
{
	(void)state;
	check_refused("listen: [127.0.0.1:0]\nbackends:\n  b: { url: 'http://x/v1' }\nmodels:\n  m: b/m\nlimts: {}\n",
		      6, "limits");
	check_refused(
	    "listen: [127.0.0.1:0]\nworkers: many\nbackends:\n  b: { url: 'http://x/v1' }\nmodels:\n  m: b/m\n", 2,
	    "workers");
	check_refused("listen: [127.0.0.1:0]\nbackends:\n  b: { url: 'ftp://x/v1' }\nmodels:\n  m: b/m\n", 3, "url");
	check_refused("listen: [127.0.0.1:0]\nbackends:\n  b: { url: 'http://x/v1' }\nmodels:\n  m: other/m\n", 5,
		      "other");
	check_refused(
	    "listen: [127.0.0.1:0]\nbackends:\n  b: { url: 'http://x/v1' }\nmodels:\n  m: { fallbak: [b/m] }\n", 5,
	    "fallback");
	check_refused("listen: [127.0.0.1:0]\nbackends:\n  b:\n    url: 'http://x/v1'\n    timeouts: { idle: soon }\n"
		      "models:\n  m: b/m\n",
		      5, "idle");
	check_refused("listen: [127.0.0.1:0]\nbackends: [\n", 3, "check.yaml");
}

static void a_bad_file_does_not_start(void **state)
{
	(void)state;
	check_run("--config", write_file("listen: nonsense\n"), 1, NULL, "check.yaml:1");
}

static void the_references_are_printed_from_the_tables(void **state)
{
	(void)state;
	check_run("--describe", "config", 0, "first_content", NULL);
	check_run("--describe", "cache", 0, "prompt_cache_key", NULL);
	check_run("--describe", "errors", 0, "upstream_first_content", NULL);
	check_run("--describe", "metrics", 0, "sluice_errors_total", NULL);
	check_run("--describe", "openapi", 0, "/v1/chat/completions", NULL);
	check_run("--describe", "nonsense", 2, NULL, "openapi");
}

static void the_openapi_document_is_json_of_the_right_version(void **state)
{
	const char *const arguments[] = {"--describe", "openapi", NULL};
	struct bytes out = {0};
	struct bytes err = {0};
	(void)state;
	assert_int_equal(sluice_run(arguments, &out, &err), 0);
	cJSON *root = cJSON_ParseWithLength(bytes_text(&out), out.len);
	const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "openapi"));
	assert_non_null(version);
	assert_memory_equal(version, "3.", 2);
	const cJSON *paths = cJSON_GetObjectItemCaseSensitive(root, "paths");
	assert_true(cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(paths, "/v1/embeddings")));
	assert_true(cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(paths, "/v1/models")));
	cJSON_Delete(root);
	bytes_free(&out);
	bytes_free(&err);
}

static void the_readme_lists_every_combinator(void **state)
{
	const char *const arguments[] = {"--describe", "config", NULL};
	struct bytes out = {0}, err = {0}, readme = {0};
	char text[4096];
	size_t got = 0, combinators = 0;
	(void)state;
	FILE *file = fopen("README.md", "r");
	assert_non_null(file);
	while ((got = fread(text, 1, sizeof text, file)) != 0)
		bytes_append(&readme, text, got);
	fclose(file);
	assert_int_equal(sluice_run(arguments, &out, &err), 0);
	for (const char *at = bytes_text(&out); (at = strstr(at, " | at least ")) != NULL; at++, combinators++) {
		const char *line = at;
		while (line[-1] != '\n')
			line--;
		snprintf(text, sizeof text, "\n%.*s | ", (int)(at - line), line);
		check_contains(&readme, text);
	}
	assert_true(combinators >= 7);
	bytes_free(&out);
	bytes_free(&err);
	bytes_free(&readme);
}

static void the_version_is_printed(void **state)
{
	(void)state;
	check_run("--version", NULL, 0, "sluice " SLUICE_VERSION, NULL);
}

static void an_unknown_option_is_refused_with_the_usage(void **state)
{
	(void)state;
	check_run("--confg", "x.yaml", 2, NULL, "unexpected argument \"--confg\"; did you mean \"--config\"?");
	check_run("cache", "shwo", 2, NULL, "unexpected argument \"shwo\"; did you mean \"show\"?");
	check_run("--describe", "confg", 2, NULL, "got \"confg\"; did you mean \"config\"?; expected");
	check_run("--config", NULL, 2, NULL, "--config needs a value");
	check_run("--wrong-altogether", NULL, 2, NULL, "unexpected argument \"--wrong-altogether\"\n");
}

static bool is_ready(const struct bytes *text, void *unused)
{
	(void)unused;
	return text->len != 0 && strstr(bytes_text(text), "\"msg\":\"ready\"") != NULL;
}

static void the_start_tells_listeners_models_and_the_docs_page(void **state)
{
	char docs[80];
	struct bytes log = {0};
	(void)state;
	struct sluice *sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:1/v1/embeddings' } }\n"
					     "models: { small: b/m, large: b/n }\n");
	proc_wait_output(sluice->proc, PROC_STDERR, is_ready, NULL);
	proc_read(sluice->proc, PROC_STDERR, &log);
	check_contains(&log, "\"backends\":1,\"models\":2,\"model_names\":\"small, large\"");
	snprintf(docs, sizeof docs, "\"docs\":\"http://127.0.0.1:%d/docs\"", sluice->port);
	check_contains(&log, docs);
	check_contains(&log, "\"level\":\"warn\",\"msg\":\"configuration\"");
	check_contains(&log, "\"key\":\"backends.b.url\",\"advice\":\"it ends in /embeddings");
	bytes_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_good_file_passes_the_check),
	    SCENARIO(all_that_is_wrong_is_told_in_one_pass),
	    SCENARIO(plans_that_cannot_be_built_are_told_together),
	    SCENARIO(advice_does_not_fail_the_check),
	    SCENARIO(a_missing_file_fails_the_check),
	    SCENARIO(a_bad_file_is_told_with_its_line_and_key),
	    SCENARIO(a_bad_file_does_not_start),
	    SCENARIO(the_references_are_printed_from_the_tables),
	    SCENARIO(the_openapi_document_is_json_of_the_right_version),
	    SCENARIO(the_readme_lists_every_combinator),
	    SCENARIO(the_version_is_printed),
	    SCENARIO(the_key_of_a_request_is_explained),
	    SCENARIO(an_unknown_option_is_refused_with_the_usage),
	    SCENARIO(the_start_tells_listeners_models_and_the_docs_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
