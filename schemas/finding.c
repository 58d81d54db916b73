/* SPDX-License-Identifier: MIT */
/* Findings as a list, and on the wire. */
#include "schemas/finding.h"

#include "lib/json_write.h"

struct finding *finding_add(struct findings *findings)
{
	return findings->count < FINDINGS_MOST ? &findings->list[findings->count++] : NULL;
}

void finding_only(struct findings *findings, struct finding finding)
{
	findings->list[0] = finding;
	findings->count = 1;
}

void finding_write(struct buf *out, const struct finding *finding)
{
	const struct error_row *row = error_row(finding->code);
	buf_append(out, SPAN("{\"loc\":"));
	buf_append(out, finding->loc);
	buf_append(out, SPAN(",\"msg\":"));
	json_write_string(out, finding->message.at == NULL ? span_of(row->text) : finding->message);
	buf_append(out, SPAN(",\"type\":"));
	json_write_string(out, span_of(row->code));
	buf_append(out, SPAN(",\"input\":"));
	buf_append(out, finding->input.at == NULL ? SPAN("null") : finding->input);
	buf_append(out, SPAN("}"));
}

void finding_write_all(struct buf *out, const struct findings *findings)
{
	bool first = true;
	buf_append(out, SPAN("["));
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->list[i].loc.at == NULL)
			continue;
		if (!first)
			buf_append(out, SPAN(","));
		first = false;
		finding_write(out, &findings->list[i]);
	}
	buf_append(out, SPAN("]"));
}
