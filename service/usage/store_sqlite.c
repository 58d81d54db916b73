/* SPDX-License-Identifier: MIT */
/* The record of use in SQLite: a table, in a file or in memory; store.h holds the contract. */
#include "service/usage/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "clients/sqlite/sqlite.h"
#include "lib/buf.h"

struct usage_database {
	struct usage_store store; /* first */
	const char *path;         /* NULL = in memory */
	uint64_t most;
	int wait_ms;
	struct sqlite *db; /* NULL = not open */
	struct sqlite_statement *update, *insert;
};

/* "Sluu", so that no other program's file is taken for one of ours. */
#define SCHEMA                                                                                           \
	"PRAGMA application_id = 1399616885; PRAGMA user_version = 1;"                                   \
	"CREATE TABLE usage (day INTEGER NOT NULL, key TEXT NOT NULL, tenant TEXT NOT NULL, "            \
	"model TEXT NOT NULL, target TEXT NOT NULL, requests INTEGER NOT NULL, calls INTEGER NOT NULL, " \
	"estimated_calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL, "                              \
	"cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL, "                      \
	"output_tokens INTEGER NOT NULL, spend INTEGER NOT NULL, "                                       \
	"PRIMARY KEY (day, key, tenant, model, target)) WITHOUT ROWID;"

#define UPDATE                                                                                     \
	"UPDATE usage SET requests = requests + ?6, calls = calls + ?7, estimated_calls = "        \
	"estimated_calls + ?8, input_tokens = input_tokens + ?9, cache_read_tokens = "             \
	"cache_read_tokens + ?10, cache_write_tokens = cache_write_tokens + ?11, output_tokens = " \
	"output_tokens + ?12, spend = spend + ?13 "                                                \
	"WHERE day = ?1 AND key = ?2 AND tenant = ?3 AND model = ?4 AND target = ?5 RETURNING 1"

#define INSERT "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"

enum { APPLICATION = 1399616885, FORM = 1, FIRST_COUNT = 6, QUERY_MAX = 4096 };

static const char *const columns[USAGE_DIMENSIONS] = {"day", "key", "tenant", "model", "target"};

/* ---- the database ---- */

static struct usage_database *base_of(struct usage_store *store)
{
	return (struct usage_database *)store;
}

static bool fail(struct usage_database *base, const char *what)
{
	snprintf(base->store.why, sizeof(base->store.why), "%.150s: %.100s", base->path == NULL ? "memory" : base->path,
		 what);
	return false;
}

static void close_store(struct usage_database *base)
{
	sqlite_finish(base->update);
	sqlite_finish(base->insert);
	sqlite_close(base->db);
	base->update = base->insert = NULL;
	base->db = NULL;
}

/* Makes the table in an empty database; refuses what is not ours. */
static bool check_form(struct usage_database *base)
{
	int64_t application = 0, form = 0, tables = 0;
	if (!sqlite_ask(base->db, "PRAGMA application_id", &application) ||
	    !sqlite_ask(base->db, "PRAGMA user_version", &form) ||
	    !sqlite_ask(base->db, "SELECT count(*) FROM sqlite_master", &tables))
		return fail(base, sqlite_why(base->db));
	if (application == APPLICATION && form == FORM)
		return true;
	if (application == 0 && tables == 0)
		return sqlite_run(base->db, "BEGIN IMMEDIATE;" SCHEMA "COMMIT") || fail(base, sqlite_why(base->db));
	return fail(base, application == APPLICATION ? "the file is of a later version of Sluice"
						     : "the file is no record of use");
}

static bool count_rows(struct usage_database *base)
{
	int64_t rows = 0;
	if (!sqlite_ask(base->db, "SELECT count(*) FROM usage", &rows))
		return fail(base, sqlite_why(base->db));
	base->store.rows = (uint64_t)rows;
	return true;
}

static bool prepare(struct usage_database *base)
{
	base->update = sqlite_prepare(base->db, UPDATE);
	base->insert = sqlite_prepare(base->db, INSERT);
	return (base->update != NULL && base->insert != NULL) || fail(base, sqlite_why(base->db));
}

/* Has the right file open, which may be a new one. */
static bool open_store(struct usage_database *base)
{
	char text[USAGE_STORE_WHY_MAX];
	struct buf why;
	base->store.why[0] = '\0';
	if (base->db != NULL && (base->path == NULL || sqlite_is_in_place(base->db)))
		return true;
	close_store(base);
	buf_init_over(&why, text, sizeof(text) - 1);
	enum sqlite_mode mode = base->path == NULL ? SQLITE_MODE_MEMORY : SQLITE_MODE_CREATE;
	base->db = sqlite_open(base->path, mode, base->wait_ms, &why);
	text[buf_len(&why)] = '\0';
	if (base->db == NULL)
		return fail(base, text);
	if (check_form(base) && count_rows(base) && prepare(base))
		return true;
	close_store(base);
	return false;
}

