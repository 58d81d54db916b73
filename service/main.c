/* SPDX-License-Identifier: MIT */
/* The program: its arguments, and what each of them does. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "lib/log.h"
#include "service/app.h"
#include "service/cache_main.h"
#include "service/command.h"
#include "service/describe.h"

enum { MAIN_TEXT_MAX = 16 * 1024 * 1024 };

static const char usage[] =
    "Usage: sluice [--config FILE]   serve; without a file: the embedded demonstration\n"
    "       sluice --check FILE      check a configuration: exit 0, or errors with file:line and key\n"
    "       sluice --describe WHAT   print a reference: api, cache, config, errors, metrics or openapi\n"
    "       sluice --version\n"
    "       sluice --help\n";

static int serve(const char *path, struct buf *text)
{
	const struct config *config = command_load(path, text);
	if (config == NULL)
		return COMMAND_FAILED;
	enum log_level level = LOG_INFO;
	log_level_parse(config->log_level, &level);
	log_setup(STDERR_FILENO, level);
	int status = app_run(config);
	config_drop(config);
	return status;
}

static int check(const char *path, struct buf *text)
{
	const struct config *config = command_load(path, text);
	if (config == NULL)
		return COMMAND_FAILED;
	bool usable = app_check(config, text);
	config_drop(config);
	command_print(usable ? stdout : stderr, text);
	return usable ? COMMAND_OK : COMMAND_FAILED;
}

static int describe(const char *what, struct buf *text)
{
	if (!describe_write(text, what)) {
		fprintf(stderr, "sluice: --describe: got \"%s\"; expected one of %s\n", what, describe_topics());
		return COMMAND_USAGE;
	}
	if (buf_failed(text)) {
		fputs("sluice: --describe: out of memory\n", stderr);
		return COMMAND_FAILED;
	}
	command_print(stdout, text);
	return COMMAND_OK;
}

static int misuse(const char *argument)
{
	fprintf(stderr, "sluice: unexpected argument \"%s\"\n%s%s", argument, usage, cache_main_usage);
	return COMMAND_USAGE;
}

static int cache(int count, char **arguments, struct buf *text)
{
	const char *unexpected = NULL;
	int status = cache_main(count, arguments, text, &unexpected);
	return unexpected == NULL ? status : misuse(unexpected);
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
		return COMMAND_OK;
	}
	if (argc >= 2 && strcmp(argv[1], "cache") == 0)
		return cache(argc - 2, argv + 2, text);
	if (argc == 3 && strcmp(argv[1], "--config") == 0)
		return serve(argv[2], text);
	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(argv[2], text);
	if (argc == 3 && strcmp(argv[1], "--describe") == 0)
		return describe(argv[2], text);
	return misuse(argc == 2 ? argv[1] : argv[argc - 1]);
}

int main(int argc, char **argv)
{
	struct buf text;
	buf_init(&text, MAIN_TEXT_MAX);
	int status = run(argc, argv, &text);
	buf_fini(&text);
	return status;
}
