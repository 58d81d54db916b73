/* SPDX-License-Identifier: MIT */
/*
 * The record of use in Redis, to which all replicas add.
 *
 *   PREFIX:usage        DAY     rows of that day, when a replica counted them last
 *   PREFIX:usage:DAY    KEY TENANT MODEL TARGET    counts (row_text.h); all replicas add to the same row
 *                       #       how many rows it has
 *                       @NAME   number of the last batch that it has of that process
 *
 * A process numbers its batches. The script adds a batch and writes its number down in one step, and ignores a batch
 * that it has: what gets no reply is sent again, with the same number and the same rows, until there is one. So each
 * batch counts once, whatever is lost, late or repeated in between.
 *
 * Nothing expires by itself: a Redis that is full may then evict answers (volatile-*) and no usage. Replicas remove old
 * days.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/hex.h"
#include "lib/random.h"
#include "service/loop/redis_caller.h"
#include "service/usage/row_text.h"
#include "service/usage/store.h"
#include "service/usage/sums.h"

enum { INDEX_SIZE = 240, NAME_SIZE = 256, NUMBER_SIZE = 24, BATCH_ROWS = 100, BATCH_MAX = 4 << 20 };

#define SCAN_COUNT_TEXT "200"

/* ARGV: field of the process, number of the batch, rows at most, the key and tenant of USAGE_OTHER, the batch: of each
 * row the lengths of key with tenant and of model with target, then these texts, then counts and a line feed. Returns
 * how many rows the day has. */
static const char add_text[] =
    "local key, at, batch = KEYS[1], 1, ARGV[5]\n"
    "local rows = tonumber(redis.call('HGET', key, '#') or '0')\n"
    "if tonumber(redis.call('HGET', key, ARGV[1]) or '0') >= tonumber(ARGV[2]) then return rows end\n"
    "while at <= #batch do\n"
    "  local _, stop, who, what = string.find(batch, '^(%d+) (%d+) ', at)\n"
    "  local mid, last = stop + tonumber(who), stop + tonumber(who) + tonumber(what)\n"
    "  local stays = string.sub(batch, mid + 1, last)\n"
    "  local field = string.sub(batch, stop + 1, mid) .. stays\n"
    "  local _, done, counts = string.find(batch, '^([%d ]+)\\n', last + 1)\n"
    "  local old = redis.call('HGET', key, field)\n"
    "  if not old and rows >= tonumber(ARGV[3]) then\n"
    "    field = ARGV[4] .. stays\n"
    "    old = redis.call('HGET', key, field)\n"
    "  end\n"
    "  if not old then rows = rows + 1 end\n"
    "  local sums, former = {}, string.gmatch(old or '', '%d+')\n"
    "  for count in string.gmatch(counts, '%d+') do\n"
    "    sums[#sums + 1] = string.format('%.0f', tonumber(count) + tonumber(former() or '0'))\n"
    "  end\n"
    "  redis.call('HSET', key, field, table.concat(sums, ' '))\n"
    "  at = done + 1\n"
    "end\n"
    "redis.call('HSET', key, '#', string.format('%.0f', rows), ARGV[1], ARGV[2])\n"
    "return rows";

static struct redis_script add_script;
static pthread_once_t scripts = PTHREAD_ONCE_INIT;

static void init_scripts(void)
{
	redis_script_init(&add_script, add_text, false);
}

/* A day that Redis has. */
struct known_day {
	uint32_t day;
	uint64_t rows;
};

struct usage_hashes {
	struct usage_store store; /* first */
	struct redis_caller caller;
	char index[INDEX_SIZE]; /* PREFIX:usage */
	char process[NUMBER_SIZE];
	uint64_t most, found_most;
	/* what is to be stored */
	struct usage_table frozen; /* rows of slots before at are stored */
	size_t at;
	uint64_t number; /* of the batch that comes next, or is tried again */
	struct buf batch;
	uint64_t stored; /* rows of the day, as the script said */
	/* the index, as it was read last */
	struct known_day *days;
	size_t day_count, day_room;
	bool lacks_memory;
	/* of the question that is answered */
	struct usage_sums sums;
	struct usage_table seen; /* fields of the day that is read: a scan may bring one twice */
	uint32_t day;
	enum usage_sums_added added;
	char cursor[NUMBER_SIZE];
};

static struct usage_hashes *hashes_of(struct usage_store *store)
{
	return (struct usage_hashes *)store;
}

static bool fail(struct usage_hashes *hashes, const char *why)
{
	snprintf(hashes->store.why, sizeof(hashes->store.why), "%s", why);
	return false;
}