static void database_destroy(struct usage_store *store)
{
	close_store(base_of(store));
	free(base_of(store));
}

/* ---- adding ---- */

static void bind_row(struct sqlite_statement *statement, const struct usage_subject *subject,
		     const struct usage_counts *counts)
{
	sqlite_set_number(statement, 1, subject->day);
	sqlite_set_text(statement, 2, subject->key);
	sqlite_set_text(statement, 3, subject->tenant);
	sqlite_set_text(statement, 4, subject->model == NULL ? SPAN("") : span_of(subject->model));
	sqlite_set_text(statement, 5, subject->target == NULL ? SPAN("") : span_of(subject->target));
	for (int i = 0; i < USAGE_UNITS; i++)
		sqlite_set_number(statement, FIRST_COUNT + i, (int64_t)counts->of[i]);
}

/* Returns whether there is such a row, to which the counts were added; *good: nothing failed. */
static bool update_row(struct usage_database *base, const struct usage_subject *subject,
		       const struct usage_counts *counts, bool *good)
{
	bind_row(base->update, subject, counts);
	enum sqlite_step step = sqlite_step(base->update);
	bool found = step == SQLITE_STEP_ROW;
	if (found)
		step = sqlite_step(base->update);
	*good = step == SQLITE_STEP_END;
	return found;
}

/* A new row of a full store is one of USAGE_OTHER. */
static bool add_row(struct usage_database *base, const struct usage_row *row)
{
	struct usage_subject subject = row->subject;
	bool good = true;
	if (update_row(base, &subject, &row->counts, &good) || !good)
		return good;
	if (base->store.rows >= base->most) {
		subject.key = SPAN(USAGE_OTHER);
		subject.tenant = SPAN("");
		if (update_row(base, &subject, &row->counts, &good) || !good)
			return good;
	}
	bind_row(base->insert, &subject, &row->counts);
	base->store.rows++;
	return sqlite_step(base->insert) == SQLITE_STEP_END;
}

static bool database_add(struct usage_store *store, struct usage_table *table)
{
	struct usage_database *base = base_of(store);
	if (!open_store(base))
		return false;
	uint64_t rows = base->store.rows;
	bool begun = sqlite_run(base->db, "BEGIN IMMEDIATE"), good = begun;
	for (size_t i = 0; good && i < table->size; i++)
		good = table->slots[i] == NULL || add_row(base, table->slots[i]);
	good = good && sqlite_run(base->db, "COMMIT");
	if (good) {
		usage_table_fini(table);
		return true;
	}
	fail(base, sqlite_why(base->db));
	if (begun)
		sqlite_run(base->db, "ROLLBACK");
	base->store.rows = rows;
	if (base->path != NULL)
		close_store(base);
	return false;
}

static bool database_expire(struct usage_store *store, uint32_t day)
{
	struct usage_database *base = base_of(store);
	if (!open_store(base))
		return false;
	struct sqlite_statement *statement = sqlite_prepare(base->db, "DELETE FROM usage WHERE day < ?1");
	bool good = statement != NULL;
	if (good) {
		sqlite_set_number(statement, 1, day);
		good = sqlite_step(statement) == SQLITE_STEP_END;
	}
	sqlite_finish(statement);
	return (good || fail(base, sqlite_why(base->db))) && count_rows(base);
}

/* ---- finding ---- */

/* Writes the columns of by, with commas between. */
static void write_columns(struct buf *sql, unsigned by)
{
	const char *comma = "";
	for (unsigned i = 0; i < USAGE_DIMENSIONS; i++) {
		if ((by & 1u << i) == 0)
			continue;
		buf_printf(sql, "%s%s", comma, columns[i]);
		comma = ", ";
	}
}

/* Parameters: 1 and 2 the days, 3 the limit; from 4 the values of only by dimension, from 9 those of the place. */
enum { ONLY_FIRST = 4, PLACE_FIRST = 9 };

