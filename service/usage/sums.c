/* SPDX-License-Identifier: MIT */
/* Sums of rows; sums.h holds the contract. */
#include "service/usage/sums.h"

#include <stdlib.h>

#include "lib/hex.h"
#include "service/usage/row_text.h"

enum { DAY_DIGITS = 8 };

void usage_sums_init(struct usage_sums *sums, const struct usage_filter *filter, uint64_t most)
{
	*sums = (struct usage_sums){.filter = filter, .most = most};
	usage_table_init(&sums->rows, SIZE_MAX);
	buf_init(&sums->name, USAGE_SUMS_NAME_MAX);
}

void usage_sums_fini(struct usage_sums *sums)
{
	usage_table_fini(&sums->rows);
	buf_fini(&sums->name);
}

/* ---- which rows ---- */

static bool is_within(struct span tenant, struct span wanted)
{
	if (tenant.len < wanted.len || memcmp(tenant.at, wanted.at, wanted.len) != 0)
		return false;
	return tenant.len == wanted.len || tenant.at[wanted.len] == '/';
}

static bool is_wanted(const struct usage_filter *filter, const struct usage_place *place)
{
	if (place->day < filter->from || place->day > filter->to)
		return false;
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++) {
		struct span only = filter->only[i];
		if (only.at == NULL)
			continue;
		if (i == USAGE_TENANT ? !is_within(place->of[i], only) : !span_equal(place->of[i], only))
			return false;
	}
	return true;
}

static int compare_texts(struct span a, struct span b)
{
	size_t least = a.len < b.len ? a.len : b.len;
	int order = least == 0 ? 0 : memcmp(a.at, b.at, least);
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Orders by the dimensions of by alone. */
static int compare_places(const struct usage_place *a, const struct usage_place *b, unsigned by)
{
	int order = (by & 1u << USAGE_DAY) == 0 ? 0 : (a->day > b->day) - (a->day < b->day);
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS && order == 0; i++)
		if ((by & 1u << i) != 0)
			order = compare_texts(a->of[i], b->of[i]);
	return order;
}

/* ---- adding ---- */

enum usage_sums_added usage_sums_add(struct usage_sums *sums, const struct usage_found *row)
{
	const struct usage_filter *filter = sums->filter;
	if (!is_wanted(filter, &row->place) ||
	    (filter->after && filter->by != 0 && compare_places(&row->place, &filter->place, filter->by) <= 0))
		return USAGE_SUMS_ADDED;
	buf_reset(&sums->name);
	if ((filter->by & 1u << USAGE_DAY) != 0)
		hex_append(&sums->name, (uint64_t)row->place.day, DAY_DIGITS);
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++)
		if ((filter->by & 1u << i) != 0)
			usage_text_append(&sums->name, row->place.of[i]);
	struct usage_subject subject = {.key = buf_span(&sums->name)};
	subject.hash = usage_hash(subject.key, subject.tenant);
	if (buf_failed(&sums->name) || !usage_table_add(&sums->rows, &subject, &row->counts))
		return USAGE_SUMS_NO_MEMORY;
	return sums->rows.count > sums->most ? USAGE_SUMS_FULL : USAGE_SUMS_ADDED;
}

bool usage_sums_is_complete(const struct usage_sums *sums)
{
	return (sums->filter->by & 1u << USAGE_DAY) != 0 && sums->rows.count > sums->filter->limit;
}

/* ---- visiting ---- */

/* Reads what usage_sums_add() wrote. */
static struct usage_place place_of(struct span name, unsigned by)
{
	struct usage_place place = {.day = -1};
	uint64_t day = 0;
	if ((by & 1u << USAGE_DAY) != 0) {
		hex_read((struct span){name.at, DAY_DIGITS}, &day);
		place.day = (int64_t)day;
		name = (struct span){name.at + DAY_DIGITS, name.len - DAY_DIGITS};
	}
	for (int i = USAGE_KEY; i < USAGE_DIMENSIONS; i++)
		if ((by & 1u << i) != 0)
			usage_text_take(&name, &place.of[i]);
	return place;
}

static int compare_found(const void *a, const void *b, void *by)
{
	return compare_places(&((const struct usage_found *)a)->place, &((const struct usage_found *)b)->place,
			      *(const unsigned *)by);
}

bool usage_sums_visit(const struct usage_sums *sums, usage_visit visit, void *context, bool *more)
{
	unsigned by = sums->filter->by;
	struct usage_found *list = calloc(sums->rows.count + 1, sizeof(*list));
	size_t count = 0;
	if (list == NULL)
		return false;
	for (size_t i = 0; i < sums->rows.size; i++) {
		const struct usage_row *row = sums->rows.slots[i];
		if (row != NULL)
			list[count++] = (struct usage_found){place_of(row->subject.key, by), row->counts};
	}
	qsort_r(list, count, sizeof(*list), compare_found, &by);
	*more = count > sums->filter->limit;
	for (size_t i = 0; i < count && i < sums->filter->limit; i++)
		visit(context, &list[i]);
	free(list);
	return true;
}