static bool send(struct usage_hashes *hashes, const struct span *args, size_t count, redis_caller_read read)
{
	return redis_caller_send(&hashes->caller, args, count, read, hashes) || fail(hashes, hashes->caller.why);
}

/* Writes the name of a day's hash. */
static struct span name_of(const struct usage_hashes *hashes, uint32_t day, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%s:%" PRIu32, hashes->index, day);
	return span_of(name);
}

static bool read_any(void *context, const struct redis_reply *reply)
{
	(void)context;
	return reply->kind == REDIS_INTEGER;
}

/* ---- the index of days ---- */

static void count_rows(struct usage_hashes *hashes)
{
	hashes->store.rows = 0;
	for (size_t i = 0; i < hashes->day_count; i++)
		hashes->store.rows += hashes->days[i].rows;
}

/* Notes that a day has so many rows. */
static void note_day(struct usage_hashes *hashes, uint32_t day, uint64_t rows)
{
	size_t at = 0;
	while (at < hashes->day_count && hashes->days[at].day != day)
		at++;
	if (at == hashes->day_room) {
		size_t room = hashes->day_room * 2 + 16;
		struct known_day *larger = realloc(hashes->days, room * sizeof(*larger));
		if (larger == NULL) {
			hashes->lacks_memory = true;
			return;
		}
		hashes->days = larger;
		hashes->day_room = room;
	}
	if (at == hashes->day_count)
		hashes->day_count++;
	hashes->days[at] = (struct known_day){day, rows};
}

static bool read_index(void *context, const struct redis_reply *reply)
{
	struct usage_hashes *hashes = context;
	if (reply->kind != REDIS_ARRAY)
		return false;
	hashes->day_count = 0;
	for (size_t i = 0; i + 1 < reply->count; i += 2) {
		struct span field = reply->elements[i].text, value = reply->elements[i + 1].text;
		uint64_t day, rows;
		if (usage_number_take(&field, &day) && field.len == 0 && day <= UINT32_MAX &&
		    usage_number_take(&value, &rows))
			note_day(hashes, (uint32_t)day, rows);
	}
	return true;
}

static int compare_days(const void *a, const void *b)
{
	uint32_t one = ((const struct known_day *)a)->day, other = ((const struct known_day *)b)->day;
	return (one > other) - (one < other);
}

/* Asks which days there are; the latest is the last. */
static bool ask_index(struct usage_hashes *hashes)
{
	const struct span args[] = {SPAN("HGETALL"), span_of(hashes->index)};
	hashes->lacks_memory = false;
	if (!send(hashes, args, 2, read_index))
		return false;
	if (hashes->day_count > 0)
		qsort(hashes->days, hashes->day_count, sizeof(*hashes->days), compare_days);
	count_rows(hashes);
	return !hashes->lacks_memory || fail(hashes, "out of memory");
}

/* ---- adding ---- */

static void write_row(struct usage_hashes *hashes, const struct usage_row *row, struct buf *scratch)
{
	const struct usage_subject *subject = &row->subject;
	buf_reset(scratch);
	usage_text_append(scratch, subject->key);
	usage_text_append(scratch, subject->tenant);
	size_t who = buf_len(scratch);
	usage_text_append(scratch, subject->model == NULL ? SPAN("") : span_of(subject->model));
	usage_text_append(scratch, subject->target == NULL ? SPAN("") : span_of(subject->target));
	buf_printf(&hashes->batch, "%zu %zu ", who, buf_len(scratch) - who);
	buf_append(&hashes->batch, buf_span(scratch));
	usage_counts_append(&hashes->batch, &row->counts);
	buf_append(&hashes->batch, SPAN("\n"));
}

/* Writes the batch that begins at a slot: rows of one day. Always the same ones, as the table does not change. Returns
 * the slot behind it, or 0: out of memory. */
static size_t write_batch(struct usage_hashes *hashes, uint32_t *day, uint64_t *count)
{
	size_t at = hashes->at;
	struct buf scratch;
	buf_init(&scratch, BATCH_MAX);
	buf_reset(&hashes->batch);
	for (*count = 0; at < hashes->frozen.size && *count < BATCH_ROWS; at++) {
		const struct usage_row *row = hashes->frozen.slots[at];
		if (row == NULL)
			continue;
		if (*count == 0)
			*day = row->subject.day;
		if (row->subject.day != *day)
			break;
		write_row(hashes, row, &scratch);
		++*count;
	}
	bool good = !buf_failed(&scratch) && !buf_failed(&hashes->batch);
	buf_fini(&scratch);
	return good ? at : 0;
}

