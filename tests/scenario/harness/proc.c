/* SPDX-License-Identifier: MIT */
/* Spawning, watching and ending the programs under test. */
#include "tests/scenario/harness/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"

extern char **environ;

static struct proc *procs;

static void kill_all_at_exit(void)
{
	for (struct proc *p = procs; p != NULL; p = p->next)
		if (!p->reaped)
			kill(p->pid, SIGKILL);
}

static void become(char *const arguments[], char *const environment[], const int output[2], pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	int nothing = open("/dev/null", O_RDONLY);
	if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output[0], 1) < 0 || dup2(output[1], 2) < 0)
		_exit(127);
	if (nothing > 2)
		close(nothing);
	execve(arguments[0], arguments, environment);
	_exit(127);
}

/* The test's environment with additions in front. The caller frees the array, not the strings. */
static char **environment_with(const char *const additions[])
{
	size_t count = 0;
	while (environ[count] != NULL)
		count++;
	size_t added = 0;
	while (additions != NULL && additions[added] != NULL)
		added++;
	char **all = calloc(count + added + 1, sizeof *all);
	assert_non_null(all);
	for (size_t i = 0; i < added; i++)
		all[i] = (char *)(uintptr_t)additions[i];
	memcpy(all + added, environ, count * sizeof *all);
	return all;
}

static struct proc *proc_create(const char *name)
{
	static bool watching;
	static unsigned serial;
	if (!watching)
		atexit(kill_all_at_exit);
	watching = true;
	struct proc *proc = calloc(1, sizeof *proc);
	assert_non_null(proc);
	snprintf(proc->name, sizeof proc->name, "%s", name);
	serial++;
	for (int i = 0; i < 2; i++)
		assert_true(asprintf(&proc->output[i], "%s/%s-%u.%s", scenario_directory(), name, serial,
				     i == PROC_STDOUT ? "stdout" : "stderr") > 0);
	return proc;
}

struct proc *proc_start(const char *name, const char *const arguments[], const char *const environment[])
{
	struct proc *proc = proc_create(name);
	int output[2];
	for (int i = 0; i < 2; i++) {
		output[i] = open(proc->output[i], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		assert_true(output[i] >= 0);
	}
	char **all = environment_with(environment);
	pid_t parent = getpid();
	proc->pid = fork();
	if (proc->pid == 0)
		become((char *const *)(uintptr_t)arguments, all, output, parent);
	assert_true(proc->pid > 0);
	setpgid(proc->pid, proc->pid);
	close(output[0]);
	close(output[1]);
	free(all);
	proc->next = procs;
	procs = proc;
	return proc;
}

void proc_read(const struct proc *proc, enum proc_output output, struct bytes *text)
{
	bytes_read_file(text, proc->output[output]);
}

static bool proc_reap(struct proc *proc, int flags)
{
	if (!proc->reaped && waitpid(proc->pid, &proc->status, flags) == proc->pid)
		proc->reaped = true;
	return proc->reaped;
}

void proc_wait_output(struct proc *proc, enum proc_output output, bool (*holds)(const struct bytes *text, void *user),
		      void *user)
{
	struct patience patience = patience_for(proc->name);
	for (;;) {
		bool over = proc_reap(proc, WNOHANG);
		struct bytes text = {0};
		proc_read(proc, output, &text);
		bool found = holds(&text, user);
		bytes_free(&text);
		if (found)
			return;
		if (over)
			fail_msg("%s ended with status %#x before it was ready", proc->name, (unsigned)proc->status);
		patience_wait(&patience);
	}
}

int proc_wait(struct proc *proc)
{
	struct patience patience = patience_for("the program's end");
	while (!proc_reap(proc, WNOHANG))
		patience_wait(&patience);
	return WIFSIGNALED(proc->status) ? 128 + WTERMSIG(proc->status) : WEXITSTATUS(proc->status);
}

static void proc_print_tail(const struct proc *proc, const char *why)
{
	enum { TAIL = 6000 };
	struct bytes log = {0};
	proc_read(proc, PROC_STDERR, &log);
	size_t skip = log.len > TAIL ? log.len - TAIL : 0;
	/* not print_error, which cuts long texts */
	fprintf(stderr, "%s: %s; status %#x; the end of %s:\n%s\n", proc->name, why, (unsigned)proc->status,
		proc->output[PROC_STDERR], bytes_text(&log) + skip);
	bytes_free(&log);
}

static const char *sanitizer_complaint(const struct proc *proc)
{
	static const char *const complaints[] = {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
						 "runtime error:", "WARNING: ThreadSanitizer"};
	const char *found = NULL;
	struct bytes log = {0};
	proc_read(proc, PROC_STDERR, &log);
	for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++)
		if (bytes_contain(&log, complaints[i]))
			found = complaints[i];
	bytes_free(&log);
	return found;
}

