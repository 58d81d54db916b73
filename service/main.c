/* SPDX-License-Identifier: MIT */
/* The program: its arguments, and what each of them does. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "lib/log.h"
#include "lib/suggest.h"
#include "service/app.h"
#include "service/cache_main.h"
#include "service/command.h"
#include "service/describe.h"
#include "service/keys_main.h"
#include "service/keys_store_main.h"
#include "service/plan/plan.h"
#include "service/ready.h"

enum { MAIN_TEXT_MAX = 16 * 1024 * 1024 };

static const char usage[] =
    "Usage: sluice [--config FILE]   serve; without a file: the embedded demonstration\n"
    "       sluice --check FILE      check a configuration: exit 0 and what it has, or errors with file:line and key\n"
    "       sluice --describe WHAT   print a reference: api, cache, config, errors, failures, metrics or openapi\n"
    "       sluice --version\n"
    "       sluice --help\n";

/* "5 backends", "1 model" */
static void write_count(struct buf *out, size_t count, const char *what)
{
	buf_printf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

static int serve(const char *path, struct buf *text)
{
	const struct config *config = command_load(path, text);
	if (config == NULL)
		return COMMAND_FAILED;
	enum log_level level = LOG_INFO;
	log_level_parse(config->log_level, &level);
	log_setup(STDERR_FILENO, level);
	ready_log_advices(config);
	int status = app_run(config);
	config_drop(config);
	return status;
}

static int check(const char *path, struct buf *text)
{
	const struct config *config = command_load(path, text);
	if (config == NULL)
		return COMMAND_FAILED;
	config_write_advices(config, text);
	bool usable = app_check(config, text);
	command_print(stderr, text);
	if (usable) {
		buf_append(text, SPAN("ok: "));
		write_count(text, config->backend_count, "backend");
		buf_append(text, SPAN(", "));
		write_count(text, config->model_count, "model");
		buf_append(text, SPAN("\n"));
		command_print(stdout, text);
	}
	config_drop(config);
	return usable ? COMMAND_OK : COMMAND_FAILED;
}

static int describe(const char *what, struct buf *text)
{
	if (!describe_write(text, what)) {
		struct span near = describe_suggest(what);
		fprintf(stderr, "sluice: --describe: got \"%s\"%s%.*s%s; expected one of %s\n", what,
			near.at == NULL ? "" : "; did you mean \"", SPAN_ARG(near), near.at == NULL ? "" : "\"?",
			describe_topics());
		return COMMAND_USAGE;
	}
	if (buf_failed(text)) {
		fputs("sluice: --describe: out of memory\n", stderr);
		return COMMAND_FAILED;
	}
	command_print(stdout, text);
	return COMMAND_OK;
}

/* Says what is wrong with the argument, and what was probably meant. */
static int misuse(const char *argument)
{
	static const char *const words[] = {
	    "--config", "--check", "--describe",    "--version",   "--help",     "cache",   "key",       "show",
	    "purge",    "--url",   "--key",         "--model",     "--tenant",   "--text",  "keys",      "create",
	    "hash",     "--name",  "--pepper-file", "list",        "rotate",     "revoke",  "--json",    "--models",
	    "--admin",  "--label", "--limits",      "--endpoints", "--networks", "--state", "--expires", "--overlap"};
	struct suggestion near = suggest(span_of(argument));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggest_offer(&near, span_of(words[i]));
	fprintf(stderr, "sluice: unexpected argument \"%s\"", argument);
	if (near.best.at != NULL && near.distance > 0)
		fprintf(stderr, "; did you mean \"%.*s\"?", SPAN_ARG(near.best));
	fprintf(stderr, "\n%s%s%s%s", usage, cache_main_usage, keys_main_usage, keys_store_usage);
	return COMMAND_USAGE;
}

static int cache(int count, char **arguments, struct buf *text)
{
	const char *unexpected = NULL;
	int status = cache_main(count, arguments, text, &unexpected);
	return unexpected == NULL ? status : misuse(unexpected);
}

static int keys(int count, char **arguments, struct buf *text)
{
	const char *unexpected = NULL;
	int status = keys_main(count, arguments, text, &unexpected);
	return unexpected == NULL ? status : misuse(unexpected);
}

/* Commands that take one value. */
static bool is_command(const char *word)
{
	return strcmp(word, "--config") == 0 || strcmp(word, "--check") == 0 || strcmp(word, "--describe") == 0;
}

static int run(int argc, char **argv, struct buf *text)
{
	if (argc == 1)
		return serve(NULL, text);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("sluice " SLUICE_VERSION);
		return COMMAND_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		fputs(cache_main_usage, stdout);
		fputs(keys_main_usage, stdout);
		fputs(keys_store_usage, stdout);
		return COMMAND_OK;
	}
	if (argc >= 2 && strcmp(argv[1], "cache") == 0)
		return cache(argc - 2, argv + 2, text);
	if (argc >= 2 && strcmp(argv[1], "keys") == 0)
		return keys(argc - 2, argv + 2, text);
	if (argc == 2 && is_command(argv[1])) {
		fprintf(stderr, "sluice: %s needs a value\n%s", argv[1], usage);
		return COMMAND_USAGE;
	}
	if (argc == 3 && strcmp(argv[1], "--config") == 0)
		return serve(argv[2], text);
	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(argv[2], text);
	if (argc == 3 && strcmp(argv[1], "--describe") == 0)
		return describe(argv[2], text);
	return misuse(is_command(argv[1]) && argc > 3 ? argv[3] : argv[1]);
}

int main(int argc, char **argv)
{
	struct buf text;
	buf_init(&text, MAIN_TEXT_MAX);
	plan_declare_combinators();
	int status = run(argc, argv, &text);
	buf_fini(&text);
	return status;
}