static bool read_rows(void *context, const struct redis_reply *reply)
{
	struct usage_hashes *hashes = context;
	hashes->stored = (uint64_t)reply->integer;
	return reply->kind == REDIS_INTEGER;
}

/* Writes into the index how many rows a day has; 0: that there is such a day. */
static bool send_index(struct usage_hashes *hashes, uint32_t day, uint64_t count)
{
	char number[NUMBER_SIZE], rows[NUMBER_SIZE];
	snprintf(number, sizeof(number), "%" PRIu32, day);
	snprintf(rows, sizeof(rows), "%" PRIu64, count);
	const struct span args[] = {count == 0 ? SPAN("HSETNX") : SPAN("HSET"), span_of(hashes->index), span_of(number),
				    span_of(rows)};
	return send(hashes, args, 4, read_any);
}

static bool knows_day(const struct usage_hashes *hashes, uint32_t day)
{
	for (size_t i = 0; i < hashes->day_count; i++)
		if (hashes->days[i].day == day)
			return true;
	return false;
}

/* Adds the batch to its day, unless it has it. The index names a day before there is one, so that none is forgotten. */
static bool send_batch(struct usage_hashes *hashes, uint32_t day)
{
	char name[NAME_SIZE], number[NUMBER_SIZE], most[NUMBER_SIZE];
	if (!knows_day(hashes, day) && !send_index(hashes, day, 0))
		return false;
	snprintf(number, sizeof(number), "%" PRIu64, hashes->number);
	snprintf(most, sizeof(most), "%" PRIu64, hashes->most);
	const struct span args[] = {span_of(hashes->process), span_of(number), span_of(most),
				    SPAN("7:" USAGE_OTHER "0:"), buf_span(&hashes->batch)};
	if (!redis_caller_eval(&hashes->caller, &add_script, name_of(hashes, day, name), args, 5, read_rows, hashes))
		return fail(hashes, hashes->caller.why);
	if (!send_index(hashes, day, hashes->stored))
		return false;
	note_day(hashes, day, hashes->stored);
	count_rows(hashes);
	return true;
}

/* Stores the rows that wait. */
static bool flush(struct usage_hashes *hashes)
{
	while (hashes->store.waiting > 0) {
		uint32_t day = 0;
		uint64_t count;
		size_t end = write_batch(hashes, &day, &count);
		if (end == 0)
			return fail(hashes, "out of memory");
		if (!send_batch(hashes, day))
			return false;
		hashes->at = end;
		hashes->number++;
		hashes->store.waiting -= count;
	}
	usage_table_fini(&hashes->frozen);
	return true;
}

static bool hashes_add(struct usage_store *store, struct usage_table *table)
{
	struct usage_hashes *hashes = hashes_of(store);
	if (!flush(hashes))
		return false;
	hashes->frozen = *table;
	hashes->at = 0;
	store->waiting = table->count;
	usage_table_init(table, table->most);
	return flush(hashes);
}

/* ---- expiry ---- */

static bool remove_day(struct usage_hashes *hashes, uint32_t day)
{
	char name[NAME_SIZE], number[NUMBER_SIZE];
	snprintf(number, sizeof(number), "%" PRIu32, day);
	const struct span hash[] = {SPAN("UNLINK"), name_of(hashes, day, name)};
	const struct span entry[] = {SPAN("HDEL"), span_of(hashes->index), span_of(number)};
	return send(hashes, hash, 2, read_any) && send(hashes, entry, 3, read_any);
}

static bool hashes_expire(struct usage_store *store, uint32_t day)
{
	struct usage_hashes *hashes = hashes_of(store);
	if (!ask_index(hashes))
		return false;
	size_t kept = 0;
	while (kept < hashes->day_count && hashes->days[kept].day < day) {
		if (!remove_day(hashes, hashes->days[kept].day))
			return false;
		kept++;
	}
	if (kept == 0)
		return true;
	return ask_index(hashes);
}

/* ---- finding ---- */

static void take_field(struct usage_hashes *hashes, struct span field, struct span value)
{
	static const struct usage_counts none = {{0}};
	const struct usage_subject seen = {.key = field, .hash = usage_hash(field, SPAN(""))};
	struct usage_found row = {.place = {.day = hashes->day}};
	size_t before = hashes->seen.count;
	bool good = true;
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS && good; i++)
		good = usage_text_take(&field, &row.place.of[i]);
	if (!good || field.len > 0 || !usage_counts_read(value, &row.counts))
		return; /* it is no row */
	if (!usage_table_add(&hashes->seen, &seen, &none))
		hashes->added = USAGE_SUMS_NO_MEMORY;
	else if (hashes->seen.count > before && hashes->added == USAGE_SUMS_ADDED)
		hashes->added = usage_sums_add(&hashes->sums, &row);
}

