/* SPDX-License-Identifier: MIT */
/* Requests that are kept, and answers to them; cached.h holds the contract. */
#include "tests/scenario/harness/cached.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/sse.h"

const char *cached_body(const char *model, bool stream, const char *members)
{
	static char bodies[4][CACHED_BODY_MOST];
	static unsigned turn;
	char *body = bodies[turn++ % 4];
	snprintf(body, CACHED_BODY_MOST,
		 "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]%s}", model,
		 stream ? "true" : "false", members);
	return body;
}

void cached_ask(const struct sluice *sluice, const char *headers, const char *body, struct answer *answer)
{
	struct h1 h1;
	h1_open(&h1, sluice->port, false);
	h1_post(&h1, "/v1/chat/completions", headers, body);
	h1_wait_end(&h1);
	*answer = h1.answer;
	h1.answer = (struct answer){.status = 0};
	h1_close(&h1);
}

void cached_check_whole(const struct answer *answer)
{
	struct bytes want = {0};
	cJSON *root = cJSON_Parse(bytes_text(&answer->body));
	cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "choices"), 0);
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(choice, "message"), "content"));
	for (int i = 0; i < CACHED_TOKENS; i++)
		bytes_printf(&want, " %d", i);
	if (text == NULL || strcmp(text, bytes_text(&want)) != 0)
		fail_msg("not the simulator's answer: %s", bytes_text(&answer->body));
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(choice, "finish_reason")), "stop");
	cJSON *usage = cJSON_GetObjectItem(root, "usage");
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(usage, "completion_tokens")), CACHED_TOKENS);
	cJSON_Delete(root);
	bytes_free(&want);
}

void cached_check_stream(const struct answer *answer)
{
	struct sse sse = {0};
	check_sse_whole(&answer->body, 1);
	sse_read(&sse, &answer->body);
	check_sse_counted(&sse, 0, CACHED_TOKENS);
	sse_free(&sse);
}

void cached_check(const struct answer *answer, bool stream)
{
	if (answer->status != 200 || !answer->ended)
		fail_msg("status %d: %.300s", answer->status, bytes_text(&answer->body));
	if (stream)
		cached_check_stream(answer);
	else
		cached_check_whole(answer);
}

void cached_ask_until(const struct sluice *sluice, const char *headers, const char *model, bool stream,
		      const char *wanted)
{
	struct patience patience = patience_for(wanted);
	for (bool seen = false; !seen;) {
		struct answer answer;
		patience_wait(&patience);
		cached_ask(sluice, headers, cached_body(model, stream, CACHED_ZERO), &answer);
		cached_check(&answer, stream);
		char *status = answer_header(&answer, "cache-status");
		seen = strstr(status, wanted) != NULL;
		free(status);
		answer_free(&answer);
	}
}

void cached_check_status(const struct answer *answer, const char *want)
{
	char *status = answer_header(answer, "cache-status");
	if (status == NULL || strncmp(status, want, strlen(want)) != 0)
		fail_msg("cache-status is %s, not %s", status == NULL ? "absent" : status, want);
	free(status);
}
