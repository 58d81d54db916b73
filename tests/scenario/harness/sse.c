/* SPDX-License-Identifier: MIT */
/* The independent reader of event streams. */
#include "tests/scenario/harness/sse.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"

static void sse_end_event(struct sse *sse)
{
	if (sse->pending.at == NULL) /* a blank line alone, after a comment */
		return;
	if ((sse->count & (sse->count + 1)) == 0) {
		sse->data = realloc(sse->data, (sse->count + 1) * 2 * sizeof *sse->data);
		sse->names = realloc(sse->names, (sse->count + 1) * 2 * sizeof *sse->names);
		assert_non_null(sse->data);
		assert_non_null(sse->names);
	}
	sse->names[sse->count] = sse->next_name;
	sse->next_name = NULL;
	sse->data[sse->count++] = sse->pending.at;
	sse->pending = (struct bytes){0};
}

/* A field that says nothing of the data. */
static bool is_field(const char *line, size_t len)
{
	static const char *const fields[] = {"event:", "id:", "retry:", "unknown:", "nocolon"};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (len >= strlen(fields[i]) && memcmp(line, fields[i], strlen(fields[i])) == 0)
			return true;
	return false;
}

static void sse_read_line(struct sse *sse, const char *line, size_t len)
{
	if (len == 0) {
		sse_end_event(sse);
	} else if (line[0] == ':') {
		sse->comments++;
	} else if (len >= 5 && memcmp(line, "data:", 5) == 0) {
		size_t skip = len > 5 && line[5] == ' ' ? 6 : 5;
		if (sse->pending.at != NULL)
			bytes_append(&sse->pending, "\n", 1);
		bytes_append(&sse->pending, line + skip, len - skip);
	} else if (sse->named && sse->next_name == NULL && len > 7 && memcmp(line, "event: ", 7) == 0) {
		sse->next_name = strndup(line + 7, len - 7);
	} else if (!is_field(line, len)) {
		fail_msg("a line that is no field of an event: %.*s", (int)len, line);
	}
}

void sse_read(struct sse *sse, const struct bytes *body)
{
	while (sse->read < body->len) {
		const char *line = body->at + sse->read;
		size_t len = 0;
		if (sse->after_cr && *line == '\n') {
			sse->after_cr = false;
			sse->read++;
			continue;
		}
		while (sse->read + len < body->len && line[len] != '\n' && line[len] != '\r')
			len++;
		if (sse->read + len == body->len)
			return;
		sse_read_line(sse, line, len);
		sse->after_cr = line[len] == '\r';
		sse->read += len + 1;
	}
}

size_t sse_rest(const struct sse *sse, const struct bytes *body)
{
	return sse->pending.len + (body->len - sse->read);
}

void sse_free(struct sse *sse)
{
	for (size_t i = 0; i < sse->count; i++) {
		free(sse->data[i]);
		free(sse->names[i]);
	}
	free(sse->data);
	free(sse->names);
	free(sse->next_name);
	bytes_free(&sse->pending);
	*sse = (struct sse){0};
}

bool sse_is_done(const struct sse *sse)
{
	return sse->count != 0 && strcmp(sse->data[sse->count - 1], "[DONE]") == 0;
}

static const char *choice_text(const cJSON *choice)
{
	const cJSON *delta = cJSON_GetObjectItemCaseSensitive(choice, "delta");
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(delta, "content"));
	return text != NULL ? text : cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "text"));
}

void sse_text(const struct sse *sse, int index, struct bytes *text)
{
	for (size_t i = 0; i < sse->count; i++) {
		if (strcmp(sse->data[i], "[DONE]") == 0)
			continue;
		cJSON *chunk = cJSON_Parse(sse->data[i]);
		if (chunk == NULL)
			fail_msg("event %zu is not JSON: %s", i, sse->data[i]);
		const cJSON *choice;
		cJSON_ArrayForEach(choice, cJSON_GetObjectItemCaseSensitive(chunk, "choices"))
		{
			const cJSON *at = cJSON_GetObjectItemCaseSensitive(choice, "index");
			const char *piece = choice_text(choice);
			if (piece != NULL && cJSON_IsNumber(at) && at->valueint == index)
				bytes_append(text, piece, strlen(piece));
		}
		cJSON_Delete(chunk);
	}
}

void check_sse_counted(const struct sse *sse, int index, size_t tokens)
{
	struct bytes text = {0};
	sse_text(sse, index, &text);
	char *at = text.at;
	for (size_t want = 0; want < tokens; want++) {
		char *end = at;
		if (at == NULL || *at != ' ' || strtoul(at + 1, &end, 10) != want || end == at + 1)
			fail_msg("token %zu of %zu is «%.20s»", want, tokens, at == NULL ? "" : at);
		at = end + strspn(end, "_");
	}
	if (at != NULL && *at != '\0')
		fail_msg("more than %zu tokens: «%.40s»", tokens, at);
	bytes_free(&text);
}

static int count_finish_reasons(const struct sse *sse)
{
	int count = 0;
	for (size_t i = 0; i < sse->count; i++) {
		cJSON *chunk = cJSON_Parse(sse->data[i]);
		const cJSON *choice;
		cJSON_ArrayForEach(choice, cJSON_GetObjectItemCaseSensitive(chunk, "choices"))
		{
			count += cJSON_IsString(cJSON_GetObjectItemCaseSensitive(choice, "finish_reason"));
		}
		cJSON_Delete(chunk);
	}
	return count;
}

static int count_done(const struct sse *sse)
{
	int count = 0;
	for (size_t i = 0; i < sse->count; i++)
		count += strcmp(sse->data[i], "[DONE]") == 0;
	return count;
}

static void check_error_event(const struct sse *sse, const char *code)
{
	cJSON *last = sse->count == 0 ? NULL : cJSON_Parse(sse->data[sse->count - 1]);
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(last, "error");
	const char *got = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "code"));
	if (got == NULL || strcmp(got, code) != 0)
		fail_msg("want the in-band error %s last, got %s", code,
			 sse->count == 0 ? "no event" : sse->data[sse->count - 1]);
	assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(error, "message")));
	assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(error, "type")));
	assert_true(cJSON_HasObjectItem(error, "param"));
	cJSON_Delete(last);
}

void check_sse_error(const struct bytes *body, const char *code)
{
	struct sse sse = {0};
	sse_read(&sse, body);
	check_error_event(&sse, code);
	if (count_done(&sse) != 0)
		fail_msg("[DONE] in a stream that broke: %s", bytes_text(body));
	if (count_finish_reasons(&sse) != 0)
		fail_msg("an invented finish_reason: %s", bytes_text(body));
	assert_int_equal(sse_rest(&sse, body), 0);
	sse_free(&sse);
}

void check_sse_whole(const struct bytes *body, int choices)
{
	struct sse sse = {0};
	sse_read(&sse, body);
	if (!sse_is_done(&sse) || count_done(&sse) != 1 || count_finish_reasons(&sse) != choices)
		fail_msg("not a whole stream of %d choices: …%s", choices,
			 bytes_text(body) + (body->len > 1000 ? body->len - 1000 : 0));
	assert_int_equal(sse_rest(&sse, body), 0);
	sse_free(&sse);
}