static bool read_page(void *context, const struct redis_reply *reply)
{
	struct usage_hashes *hashes = context;
	if (reply->kind != REDIS_ARRAY || reply->count != 2 || reply->elements[0].kind != REDIS_BYTES ||
	    reply->elements[1].kind != REDIS_ARRAY)
		return false;
	const struct redis_reply *page = &reply->elements[1];
	snprintf(hashes->cursor, sizeof(hashes->cursor), "%.*s", SPAN_ARG(reply->elements[0].text));
	for (size_t i = 0; i + 1 < page->count; i += 2)
		take_field(hashes, page->elements[i].text, page->elements[i + 1].text);
	return true;
}

/* Adds the rows of a day to the sums. */
static bool read_day(struct usage_hashes *hashes, uint32_t day)
{
	char name[NAME_SIZE], cursor[NUMBER_SIZE];
	struct span of = name_of(hashes, day, name);
	bool good = true;
	hashes->day = day;
	usage_table_init(&hashes->seen, SIZE_MAX);
	snprintf(hashes->cursor, sizeof(hashes->cursor), "0");
	do {
		memcpy(cursor, hashes->cursor, sizeof(cursor));
		const struct span args[] = {SPAN("HSCAN"), of, span_of(cursor), SPAN("COUNT"), SPAN(SCAN_COUNT_TEXT)};
		good = send(hashes, args, 5, read_page);
	} while (good && hashes->added == USAGE_SUMS_ADDED && strcmp(hashes->cursor, "0") != 0);
	usage_table_fini(&hashes->seen);
	if (!good || hashes->added == USAGE_SUMS_ADDED)
		return good;
	return fail(hashes, hashes->added == USAGE_SUMS_FULL
				? "it has more rows than can be summed up at once; ask for fewer days or dimensions"
				: "out of memory");
}

static bool read_days(struct usage_hashes *hashes, const struct usage_filter *filter)
{
	bool skips = filter->after && (filter->by & 1u << USAGE_DAY) != 0;
	if (!ask_index(hashes))
		return false;
	for (size_t i = 0; i < hashes->day_count && !usage_sums_is_complete(&hashes->sums); i++) {
		uint32_t day = hashes->days[i].day;
		if (day < filter->from || day > filter->to || (skips && day < filter->place.day))
			continue;
		if (!read_day(hashes, day))
			return false;
	}
	return true;
}

static bool hashes_find(struct usage_store *store, const struct usage_filter *filter, usage_visit visit, void *context,
			bool *more)
{
	struct usage_hashes *hashes = hashes_of(store);
	*more = false;
	hashes->added = USAGE_SUMS_ADDED;
	usage_sums_init(&hashes->sums, filter, hashes->found_most);
	bool good = read_days(hashes, filter) &&
		    (usage_sums_visit(&hashes->sums, visit, context, more) || fail(hashes, "out of memory"));
	usage_sums_fini(&hashes->sums);
	return good;
}

/* ---- life ---- */

static void hashes_destroy(struct usage_store *store)
{
	struct usage_hashes *hashes = hashes_of(store);
	redis_caller_fini(&hashes->caller);
	usage_table_fini(&hashes->frozen);
	buf_fini(&hashes->batch);
	free(hashes->days);
	free(hashes);
}

struct usage_store *usage_store_redis_create(const struct usage_redis_options *options)
{
	static const struct usage_store_ops ops = {
	    .add = hashes_add, .expire = hashes_expire, .find = hashes_find, .destroy = hashes_destroy};
	struct usage_hashes *hashes = calloc(1, sizeof(*hashes));
	if (hashes == NULL)
		return NULL;
	pthread_once(&scripts, init_scripts);
	hashes->store.ops = &ops;
	hashes->most = options->most;
	hashes->found_most = options->found_most;
	hashes->number = 1;
	buf_init(&hashes->batch, BATCH_MAX);
	snprintf(hashes->index, sizeof(hashes->index), "%.200s:usage", options->prefix);
	snprintf(hashes->process, sizeof(hashes->process), "@%016" PRIx64, random_u64());
	if (redis_caller_init(&hashes->caller, options->redis, options->loop, options->wait_ms,
			      "its hashes of usage are none of Sluice's"))
		return &hashes->store;
	free(hashes);
	return NULL;
}
