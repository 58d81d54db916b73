/* SPDX-License-Identifier: MIT */
/* Loading configurations from strings, and what the findings say. */
#ifndef SLUICE_TESTS_UNIT_CONFIG_FIXTURE_H
#define SLUICE_TESTS_UNIT_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"

/* The least that loads; tests put their own lines behind it, from line 8 on. */
#define LEAST                  \
	"listen:\n"            \
	"  - 127.0.0.1:8080\n" \
	"models:\n"            \
	"  m: local/x\n"       \
	"backends:\n"          \
	"  local:\n"           \
	"    url: http://127.0.0.1:8000/v1\n"

static struct buf fixture_errors;

/* The findings of the last load, as a string. */
static inline const char *fixture_findings(void)
{
	static char text[1 << 16];
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(buf_span(&fixture_errors)));
	return text;
}

static inline const struct config *fixture_load(const char *yaml)
{
	buf_fini(&fixture_errors);
	buf_init(&fixture_errors, 1 << 20);
	return config_load_text(span_of(yaml), "t.yaml", &fixture_errors);
}

/* Loads what must be right. Drop the result with config_drop(). */
static inline const struct config *fixture_good(const char *yaml)
{
	const struct config *config = fixture_load(yaml);
	if (config == NULL)
		print_error("%s", fixture_findings());
	assert_non_null(config);
	assert_int_equal(buf_len(&fixture_errors), 0);
	return config;
}

/* Loads what must be wrong, and compares all findings. */
static inline void fixture_bad(const char *yaml, const char *findings)
{
	assert_null(fixture_load(yaml));
	assert_string_equal(fixture_findings(), findings);
}

static inline int fixture_setup(void **state)
{
	(void)state;
	buf_init(&fixture_errors, 1 << 20);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	(void)state;
	buf_fini(&fixture_errors);
	return 0;
}

/* Writes a file of its own below /tmp/sluice-test-XXXXXX; the directory's name ends without a slash. */
static inline void fixture_write(const char *directory, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void fixture_remove(const char *directory, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(remove(path), 0);
}

#endif
