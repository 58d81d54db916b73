/* SPDX-License-Identifier: MIT */
/* A thin layer over libsqlite3; sqlite.h holds the contract. */
#include "clients/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lib/buf.h"

enum { OWNER_ONLY = 0600 };

struct sqlite {
	sqlite3 *handle;
	char *path;   /* NULL = in memory */
	dev_t device; /* of the file that was opened */
	ino_t inode;
};

/* A statement is the library's own. */
static sqlite3_stmt *raw(const struct sqlite_statement *statement)
{
	return (sqlite3_stmt *)statement;
}

/* The library makes files that others may read. An empty file is an empty database. */
static bool make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, OWNER_ONLY);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Records which file it is. False with why appended. */
static bool note_file(struct sqlite *db, struct buf *why)
{
	struct stat file;
	if (stat(db->path, &file) != 0) {
		buf_printf(why, "%s", strerror(errno));
		return false;
	}
	db->device = file.st_dev;
	db->inode = file.st_ino;
	return true;
}

/* Nothing that the file itself says is run as code. */
static bool set_up(struct sqlite *db, int wait_ms)
{
	return sqlite3_busy_timeout(db->handle, wait_ms) == SQLITE_OK &&
	       sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
	       sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK;
}

static struct sqlite *open_memory(int wait_ms, struct buf *why)
{
	struct sqlite *db = calloc(1, sizeof(*db));
	if (db != NULL &&
	    sqlite3_open_v2(":memory:", &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    set_up(db, wait_ms))
		return db;
	buf_printf(why, "out of memory");
	sqlite_close(db);
	return NULL;
}

struct sqlite *sqlite_open(const char *path, enum sqlite_mode mode, int wait_ms, struct buf *why)
{
	if (mode == SQLITE_MODE_MEMORY)
		return open_memory(wait_ms, why);
	struct sqlite *db = calloc(1, sizeof(*db));
	if (db == NULL || (db->path = strdup(path)) == NULL) {
		free(db);
		buf_printf(why, "out of memory");
		return NULL;
	}
	if (mode == SQLITE_MODE_CREATE && !make_file(path)) {
		buf_printf(why, "%s", strerror(errno));
		sqlite_close(db);
		return NULL;
	}
	bool there = note_file(db, why);
	if (there &&
	    sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    set_up(db, wait_ms))
		return db;
	if (there)
		buf_printf(why, "%s", sqlite_why(db));
	sqlite_close(db);
	return NULL;
}

void sqlite_close(struct sqlite *db)
{
	if (db == NULL)
		return;
	sqlite3_close(db->handle);
	free(db->path);
	free(db);
}

bool sqlite_is_in_place(const struct sqlite *db)
{
	struct stat file;
	return stat(db->path, &file) == 0 && file.st_dev == db->device && file.st_ino == db->inode;
}

const char *sqlite_why(const struct sqlite *db)
{
	return db->handle == NULL ? "out of memory" : sqlite3_errmsg(db->handle);
}

bool sqlite_run(struct sqlite *db, const char *sql)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool sqlite_ask(struct sqlite *db, const char *sql, int64_t *number)
{
	struct sqlite_statement *statement = sqlite_prepare(db, sql);
	bool found = statement != NULL && sqlite_step(statement) == SQLITE_STEP_ROW;
	if (found)
		*number = sqlite_number(statement, 0);
	sqlite_finish(statement);
	return found;
}

struct sqlite_statement *sqlite_prepare(struct sqlite *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
		return NULL;
	return (struct sqlite_statement *)statement;
}

void sqlite_finish(struct sqlite_statement *statement)
{
	sqlite3_finalize(raw(statement));
}

void sqlite_set_text(struct sqlite_statement *statement, int parameter, struct span text)
{
	if (sqlite3_bind_text64(raw(statement), parameter, text.at, text.len, SQLITE_TRANSIENT, SQLITE_UTF8) !=
	    SQLITE_OK)
		sqlite3_bind_null(raw(statement), parameter); /* which the tables refuse */
}

void sqlite_set_number(struct sqlite_statement *statement, int parameter, int64_t number)
{
	sqlite3_bind_int64(raw(statement), parameter, number);
}

enum sqlite_step sqlite_step(struct sqlite_statement *statement)
{
	int status = sqlite3_step(raw(statement));
	if (status == SQLITE_ROW)
		return SQLITE_STEP_ROW;
	sqlite_rewind(statement);
	return status == SQLITE_DONE ? SQLITE_STEP_END : SQLITE_STEP_FAILED;
}

void sqlite_rewind(struct sqlite_statement *statement)
{
	sqlite3_reset(raw(statement));
}

struct span sqlite_text(const struct sqlite_statement *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(raw(statement), column);
	int len = sqlite3_column_bytes(raw(statement), column);
	return (struct span){text == NULL ? "" : (const char *)text, text == NULL ? 0 : (size_t)len};
}

int64_t sqlite_number(const struct sqlite_statement *statement, int column)
{
	return sqlite3_column_int64(raw(statement), column);
}
