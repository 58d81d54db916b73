/* SPDX-License-Identifier: MIT */
/*
 * A machine without our packages: tools/install.sh waits while another apt has
 * the lock and tells other failures; make says nothing about packages that are
 * not there yet. Programs of the system are stood in for by scripts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/proc.h"
#include "tests/scenario/harness/scenario.h"

static void write_script(const char *name, const char *text)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", scenario_directory(), name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", text);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
}

/* Runs a program and its argument with the scripts in front of the system's programs; its exit status. */
static int run(const char *program, const char *first, const char *second, struct bytes *out, struct bytes *err)
{
	char path[512], directory[160];
	snprintf(path, sizeof path, "PATH=%s:%s", scenario_directory(), getenv("PATH"));
	snprintf(directory, sizeof directory, "SCRATCH=%s", scenario_directory());
	const char *const arguments[] = {"/usr/bin/env", "MAKEFLAGS=", path, directory, program, first, second, NULL};
	struct proc *proc = proc_start("program", arguments, NULL);
	int status = proc_wait(proc);
	proc_read(proc, PROC_STDOUT, out);
	proc_read(proc, PROC_STDERR, err);
	return status;
}

/* Installs one package while apt-get fails with those words the first two times. */
static int install(const char *failure, struct bytes *out, struct bytes *err)
{
	char apt[512];
	snprintf(apt, sizeof apt,
		 "echo \"$*\" >>$SCRATCH/calls\n[ $(wc -l <$SCRATCH/calls) -gt 2 ] || { echo '%s' >&2; exit 100; }",
		 failure);
	write_script("apt-get", apt);
	write_script("dpkg-query", "exit 1");
	write_script("id", "echo 0");
	write_script("sleep", "exit 0");
	return run("/bin/sh", "tools/install.sh", "sanitize", out, err);
}

static void an_install_waits_for_another_apt(void **state)
{
	struct bytes out = {0}, err = {0};
	(void)state;
	assert_int_equal(
	    install("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)", &out, &err), 0);
	check_contains(&out, "installing:");
	check_contains(&err, "waiting for another apt to finish\n");
	check_lacks(&err, "E:");
	bytes_free(&out);
	bytes_free(&err);
}

static void an_install_that_fails_otherwise_says_why(void **state)
{
	struct bytes out = {0}, err = {0};
	(void)state;
	assert_int_not_equal(install("E: Unable to locate package llvm", &out, &err), 0);
	check_contains(&err, "E: Unable to locate package llvm");
	check_lacks(&err, "waiting");
	bytes_free(&out);
	bytes_free(&err);
}

static void make_is_silent_about_packages_that_are_not_there_yet(void **state)
{
	struct bytes out = {0}, err = {0};
	(void)state;
	write_script("pkg-config", "echo 'Package libcurl was not found' >&2; exit 1");
	assert_int_equal(run("make", "-s", "help", &out, &err), 0);
	check_contains(&out, "test-unit");
	check_same(err.at, err.len, "", 0);
	bytes_free(&out);
	bytes_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(an_install_waits_for_another_apt),
	    SCENARIO(an_install_that_fails_otherwise_says_why),
	    SCENARIO(make_is_silent_about_packages_that_are_not_there_yet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
