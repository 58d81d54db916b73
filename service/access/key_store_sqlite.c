/* SPDX-License-Identifier: MIT */
/*
 * Keys in a file: one table, whose rows have the record as JSON text and the version in which they changed. A change is
 * a transaction of its own. The file is opened when it is first needed, and again when another one took its place; one
 * that is gone is never made anew by a process that has read it.
 */
#include "service/access/key_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/sqlite/sqlite.h"
#include "config/config.h"
#include "lib/buf.h"

struct key_file {
	struct key_store store; /* first */
	const char *path;
	int wait_ms;
	bool creates;
	bool known;        /* it was read once */
	struct sqlite *db; /* NULL = not open */
	struct sqlite_statement *since, *insert, *update;
	int64_t data_version; /* of SQLite, as of the last read that found nothing new */
	uint64_t version;     /* as of then */
};

/* "Slui", so that no other program's file is taken for one of ours. */
#define SCHEMA                                                            \
	"PRAGMA application_id = 1399616873; PRAGMA user_version = 1;"    \
	"CREATE TABLE IF NOT EXISTS keys (id TEXT PRIMARY KEY NOT NULL, " \
	"version INTEGER NOT NULL UNIQUE, record TEXT NOT NULL);"

enum { APPLICATION = 1399616873, FORM = 1 };

static struct key_file *file_of(struct key_store *store)
{
	return (struct key_file *)store;
}

static void fail(struct key_file *file, const char *what)
{
	snprintf(file->store.why, KEY_STORE_WHY_MAX, "%.150s: %.100s", file->path, what);
}

static void close_file(struct key_file *file)
{
	sqlite_finish(file->since);
	sqlite_finish(file->insert);
	sqlite_finish(file->update);
	sqlite_close(file->db);
	file->since = file->insert = file->update = NULL;
	file->db = NULL;
	file->data_version = -1;
	file->version = 0;
}

/* Makes the table in an empty database; refuses what is not ours. */
static bool check_form(struct key_file *file, bool may_make)
{
	int64_t application = 0, form = 0, tables = 0;
	if (!sqlite_ask(file->db, "PRAGMA application_id", &application) ||
	    !sqlite_ask(file->db, "PRAGMA user_version", &form) ||
	    !sqlite_ask(file->db, "SELECT count(*) FROM sqlite_master", &tables)) {
		fail(file, sqlite_why(file->db));
		return false;
	}
	if (application == APPLICATION && form == FORM)
		return true;
	if (application == 0 && tables == 0 && may_make) {
		bool made = sqlite_run(file->db, "BEGIN IMMEDIATE;" SCHEMA "COMMIT");
		if (!made)
			fail(file, sqlite_why(file->db));
		return made;
	}
	fail(file, application == 0 && tables == 0 ? "the file has no keys yet"
		   : application == APPLICATION    ? "the file is of a later version of Sluice"
						   : "the file is no store of keys");
	return false;
}

static bool prepare(struct key_file *file)
{
	file->since =
	    sqlite_prepare(file->db, "SELECT id, version, record FROM keys WHERE version > ?1 ORDER BY version");
	file->insert = sqlite_prepare(
	    file->db, "INSERT INTO keys SELECT ?1, coalesce(max(version), 0) + 1, ?2 FROM keys "
		      "HAVING count(*) < ?3 AND NOT EXISTS (SELECT 1 FROM keys WHERE id = ?1) RETURNING version");
	file->update =
	    sqlite_prepare(file->db, "UPDATE keys SET version = (SELECT max(version) FROM keys) + 1, record = ?2 "
				     "WHERE id = ?1 AND version = ?3 RETURNING version");
	bool good = file->since != NULL && file->insert != NULL && file->update != NULL;
	if (!good)
		fail(file, sqlite_why(file->db));
	return good;
}

