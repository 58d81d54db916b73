/* SPDX-License-Identifier: MIT */
/*
 * An SQLite database in a file: the only place that knows the library. Calls read and write files and wait for locks,
 * so that no loop may make them. A database, and its statements, are one thread's at a time.
 */
#ifndef SLUICE_CLIENTS_SQLITE_SQLITE_H
#define SLUICE_CLIENTS_SQLITE_SQLITE_H

#include <stdint.h>

#include "lib/span.h"

struct buf;
struct sqlite;
struct sqlite_statement;

enum sqlite_mode {
	SQLITE_MODE_EXISTING, /* the file must be there */
	SQLITE_MODE_CREATE,   /* a file that is not there is made, for its owner alone */
	SQLITE_MODE_MEMORY    /* there is no file, and the path is not read */
};

/* Opens the file. wait_ms: how long a statement may wait for another process's lock. NULL with why appended. */
struct sqlite *sqlite_open(const char *path, enum sqlite_mode mode, int wait_ms, struct buf *why);
/* All statements must have been finished. NULL is harmless. */
void sqlite_close(struct sqlite *db);

/* Returns whether the path still leads to the file that was opened. */
bool sqlite_is_in_place(const struct sqlite *db);

/* Says in a line what was wrong with the last call that failed; lives until the next call. */
const char *sqlite_why(const struct sqlite *db);

/* Runs statements that have no results. */
bool sqlite_run(struct sqlite *db, const char *sql);

/* Returns the number that a statement such as "PRAGMA data_version" results in. False: it failed, or has none. */
bool sqlite_ask(struct sqlite *db, const char *sql, int64_t *number);

/* Prepares a statement with parameters ?1, ?2, …; NULL: it is wrong, or out of memory. */
struct sqlite_statement *sqlite_prepare(struct sqlite *db, const char *sql);
/* NULL is harmless. */
void sqlite_finish(struct sqlite_statement *statement);

/* Sets a parameter, from 1, for the next run. text: copied. A failure shows at the next step. */
void sqlite_set_text(struct sqlite_statement *statement, int parameter, struct span text);
void sqlite_set_number(struct sqlite_statement *statement, int parameter, int64_t number);

enum sqlite_step { SQLITE_STEP_ROW, SQLITE_STEP_END, SQLITE_STEP_FAILED };

/* Runs the statement up to its next row. After SQLITE_STEP_END and SQLITE_STEP_FAILED it can be run again. */
enum sqlite_step sqlite_step(struct sqlite_statement *statement);
/* Gives up the rows that are left. */
void sqlite_rewind(struct sqlite_statement *statement);

/* A column of the row, from 0. The text lives until the next step. */
struct span sqlite_text(const struct sqlite_statement *statement, int column);
int64_t sqlite_number(const struct sqlite_statement *statement, int column);

#endif