static void write_conditions(struct buf *sql, const struct usage_filter *filter)
{
	buf_printf(sql, " FROM usage WHERE day BETWEEN ?1 AND ?2");
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++) {
		int parameter = ONLY_FIRST + i;
		if (filter->only[i].at == NULL)
			continue;
		if (i == USAGE_TENANT)
			buf_printf(sql, " AND (tenant = ?%d OR substr(tenant, 1, length(?%d) + 1) = ?%d || '/')",
				   parameter, parameter, parameter);
		else
			buf_printf(sql, " AND %s = ?%d", columns[i], parameter);
	}
	if (!filter->after || filter->by == 0)
		return;
	const char *comma = "";
	buf_printf(sql, " AND (");
	write_columns(sql, filter->by);
	buf_printf(sql, ") > (");
	for (int i = 0; i < USAGE_DIMENSIONS; i++) {
		if ((filter->by & 1u << i) == 0)
			continue;
		buf_printf(sql, "%s?%d", comma, PLACE_FIRST + i);
		comma = ", ";
	}
	buf_printf(sql, ")");
}

static void write_query(struct buf *sql, const struct usage_filter *filter)
{
	buf_printf(sql, "SELECT ");
	for (unsigned i = 0; i < USAGE_DIMENSIONS; i++)
		buf_printf(sql, "%s, ", (filter->by & 1u << i) != 0 ? columns[i] : "''");
	buf_printf(sql, "sum(requests), sum(calls), sum(estimated_calls), sum(input_tokens), sum(cache_read_tokens), "
			"sum(cache_write_tokens), sum(output_tokens), sum(spend)");
	write_conditions(sql, filter);
	if (filter->by != 0) {
		buf_printf(sql, " GROUP BY ");
		write_columns(sql, filter->by);
		buf_printf(sql, " ORDER BY ");
		write_columns(sql, filter->by);
	} else {
		buf_printf(sql, " HAVING count(*) > 0");
	}
	buf_printf(sql, " LIMIT ?3");
}

static void bind_query(struct sqlite_statement *statement, const struct usage_filter *filter)
{
	sqlite_set_number(statement, 1, filter->from);
	sqlite_set_number(statement, 2, filter->to);
	sqlite_set_number(statement, 3, (int64_t)filter->limit + 1);
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++) {
		if (filter->only[i].at != NULL)
			sqlite_set_text(statement, ONLY_FIRST + i, filter->only[i]);
		if (filter->after && (filter->by & 1u << i) != 0)
			sqlite_set_text(statement, PLACE_FIRST + i, filter->place.of[i]);
	}
	if (filter->after && (filter->by & 1u << USAGE_DAY) != 0)
		sqlite_set_number(statement, PLACE_FIRST, filter->place.day);
}

static void read_row(const struct sqlite_statement *statement, unsigned by, struct usage_found *found)
{
	*found = (struct usage_found){.place = {.day = -1}};
	if ((by & 1u << USAGE_DAY) != 0)
		found->place.day = sqlite_number(statement, USAGE_DAY);
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++)
		if ((by & 1u << i) != 0)
			found->place.of[i] = sqlite_text(statement, i);
	for (int i = 0; i < USAGE_UNITS; i++)
		found->counts.of[i] = (uint64_t)sqlite_number(statement, USAGE_DIMENSIONS + i);
}

static bool database_find(struct usage_store *store, const struct usage_filter *filter, usage_visit visit,
			  void *context, bool *more)
{
	struct usage_database *base = base_of(store);
	char text[QUERY_MAX];
	struct buf sql;
	struct usage_found found;
	enum sqlite_step step = SQLITE_STEP_FAILED;
	uint64_t count = 0;
	*more = false;
	if (!open_store(base))
		return false;
	buf_init_over(&sql, text, sizeof(text) - 1);
	write_query(&sql, filter);
	text[buf_len(&sql)] = '\0';
	struct sqlite_statement *statement = sqlite_prepare(base->db, text);
	if (statement != NULL)
		bind_query(statement, filter);
	while (statement != NULL && !*more && (step = sqlite_step(statement)) == SQLITE_STEP_ROW) {
		*more = count++ == filter->limit;
		read_row(statement, filter->by, &found);
		if (!*more)
			visit(context, &found);
	}
	bool good = statement != NULL && step != SQLITE_STEP_FAILED;
	if (!good)
		fail(base, sqlite_why(base->db));
	sqlite_finish(statement);
	return good;
}

struct usage_store *usage_store_sqlite_create(const char *path, uint64_t most, int wait_ms)
{
	static const struct usage_store_ops ops = {
	    .add = database_add, .expire = database_expire, .find = database_find, .destroy = database_destroy};
	struct usage_database *base = calloc(1, sizeof(*base));
	if (base == NULL)
		return NULL;
	base->store.ops = &ops;
	base->path = path;
	base->most = most;
	base->wait_ms = wait_ms;
	return &base->store;
}
