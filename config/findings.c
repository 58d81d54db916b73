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

void findings_add(struct findings *findings, unsigned line, const char *key, const char *format, ...)
{
	findings->total++;
	struct finding *finding = findings_place(findings, line);
	if (finding == NULL)
		return;
	char text[FINDING_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	const char *place = key == NULL ? NULL : arena_copy(&findings->arena, span_of(key)).at;
	const char *copy = arena_copy(&findings->arena, span_of(text)).at;
	*finding = (struct finding){line, place, copy == NULL ? "out of memory" : copy};
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
		buf_printf(out, ": %s\n", finding->text);
	}
	if (findings->total > findings->count)
		buf_printf(out, "%s: %zu more errors are not shown\n", findings->file,
			   findings->total - findings->count);
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
