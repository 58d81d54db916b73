/* SPDX-License-Identifier: MIT */
/* Questions about use; question.h holds the contract. */
#include "service/usage/question.h"

#include <stdlib.h>
#include <time.h>

#include "config/key_values.h"
#include "lib/decimal.h"
#include "lib/hex.h"
#include "lib/json_write.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"

enum {
	DAY_S = 86400,
	ANSWER_MAX = 64 << 20,
	ID_MAX = 4096,
	CSV_ROWS = 100000 /* where no limit is asked for */
};

static const char *const dimensions[USAGE_DIMENSIONS] = {"day", "key", "tenant", "model", "target"};
static const char *const units[USAGE_UNITS] = {[USAGE_REQUESTS] = "requests",
					       [USAGE_CALLS] = "calls",
					       [USAGE_ESTIMATED] = "estimated_calls",
					       [USAGE_INPUT] = "input_tokens",
					       [USAGE_CACHE_READ] = "cache_read_tokens",
					       [USAGE_CACHE_WRITE] = "cache_write_tokens",
					       [USAGE_OUTPUT] = "output_tokens",
					       [USAGE_SPEND] = "spend"};

void usage_question_init(struct usage_question *question)
{
	*question = (struct usage_question){.error = ERROR_NONE};
	arena_init(&question->arena, 0);
	buf_init(&question->answer, ANSWER_MAX);
}

void usage_question_fini(struct usage_question *question)
{
	buf_fini(&question->answer);
	arena_fini(&question->arena);
}

/* ---- reading ---- */

/* Finds fault with a parameter. */
static bool refuse(struct usage_question *question, struct findings *findings, const char *name, struct span value,
		   const char *expected)
{
	struct buf input;
	buf_init(&input, ID_MAX);
	json_write_string(&input, value);
	finding_only(findings,
		     (struct finding){.code = ERROR_INVALID_VALUE,
				      .message = arena_printf(&question->arena, "%s must be %s", name, expected),
				      .param = span_of(name),
				      .loc = arena_printf(&question->arena, "[\"query\",\"%s\"]", name),
				      .input = buf_failed(&input) ? (struct span){NULL, 0}
								  : arena_copy(&question->arena, buf_span(&input))});
	buf_fini(&input);
	return false;
}

static bool read_day(struct span text, uint32_t *day)
{
	uint64_t seconds;
	if (!key_value_time(text, &seconds))
		return false;
	*day = (uint32_t)(seconds / DAY_S);
	return true;
}

static bool read_by(struct span text, unsigned *by)
{
	*by = 0;
	while (text.len > 0) {
		const char *comma = memchr(text.at, ',', text.len);
		struct span word = {text.at, comma == NULL ? text.len : (size_t)(comma - text.at)};
		unsigned at = 0;
		while (at < USAGE_DIMENSIONS && !span_is(word, dimensions[at]))
			at++;
		if (at == USAGE_DIMENSIONS || (*by & 1u << at) != 0)
			return false;
		*by |= 1u << at;
		size_t taken = word.len + (comma != NULL);
		text = (struct span){text.at + taken, text.len - taken};
		if (comma != NULL && text.len == 0)
			return false;
	}
	return true;
}

/* An id is the row's values by dimension, each behind its length in four digits, in hexadecimal digits. The day is its
 * number, in eight. */
static void write_id(struct buf *out, const struct usage_place *place, unsigned by)
{
	if ((by & 1u << USAGE_DAY) != 0)
		hex_append(out, (uint64_t)place->day, 8);
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++) {
		if ((by & 1u << i) == 0)
			continue;
		hex_append(out, place->of[i].len, 4);
		for (size_t at = 0; at < place->of[i].len; at++)
			hex_append(out, (unsigned char)place->of[i].at[at], 2);
	}
}

static bool take_hex(struct span *text, size_t digits, uint64_t *number)
{
	if (text->len < digits || !hex_read((struct span){text->at, digits}, number))
		return false;
	*text = (struct span){text->at + digits, text->len - digits};
	return true;
}

