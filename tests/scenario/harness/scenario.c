/* SPDX-License-Identifier: MIT */
/* Set-up and tear-down of one scenario. */
#include "tests/scenario/harness/scenario.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/proc.h"
#include "tests/scenario/harness/wire.h"

enum { MOST_DEFERRED = 256 };

static struct {
	const char *name;
	char directory[64];
	bool passed;
	struct {
		void (*finish)(void *object);
		void *object;
	} deferred[MOST_DEFERRED];
	size_t deferred_count;
} current;

int scenario_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	current.passed = false;
	current.deferred_count = 0;
	wire_come_from(0);
	const char *parent = getenv("TMPDIR");
	snprintf(current.directory, sizeof current.directory, "%s/sluice-scenario-XXXXXX",
		 parent == NULL || *parent == '\0' ? "/tmp" : parent);
	return mkdtemp(current.directory) == NULL ? -1 : 0;
}

void scenario_run(void **state)
{
	const struct scenario *scenario = *state;
	void *nothing = NULL;
	current.name = scenario->name;
	scenario->run(&nothing);
	current.passed = true;
}

const char *scenario_name(void)
{
	return current.name;
}

const char *scenario_directory(void)
{
	return current.directory;
}

void scenario_defer(void (*finish)(void *object), void *object)
{
	assert_true(current.deferred_count < MOST_DEFERRED);
	current.deferred[current.deferred_count].finish = finish;
	current.deferred[current.deferred_count++].object = object;
}

static void for_each_file(void (*visit)(const char *path))
{
	DIR *directory = opendir(current.directory);
	if (directory == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		char path[384];
		snprintf(path, sizeof path, "%s/%s", current.directory, entry->d_name);
		if (entry->d_name[0] != '.')
			visit(path);
	}
	closedir(directory);
}

static void show_tail(const char *path)
{
	enum { TAIL = 3000 };
	struct bytes text = {0};
	bytes_read_file(&text, path);
	if (text.len != 0 && strstr(path, ".pem") == NULL)
		fprintf(stderr, "---- %s\n%s\n", path, text.at + (text.len > TAIL ? text.len - TAIL : 0));
	bytes_free(&text);
}

static void delete_file(const char *path)
{
	unlink(path);
}

int scenario_teardown(void **state)
{
	(void)state;
	while (current.deferred_count > 0) {
		current.deferred_count--;
		current.deferred[current.deferred_count].finish(current.deferred[current.deferred_count].object);
	}
	bool well = proc_stop_all();
	if (current.passed && well) {
		for_each_file(delete_file);
		rmdir(current.directory);
		return 0;
	}
	if (well)
		for_each_file(show_tail);
	print_error("the scenario's files are in %s\n", current.directory);
	return well ? 0 : -1;
}

const char *scenario_program(const char *variable, const char *usual)
{
	const char *path = getenv(variable);
	return path == NULL ? usual : path;
}
