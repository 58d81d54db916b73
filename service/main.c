/* SPDX-License-Identifier: MIT */
/* The program: its arguments, and what each of them does. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "lib/log.h"
#include "service/app.h"
#include "service/describe.h"

enum { MAIN_OK = 0, MAIN_FAILED = 1, MAIN_USAGE = 2, MAIN_TEXT_MAX = 16 * 1024 * 1024 };

static const char usage[] =
    "Usage: sluice [--config FILE]   serve; without a file: the embedded demonstration\n"
    "       sluice --check FILE      check a configuration: exit 0, or errors with file:line and key\n"
    "       sluice --describe WHAT   print a reference: api, config, errors, metrics or openapi\n"
    "       sluice --version\n"
    "       sluice --help\n";

static void print(FILE *stream, struct buf *text)
{
	struct span span = buf_span(text);
	fwrite(span.at, 1, span.len, stream);
	buf_reset(text);
}

static const struct config *load(const char *path, struct buf *text)
{
	const struct config *config =
	    path == NULL ? config_load_text(config_demo_yaml(), "(embedded)", text) : config_load_file(path, text);
	if (config == NULL)
		print(stderr, text);
	return config;
}

static int serve(const char *path, struct buf *text)
{
	const struct config *config = load(path, text);
	if (config == NULL)
		return MAIN_FAILED;
	enum log_level level = LOG_INFO;
	if (log_level_parse(config->log_level, &level))
		log_set_level(level);
	int status = app_run(config);
	config_drop(config);
	return status;
}

static int check(const char *path, struct buf *text)
{
	const struct config *config = load(path, text);
	if (config == NULL)
		return MAIN_FAILED;
	bool usable = app_check(config, text);
	config_drop(config);
	print(usable ? stdout : stderr, text);
	return usable ? MAIN_OK : MAIN_FAILED;
}

static int describe(const char *what, struct buf *text)
{
	if (!describe_write(text, what)) {
		fprintf(stderr, "sluice: --describe: got \"%s\"; expected one of %s\n", what, describe_topics());
		return MAIN_USAGE;
	}
	if (buf_failed(text)) {
		fputs("sluice: --describe: out of memory\n", stderr);
		return MAIN_FAILED;
	}
	print(stdout, text);
	return MAIN_OK;
}

static int misuse(const char *argument)
{
	fprintf(stderr, "sluice: unexpected argument \"%s\"\n%s", argument, usage);
	return MAIN_USAGE;
}

static int run(int argc, char **argv, struct buf *text)
{
	if (argc == 1)
		return serve(NULL, text);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("sluice " SLUICE_VERSION);
		return MAIN_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return MAIN_OK;
	}
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