void proc_drop_log(const struct proc *proc)
{
	if (sanitizer_complaint(proc) == NULL) /* it is written by O_APPEND: what comes is at the new end */
		assert_int_equal(truncate(proc->output[PROC_STDERR], 0), 0);
}

/* The process group and state of a process, from /proc/PID/stat; false when it is gone. */
static bool read_stat(const char *pid, int *group, char *state)
{
	char path[64];
	struct bytes text = {0};
	snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
	bool found = bytes_read_file(&text, path);
	const char *behind_name = strrchr(bytes_text(&text), ')');
	found = found && behind_name != NULL && sscanf(behind_name, ") %c %*d %d", state, group) == 2;
	bytes_free(&text);
	return found;
}

/* True when a member of the group still runs. Zombies are init's to reap, not ours. */
static bool group_lives(pid_t group)
{
	bool lives = false;
	DIR *directory = opendir("/proc");
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL && !lives;) {
		int its_group;
		char state;
		if (isdigit((unsigned char)entry->d_name[0]) && read_stat(entry->d_name, &its_group, &state))
			lives = its_group == group && state != 'Z' && state != 'X';
	}
	closedir(directory);
	return lives;
}

/* True when the group does not end soon after its leader; a sanitizer's symbolizer takes a moment. */
static bool group_outlives(pid_t group)
{
	enum { GRACE_US = 30000000 };
	uint64_t until_us = clock_us() + GRACE_US;
	struct patience patience = patience_for("the process group's end");
	while (kill(-group, 0) == 0 && group_lives(group)) {
		if (clock_us() > until_us)
			return true;
		patience_wait(&patience);
	}
	return false;
}

/* What is wrong with how it ended; NULL when nothing. */
static const char *proc_verdict(const struct proc *proc)
{
	const char *complaint = sanitizer_complaint(proc);
	if (complaint != NULL)
		return complaint;
	if (group_outlives(proc->pid))
		return "left a process behind";
	if (WIFSIGNALED(proc->status) && WTERMSIG(proc->status) != SIGTERM)
		return WTERMSIG(proc->status) == SIGKILL ? "did not end on SIGTERM" : "died of a signal";
	if (WIFEXITED(proc->status) && WEXITSTATUS(proc->status) != 0)
		return "exited with an error";
	return NULL;
}

bool proc_stop(struct proc *proc)
{
	if (proc->reaped)
		return true;
	uint64_t until_us = clock_us() + (uint64_t)HANG_GUARD_MS * 1000;
	struct patience patience = patience_for("never fails: the loop ends before");
	patience.until_us *= 2;
	kill(proc->pid, SIGTERM);
	while (!proc_reap(proc, WNOHANG)) {
		if (clock_us() > until_us)
			kill(proc->pid, SIGKILL);
		patience_wait(&patience);
	}
	const char *wrong = proc_verdict(proc);
	if (wrong != NULL)
		proc_print_tail(proc, wrong);
	kill(-proc->pid, SIGKILL);
	return wrong == NULL;
}

void proc_kill(struct proc *proc)
{
	if (!proc->reaped)
		kill(proc->pid, SIGKILL);
	proc_reap(proc, 0);
}

bool proc_stop_all(void)
{
	bool well = true;
	while (procs != NULL) {
		struct proc *proc = procs;
		well = proc_stop(proc) && well;
		procs = proc->next;
		free(proc->output[0]);
		free(proc->output[1]);
		free(proc);
	}
	return well;
}
