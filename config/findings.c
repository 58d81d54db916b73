/* SPDX-License-Identifier: MIT */
/* Findings are kept sorted by insertion: there are few, and they come nearly in order. */
#include "config/findings.h"

#include <stdarg.h>
#include <stdio.h>

enum { FINDING_TEXT_MAX = 1024, VALUE_SHOWN = 64 };

void findings_init(struct findings *findings, const char *file)
{
	*findings = (struct findings){.file = file};
	arena_init(&findings->arena, 0);
}

void findings_fini(struct findings *findings)
{
	arena_fini(&findings->arena);
}

/* Makes room behind all findings of the same or an earlier line; NULL when the list is full of those. */
static struct finding *findings_place(struct findings *findings, unsigned line)
{
	struct finding *list = findings->list;
	size_t at = findings->count;
	if (at == FINDINGS_MAX) {
		if (list[at - 1].line <= line)
			return NULL;
		at--;
	} else {
		findings->count++;
	}
	for (; at > 0 && list[at - 1].line > line; at--)
		list[at] = list[at - 1];
	return &list[at];
}

static void add(struct findings *findings, struct finding at, const char *format, va_list args)
{
	struct finding *finding = findings_place(findings, at.line);
	if (finding == NULL)
		return;
	char text[FINDING_TEXT_MAX];
	vsnprintf(text, sizeof(text), format, args);
	const char *place = at.key == NULL ? NULL : arena_copy(&findings->arena, span_of(at.key)).at;
	const char *copy = arena_copy(&findings->arena, span_of(text)).at;
	*finding = (struct finding){at.line, place, copy == NULL ? "out of memory" : copy, at.advice};
}

void findings_add(struct findings *findings, unsigned line, const char *key, const char *format, ...)
{
	va_list args;
	findings->total++;
	va_start(args, format);
	add(findings, (struct finding){.line = line, .key = key}, format, args);
	va_end(args);
}

void findings_advise(struct findings *findings, unsigned line, const char *key, const char *format, ...)
{
	va_list args;
	findings->advices++;
	va_start(args, format);
	add(findings, (struct finding){.line = line, .key = key, .advice = true}, format, args);
	va_end(args);
}

void findings_write(const struct findings *findings, struct buf *out)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];
		buf_printf(out, "%s", findings->file);
		if (finding->line != 0)
			buf_printf(out, ":%u", finding->line);
		if (finding->key != NULL)
			buf_printf(out, ": %s", finding->key);
		buf_printf(out, ": %s%s\n", finding->advice ? "warning: " : "", finding->text);
	}
	if (findings->total + findings->advices > findings->count)
		buf_printf(out, "%s: %zu more errors are not shown\n", findings->file,
			   findings->total + findings->advices - findings->count);
}

const char *finding_value(struct span value, char shown[FINDING_VALUE_MAX])
{
	size_t len = value.len;
	if (len > VALUE_SHOWN) {
		len = VALUE_SHOWN;
		while (len > 0 && ((unsigned char)value.at[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(shown, value.at, len);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)shown[i] < 0x20 || shown[i] == 0x7f)
			shown[i] = '?';
	memcpy(shown + len, len < value.len ? "…" : "", len < value.len ? sizeof("…") : 1);
	return shown;
}
