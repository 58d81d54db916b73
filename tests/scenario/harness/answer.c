/* SPDX-License-Identifier: MIT */
/* Answers: their storage and the checks every scenario makes on them. */
#include "tests/scenario/harness/answer.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"

void answer_free(struct answer *answer)
{
	bytes_free(&answer->head);
	bytes_free(&answer->body);
	free(answer->pieces);
	*answer = (struct answer){0};
}

void answer_add_header(struct answer *answer, const char *name, size_t name_len, const char *value, size_t value_len)
{
	for (size_t i = 0; i < name_len; i++) {
		char lower = (char)tolower((unsigned char)name[i]);
		bytes_append(&answer->head, &lower, 1);
	}
	bytes_append(&answer->head, ": ", 2);
	bytes_append(&answer->head, value, value_len);
	bytes_append(&answer->head, "\n", 1);
}

void answer_add_piece(struct answer *answer, size_t offset, size_t len)
{
	size_t count = answer->piece_count;
	if (count == 0 || (count & (count - 1)) == 0) {
		answer->pieces = realloc(answer->pieces, (count == 0 ? 1 : count * 2) * sizeof *answer->pieces);
		if (answer->pieces == NULL)
			abort();
	}
	answer->pieces[answer->piece_count++] = (struct piece){offset, len, clock_us()};
}

char *answer_header(const struct answer *answer, const char *name)
{
	char *found = NULL;
	size_t name_len = strlen(name);
	const char *line = bytes_text(&answer->head);
	while (*line != '\0') {
		const char *end = strchr(line, '\n');
		if (strncmp(line, name, name_len) == 0 && line[name_len] == ':') {
			if (found != NULL)
				fail_msg("header %s came twice:\n%s", name, bytes_text(&answer->head));
			const char *value = line + name_len + 2;
			found = strndup(value, (size_t)(end - value));
		}
		line = end + 1;
	}
	return found;
}

void check_header(const struct answer *answer, const char *name, const char *value)
{
	char *found = answer_header(answer, name);
	if (value == NULL && found != NULL)
		fail_msg("header %s should be absent, is «%s»", name, found);
	if (value != NULL && (found == NULL || strcmp(found, value) != 0))
		fail_msg("header %s: want «%s», got «%s»; head:\n%s", name, value, found == NULL ? "(absent)" : found,
			 bytes_text(&answer->head));
	free(found);
}

void check_error(const struct answer *answer, int status, const char *code)
{
	cJSON *root = cJSON_ParseWithLength(bytes_text(&answer->body), answer->body.len);
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
	const char *got = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "code"));
	if (answer->status != status || got == NULL || strcmp(got, code) != 0)
		fail_msg("want %d %s, got %d: %.1000s", status, code, answer->status, bytes_text(&answer->body));
	const char *const members[] = {"message", "type", "param", "code"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (!cJSON_HasObjectItem(error, members[i]))
			fail_msg("the error lacks %s: %s", members[i], bytes_text(&answer->body));
	cJSON_Delete(root);
	check_header(answer, "content-type", "application/json");
}

static const char *text_member(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
	return text == NULL ? "" : text;
}

void check_problem(const struct answer *answer, int status, const char *code)
{
	cJSON *root = cJSON_ParseWithLength(bytes_text(&answer->body), answer->body.len);
	const cJSON *told = cJSON_GetObjectItemCaseSensitive(root, "status");
	if (answer->status != status || !cJSON_IsNumber(told) || told->valueint != status ||
	    strcmp(text_member(root, "code"), code) != 0)
		fail_msg("want %d %s, got %d: %.1000s", status, code, answer->status, bytes_text(&answer->body));
	const char *const members[] = {"type", "title", "detail"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (*text_member(root, members[i]) == '\0')
			fail_msg("the problem lacks %s: %s", members[i], bytes_text(&answer->body));
	check_header(answer, "x-request-id", text_member(root, "request_id"));
	check_header(answer, "content-type", "application/problem+json");
	cJSON_Delete(root);
}
