/* SPDX-License-Identifier: MIT */
/* The account of all replicas; script.h holds the contract. */
#include "service/quotas/script.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

int script_slot_ms(unsigned unit, enum quota_window kind)
{
	static const int slots_ms[QUOTA_WINDOWS] = {
	    [QUOTA_SECOND] = 17, [QUOTA_MINUTE] = 1000, [QUOTA_HOUR] = 60000, [QUOTA_DAY] = 0, [QUOTA_MONTH] = -1};
	return unit == QUOTA_CONCURRENT ? -2 : slots_ms[kind];
}

/* Where text is written next. */
struct writing {
	char *at;
	size_t left;
};

static struct span write_text(struct writing *writing, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct span write_text(struct writing *writing, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int len = vsnprintf(writing->at, writing->left, format, list);
	va_end(list);
	size_t written = len < 0 ? 0 : (size_t)len < writing->left ? (size_t)len : writing->left - 1;
	struct span text = {writing->at, written};
	writing->at += written;
	writing->left -= written;
	return text;
}

static struct span write_shares(struct writing *writing, const struct script_ask *ask)
{
	struct span text = {writing->at, 0};
	for (size_t i = 0; i < ask->share_count; i++)
		text.len += write_text(writing, "%s %u ", ask->shares[i].tenant, ask->shares[i].percent).len;
	return text;
}

void script_write(const struct script_ask *ask, char text[SCRIPT_TEXT_SIZE], struct span args[SCRIPT_ARGS])
{
	const uint64_t numbers[] = {ask->number, ask->covered, ask->uncovered, ask->known_covered, ask->known_uncovered,
				    ask->want,   ask->must,    ask->least,     ask->limit};
	struct writing writing = {text, SCRIPT_TEXT_SIZE};
	size_t count = 0;
	args[count++] = span_of(ask->id);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		args[count++] = write_text(&writing, "%" PRIu64, numbers[i]);
	args[count++] = write_text(&writing, "%d", script_slot_ms(ask->unit, ask->kind));
	args[count++] = ask->leaves ? SPAN("1") : SPAN("0");
	args[count++] = ask->member < ask->share_count ? span_of(ask->shares[ask->member].tenant) : SPAN("");
	args[count++] = write_text(&writing, "%" PRId64, ask->asked_ms);
	args[count++] = write_shares(&writing, ask);
	args[count++] = write_text(&writing, "%" PRIu64, ask->idle);
	args[count] = write_text(&writing, "%" PRIu64, ask->enough);
}

bool script_read(const int64_t *numbers, size_t count, struct script_answer *answer)
{
	if (count != SCRIPT_REPLIES || numbers[0] < 0 || numbers[1] < 0 || numbers[3] < 0)
		return false;
	*answer = (struct script_answer){.ceiling = (uint64_t)numbers[0],
					 .holders = (uint64_t)numbers[1],
					 .others_lack = numbers[2] != 0,
					 .free = (uint64_t)numbers[3],
					 .wait_ms = numbers[4],
					 .reset_ms = numbers[5],
					 .owed = numbers[6] != 0};
	return true;
}
