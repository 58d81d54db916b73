/* SPDX-License-Identifier: MIT */
/*
 * A program under test: spawned in its own process group with its output in
 * files of the scenario's directory, and always ended: by proc_stop, by the
 * scenario's tear-down when a check failed, or by the kernel when the test dies.
 */
#ifndef SLUICE_TESTS_HARNESS_PROC_H
#define SLUICE_TESTS_HARNESS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/scenario/harness/bytes.h"

enum proc_output { PROC_STDOUT, PROC_STDERR };

struct proc {
	char name[32];
	pid_t pid;
	char *output[2]; /* paths, by enum proc_output */
	bool reaped;
	int status; /* as of waitpid, once reaped */
	struct proc *next;
};

/*
 * Starts arguments[0], a path, with the environment of the test plus
 * environment ("NAME=VALUE" up to NULL; NULL: none). name: for files and
 * messages. Owned by the scenario: freed at its tear-down.
 */
struct proc *proc_start(const char *name, const char *const arguments[], const char *const environment[]);

/* Waits until line holds in the output so far; fails the test when the program ends before or the guard passes. */
void proc_wait_output(struct proc *proc, enum proc_output output, bool (*holds)(const struct bytes *text, void *user),
		      void *user);

/* Appends all the output so far. */
void proc_read(const struct proc *proc, enum proc_output output, struct bytes *text);

/* Empties its stderr so far, for long runs; not when a sanitizer complained in there, which proc_stop is to tell. */
void proc_drop_log(const struct proc *proc);

/* Waits for the program to end by itself; its exit status, or 128 + signal. */
int proc_wait(struct proc *proc);

/*
 * SIGTERM, then after the guard SIGKILL. True when it went well: it obeyed,
 * exited with 0 (or by that SIGTERM), left no child behind and no sanitizer
 * complained. Otherwise the reason and the log's tail are printed.
 */
bool proc_stop(struct proc *proc);

/* SIGKILL at once and no questions: for scenarios about a backend that dies. */
void proc_kill(struct proc *proc);

/* Stops and frees all programs of the scenario; true when all went well. */
bool proc_stop_all(void);

/* Open descriptors, by what they are: TCP connections to a backend (pooled ones are no leak), TCP connections of
 * clients, all others. Sockets that a reset has closed already count where they belonged. */
struct proc_fds {
	size_t upstream;
	size_t downstream;
	size_t other;
};
struct proc_fds proc_fds(const struct proc *proc);

size_t proc_rss(const struct proc *proc); /* bytes */

#endif
