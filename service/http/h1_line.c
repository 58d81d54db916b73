/* SPDX-License-Identifier: MIT */
/* Lines and field lines; h1_line.h holds the contract. */
#include "service/http/h1_line.h"

#include "lib/http_text.h"

enum h1_line h1_line_take(struct span *rest, struct span *line)
{
	const char *lf = rest->len == 0 ? NULL : memchr(rest->at, '\n', rest->len);
	if (lf == NULL)
		return H1_LINE_PARTIAL;
	if (lf == rest->at || lf[-1] != '\r')
		return H1_LINE_BROKEN;
	struct span found = {rest->at, (size_t)(lf - 1 - rest->at)};
	if (found.len > 0 && memchr(found.at, '\r', found.len) != NULL)
		return H1_LINE_BROKEN;
	*line = found;
	*rest = (struct span){lf + 1, rest->len - found.len - 2};
	return H1_LINE_FOUND;
}

bool h1_line_split(struct span line, struct span *name, struct span *value)
{
	const char *colon = line.len == 0 ? NULL : memchr(line.at, ':', line.len);
	if (colon == NULL)
		return false;
	*name = (struct span){line.at, (size_t)(colon - line.at)};
	*value = http_trim((struct span){colon + 1, line.len - name->len - 1});
	/* a folded line begins with a blank, which no name does */
	return http_is_token(*name) && http_is_field_value(*value);
}