static bool take_value(struct usage_question *question, struct span *text, struct span *value)
{
	uint64_t len, byte;
	if (!take_hex(text, 4, &len) || text->len < 2 * len)
		return false;
	char *room = arena_alloc(&question->arena, len + 1);
	if (room == NULL)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!take_hex(text, 2, &byte))
			return false;
		room[i] = (char)byte;
	}
	*value = (struct span){room, len};
	return true;
}

static bool read_id(struct usage_question *question, struct span text)
{
	struct usage_filter *filter = &question->filter;
	uint64_t day = 0;
	bool good = (filter->by & 1u << USAGE_DAY) == 0 || take_hex(&text, 8, &day);
	filter->place.day = (int64_t)day;
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS && good; i++)
		if ((filter->by & 1u << i) != 0)
			good = take_value(question, &text, &filter->place.of[i]);
	filter->after = true;
	return good && text.len == 0;
}

static struct span given(const struct field_text *text)
{
	return text->node == JSON_NONE ? (struct span){NULL, 0} : text->value;
}

static bool read_filter(struct usage_question *question, const struct usage_query *query, struct findings *findings)
{
	static const char day_form[] = "a day such as 2026-11-30";
	struct usage_filter *filter = &question->filter;
	*filter = (struct usage_filter){.to = UINT32_MAX, .by = (1u << USAGE_DIMENSIONS) - 1};
	filter->only[USAGE_KEY] = given(&query->key);
	filter->only[USAGE_TENANT] = given(&query->tenant);
	filter->only[USAGE_MODEL] = given(&query->model);
	filter->only[USAGE_TARGET] = given(&query->target);
	filter->limit = question->csv && query->limit.node == JSON_NONE ? CSV_ROWS : (uint64_t)query->limit.value;
	if (query->from.node != JSON_NONE && !read_day(query->from.value, &filter->from))
		return refuse(question, findings, "from", query->from.value, day_form);
	if (query->to.node != JSON_NONE && !read_day(query->to.value, &filter->to))
		return refuse(question, findings, "to", query->to.value, day_form);
	if (query->by.node != JSON_NONE && !read_by(query->by.value, &filter->by))
		return refuse(question, findings, "by", query->by.value,
			      "some of day, key, tenant, model and target, each once, by commas");
	if (query->after.node != JSON_NONE && !read_id(question, query->after.value))
		return refuse(question, findings, "after", query->after.value,
			      "the id of a row of an answer with the same \"by\"");
	return true;
}

bool usage_question_read(struct usage_question *question, struct span query, bool wants_csv, struct findings *findings)
{
	struct usage_query read;
	query = arena_copy(&question->arena, query); /* values may be borrowed from it */
	if (!query_read(query, &usage_query_fields, &question->arena, &read, findings))
		return false;
	question->csv = read.format.node == JSON_NONE ? wants_csv : span_is(read.format.value, "csv");
	return read_filter(question, &read, findings);
}

/* ---- answering ---- */

struct writing {
	struct usage_question *question;
	struct buf id, first, last; /* of rows */
	uint64_t count;
};

static void write_day(struct buf *out, int64_t day)
{
	time_t at = (time_t)day * DAY_S;
	struct tm date;
	gmtime_r(&at, &date);
	buf_printf(out, "%04d-%02d-%02d", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday);
}

static void write_json_row(struct buf *out, struct span id, const struct usage_found *found, unsigned by)
{
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, id);
	buf_append(out, SPAN(",\"object\":\"usage\",\"day\":"));
	if ((by & 1u << USAGE_DAY) != 0) {
		buf_append(out, SPAN("\""));
		write_day(out, found->place.day);
		buf_append(out, SPAN("\""));
	} else {
		buf_append(out, SPAN("null"));
	}
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++) {
		buf_printf(out, ",\"%s\":", dimensions[i]);
		json_write_string_or_null(out, found->place.of[i]);
	}
	for (int i = 0; i < USAGE_UNITS; i++) {
		buf_printf(out, ",\"%s\":", units[i]);
		decimal_append(out, found->counts.of[i]);
	}
	buf_append(out, SPAN("}"));
}

