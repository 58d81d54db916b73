/* SPDX-License-Identifier: MIT */
/* The program: its arguments, and what each of them does. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "lib/log.h"
#include "service/app.h"
#include "service/cache_command.h"
#include "service/describe.h"

enum { MAIN_OK = 0, MAIN_FAILED = 1, MAIN_USAGE = 2, MAIN_TEXT_MAX = 16 * 1024 * 1024 };

static const char usage[] =
    "Usage: sluice [--config FILE]   serve; without a file: the embedded demonstration\n"
    "       sluice --check FILE      check a configuration: exit 0, or errors with file:line and key\n"
    "       sluice --describe WHAT   print a reference: api, config, errors, metrics or openapi\n"
    "       sluice cache key [--config FILE] [--authorization TEXT] FILE\n"
    "                                print how the cache sees a request read from FILE (-: stdin)\n"
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
	log_level_parse(config->log_level, &level);
	log_setup(STDERR_FILENO, level);
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

/* Reads all of a file, or of stdin for "-". */
static bool read_request(const char *path, struct buf *body)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t got = file == NULL ? 0 : 1;
	while (got != 0) {
		char *at = buf_reserve(body, 1 << 16);
		got = at == NULL ? 0 : fread(at, 1, 1 << 16, file);
		if (got != 0)
			buf_commit(body, got);
	}
	bool good = file != NULL && !ferror(file) && !buf_failed(body);
	if (file != NULL && file != stdin)
		fclose(file);
	if (!good)
		fprintf(stderr, "sluice: %s: the file cannot be read\n", path);
	return good;
}

/* arguments: behind "cache key". */
static int cache_key(int count, char **arguments, struct buf *text)
{
	const char *config_path = NULL, *authorization = "", *path = NULL;
	for (int i = 0; i < count; i++) {
		bool valued = i + 1 < count;
		if (valued && strcmp(arguments[i], "--config") == 0)
			config_path = arguments[++i];
		else if (valued && strcmp(arguments[i], "--authorization") == 0)
			authorization = arguments[++i];
		else if (path == NULL)
			path = arguments[i];
		else
			return misuse(arguments[i]);
	}
	if (path == NULL)
		return misuse("cache key");
	struct buf body;
	buf_init(&body, MAIN_TEXT_MAX);
	const struct config *config = load(config_path, text);
	bool told = config != NULL && read_request(path, &body) &&
		    cache_command_key(config, buf_span(&body), span_of(authorization), text);
	print(told ? stdout : stderr, text);
	buf_fini(&body);
	config_drop(config);
	return told ? MAIN_OK : MAIN_FAILED;
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
	if (argc >= 3 && strcmp(argv[1], "cache") == 0 && strcmp(argv[2], "key") == 0)
		return cache_key(argc - 3, argv + 3, text);
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