/* Has the right file open. writes: it may be made, unless it was there before. */
static bool open_file(struct key_file *file, bool writes)
{
	char text[KEY_STORE_WHY_MAX];
	struct buf why;
	bool may_make = file->creates || (writes && !file->known);
	if (file->db != NULL && sqlite_is_in_place(file->db))
		return true;
	close_file(file);
	buf_init_over(&why, text, sizeof(text) - 1);
	file->db = sqlite_open(file->path, may_make ? SQLITE_MODE_CREATE : SQLITE_MODE_EXISTING, file->wait_ms, &why);
	text[buf_len(&why)] = '\0';
	bool first = file->db == NULL && !file->known && access(file->path, F_OK) != 0;
	if (file->db == NULL)
		fail(file, first ? "there is no such file yet; the first key makes it" : text);
	if (file->db != NULL && check_form(file, may_make) && prepare(file))
		return true;
	close_file(file);
	return false;
}

static bool read_rows(struct key_file *file, uint64_t since, key_store_visit visit, void *context, uint64_t *version)
{
	enum sqlite_step step;
	sqlite_set_number(file->since, 1, (int64_t)since);
	while ((step = sqlite_step(file->since)) == SQLITE_STEP_ROW) {
		struct key_store_item item = {.id = sqlite_text(file->since, 0),
					      .version = (uint64_t)sqlite_number(file->since, 1),
					      .record = sqlite_text(file->since, 2)};
		*version = item.version;
		visit(context, &item);
	}
	return step == SQLITE_STEP_END;
}

/* The table is only looked at when some process has changed the file since. */
static bool file_read(struct key_store *store, uint64_t since, key_store_visit visit, void *context, uint64_t *version)
{
	struct key_file *file = file_of(store);
	int64_t data_version = 0, newest = 0;
	if (!open_file(file, false))
		return false;
	bool good = sqlite_ask(file->db, "PRAGMA data_version", &data_version);
	if (good && data_version == file->data_version && since == file->version && since != 0) {
		*version = since;
		return true;
	}
	good = good && sqlite_ask(file->db, "SELECT coalesce(max(version), 0) FROM keys", &newest);
	*version = (uint64_t)newest;
	good = good && (*version <= since || read_rows(file, since, visit, context, version));
	if (!good) {
		fail(file, sqlite_why(file->db));
		close_file(file);
		return false;
	}
	file->known = file->known || newest > 0;
	file->data_version = data_version;
	file->version = *version;
	return true;
}

/* One statement is one transaction. No row: its condition did not hold. */
static enum key_store_put run(struct key_file *file, struct sqlite_statement *statement, uint64_t *version)
{
	enum sqlite_step step = sqlite_step(statement);
	if (step == SQLITE_STEP_ROW) {
		*version = (uint64_t)sqlite_number(statement, 0);
		step = sqlite_step(statement); /* the transaction ends here */
		if (step == SQLITE_STEP_END)
			return KEY_STORE_DONE;
	} else if (step == SQLITE_STEP_END) {
		return KEY_STORE_CONFLICT;
	}
	fail(file, sqlite_why(file->db));
	return KEY_STORE_FAILED;
}

static enum key_store_put file_put(struct key_store *store, const struct key_store_item *item, uint64_t *version)
{
	struct key_file *file = file_of(store);
	if (!open_file(file, item->version == 0))
		return KEY_STORE_FAILED;
	struct sqlite_statement *statement = item->version == 0 ? file->insert : file->update;
	sqlite_set_text(statement, 1, item->id);
	sqlite_set_text(statement, 2, item->record);
	sqlite_set_number(statement, 3, item->version == 0 ? KEY_STORE_KEYS_MAX : (int64_t)item->version);
	enum key_store_put put = run(file, statement, version);
	if (put == KEY_STORE_FAILED)
		close_file(file);
	file->version = 0; /* SQLite does not count its own changes */
	return put;
}

static void file_destroy(struct key_store *store)
{
	struct key_file *file = file_of(store);
	close_file(file);
	free(file);
}

struct key_store *key_store_sqlite_create(const struct key_store_options *options)
{
	static const struct key_store_ops ops = {.read = file_read, .put = file_put, .destroy = file_destroy};
	struct key_file *file = calloc(1, sizeof(*file));
	if (file == NULL)
		return NULL;
	file->store.ops = &ops;
	file->path = options->config->auth.file;
	file->wait_ms = (int)options->wait_ms;
	file->creates = options->creates;
	file->data_version = -1;
	return &file->store;
}