/* RFC 4180, section 2; a text that a spreadsheet would take for a formula gets an apostrophe. */
static void write_csv_text(struct buf *out, struct span text)
{
	bool formula = text.len > 0 && memchr("=+-@\t\r", text.at[0], 6) != NULL;
	buf_append(out, formula ? SPAN("\"'") : SPAN("\""));
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '"')
			buf_append(out, SPAN("\""));
		buf_append(out, (struct span){text.at + i, 1});
	}
	buf_append(out, SPAN("\""));
}

static void write_csv_head(struct buf *out)
{
	buf_append(out, SPAN("id"));
	for (int i = 0; i < USAGE_DIMENSIONS; i++)
		buf_printf(out, ",%s", dimensions[i]);
	for (int i = 0; i < USAGE_UNITS; i++)
		buf_printf(out, ",%s", units[i]);
	buf_append(out, SPAN("\r\n"));
}

static void write_csv_row(struct buf *out, struct span id, const struct usage_found *found, unsigned by)
{
	buf_append(out, id);
	buf_append(out, SPAN(","));
	if ((by & 1u << USAGE_DAY) != 0)
		write_day(out, found->place.day);
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++) {
		buf_append(out, SPAN(","));
		if (found->place.of[i].at != NULL)
			write_csv_text(out, found->place.of[i]);
	}
	for (int i = 0; i < USAGE_UNITS; i++) {
		buf_append(out, SPAN(","));
		decimal_append(out, found->counts.of[i]);
	}
	buf_append(out, SPAN("\r\n"));
}

static void on_found(void *context, const struct usage_found *found)
{
	struct writing *writing = context;
	struct usage_question *question = writing->question;
	struct buf *out = &question->answer;
	unsigned by = question->filter.by;
	buf_reset(&writing->id);
	write_id(&writing->id, &found->place, by);
	struct span id = buf_span(&writing->id);
	if (question->csv) {
		write_csv_row(out, id, found, by);
		return;
	}
	if (writing->count++ == 0)
		buf_append(&writing->first, id);
	else
		buf_append(out, SPAN(","));
	buf_reset(&writing->last);
	buf_append(&writing->last, id);
	write_json_row(out, id, found, by);
}

static void write_end(struct writing *writing, bool more)
{
	struct span none = {NULL, 0};
	struct buf *out = &writing->question->answer;
	buf_append(out, SPAN("],\"first_id\":"));
	json_write_string_or_null(out, writing->count == 0 ? none : buf_span(&writing->first));
	buf_append(out, SPAN(",\"last_id\":"));
	json_write_string_or_null(out, writing->count == 0 ? none : buf_span(&writing->last));
	buf_append(out, more ? SPAN(",\"has_more\":true}") : SPAN(",\"has_more\":false}"));
}

void usage_question_answer(struct usage_question *question, struct usage_store *store)
{
	struct writing writing = {.question = question};
	bool more = false;
	buf_init(&writing.id, ID_MAX);
	buf_init(&writing.first, ID_MAX);
	buf_init(&writing.last, ID_MAX);
	if (question->csv)
		write_csv_head(&question->answer);
	else
		buf_append(&question->answer, SPAN("{\"object\":\"list\",\"data\":["));
	if (!usage_store_find(store, &question->filter, on_found, &writing, &more)) {
		question->error = ERROR_USAGE_STORE;
		question->message = arena_printf(
		    &question->arena, "The record of use cannot be read: %s. Try again later.", usage_store_why(store));
	} else if (!question->csv) {
		write_end(&writing, more);
	}
	if (buf_failed(&question->answer))
		question->error = ERROR_OVERLOADED;
	buf_fini(&writing.id);
	buf_fini(&writing.first);
	buf_fini(&writing.last);
}
