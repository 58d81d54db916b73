/* SPDX-License-Identifier: MIT */
/* The judge of single answers. */
#include "tests/soak/judge.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/sse.h"

static const struct kind *kind_of(const struct expected *expected)
{
	return expected->kind;
}

/* What a backend's fault, a full queue or a plan without enough answers may end in. All else is ours. */
static bool is_explained(const char *code)
{
	return strncmp(code, "upstream_", 9) == 0 || strncmp(code, "queue_", 6) == 0 || strcmp(code, "no_quorum") == 0;
}

/* The code of {"error":{"code":…}}, "" when it is none. The caller frees. */
static char *error_code(const char *text)
{
	cJSON *root = cJSON_Parse(text);
	const char *code = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "error"), "code"));
	char *copy = strdup(code == NULL ? "" : code);
	cJSON_Delete(root);
	return copy;
}

static void check_failure(const struct expected *expected, const struct answer *answer, const char *body)
{
	char *code = error_code(bytes_text(&answer->body));
	const struct kind *kind = kind_of(expected);
	bool fits = kind->shape == SHAPE_ERROR ? strcmp(code, kind->code) == 0 : kind->may_fail && is_explained(code);
	if (!fits)
		fail_msg("%s: status %d with the code \"%s\" for %s\n%s%.1000s", kind->name, answer->status, code, body,
			 bytes_text(&answer->head), bytes_text(&answer->body));
	free(code);
}

/* Tokens that a choice of a stream has: each begins with its only blank. */
static size_t tokens_of(const struct sse *sse, int choice)
{
	struct bytes text = {0};
	size_t count = 0;
	sse_text(sse, choice, &text);
	for (const char *at = bytes_text(&text); (at = strchr(at, ' ')) != NULL; at++)
		count++;
	bytes_free(&text);
	return count;
}

/* What came of a stream that broke off is the beginning of what would have come. */
static void check_broken_stream(const struct expected *expected, const struct answer *answer, const struct sse *sse)
{
	const struct kind *kind = kind_of(expected);
	char *code = sse->count == 0 ? strdup("") : error_code(sse->data[sse->count - 1]);
	if (!kind->may_fail || !is_explained(code))
		fail_msg("%s: a stream that ended with \"%s\": …%s", kind->name, code,
			 bytes_text(&answer->body) + (answer->body.len > 1000 ? answer->body.len - 1000 : 0));
	for (int i = 0; i < (int)(kind->choices == 0 ? 1 : kind->choices); i++)
		check_sse_counted(sse, i, tokens_of(sse, i));
	if (kind->choices == 0)
		check_sse_error(&answer->body, code);
	free(code);
}

static bool judge_stream(const struct expected *expected, const struct answer *answer)
{
	const struct kind *kind = kind_of(expected);
	int choices = kind->choices == 0 ? 1 : (int)kind->choices;
	struct sse sse = {0};
	sse_read(&sse, &answer->body);
	bool whole = sse_is_done(&sse);
	if (whole)
		check_sse_whole(&answer->body, choices);
	else
		check_broken_stream(expected, answer, &sse);
	for (int i = 0; whole && i < choices; i++)
		check_sse_counted(&sse, i, kind->tokens);
	sse_free(&sse);
	return whole;
}

/* Fails unless text is " 0 1 2 …", each token perhaps padded with _. */
static void check_counted_text(const struct kind *kind, const char *text)
{
	const char *at = text == NULL ? "" : text;
	for (size_t want = 0; want < kind->tokens; want++) {
		char *end = NULL;
		if (*at != ' ' || strtoul(at + 1, &end, 10) != want || end == at + 1)
			fail_msg("%s: token %zu of %zu is «%.20s»", kind->name, want, kind->tokens, at);
		at = end + strspn(end, "_");
	}
	if (*at != '\0')
		fail_msg("%s: more than %zu tokens: «%.40s»", kind->name, kind->tokens, at);
}

static void check_whole(const struct kind *kind, const struct answer *answer)
{
	cJSON *root = cJSON_Parse(bytes_text(&answer->body));
	const cJSON *choices = cJSON_GetObjectItem(root, "choices");
	if (cJSON_GetArraySize(choices) != (int)(kind->choices == 0 ? 1 : kind->choices))
		fail_msg("%s: %d choices: %.1000s", kind->name, cJSON_GetArraySize(choices), bytes_text(&answer->body));
	const cJSON *choice;
	cJSON_ArrayForEach(choice, choices)
	{
		const cJSON *message = cJSON_GetObjectItem(choice, "message");
		check_counted_text(kind, cJSON_GetStringValue(cJSON_GetObjectItem(message, "content")));
		if (!kind->may_fail && !cJSON_IsString(cJSON_GetObjectItem(choice, "finish_reason")))
			fail_msg("%s: no finish_reason: %.1000s", kind->name, bytes_text(&answer->body));
	}
	cJSON_Delete(root);
}

/* One vector for each input, in order, all of one length. */
static void check_vectors(const struct expected *expected, const struct answer *answer)
{
	cJSON *root = cJSON_Parse(bytes_text(&answer->body));
	const cJSON *data = cJSON_GetObjectItem(root, "data");
	int index = 0, length = 0;
	if (cJSON_GetArraySize(data) != (int)expected->inputs)
		fail_msg("%d vectors for %zu inputs: %.500s", cJSON_GetArraySize(data), expected->inputs,
			 bytes_text(&answer->body));
	const cJSON *vector;
	cJSON_ArrayForEach(vector, data)
	{
		int size = cJSON_GetArraySize(cJSON_GetObjectItem(vector, "embedding"));
		assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(vector, "index")), index++);
		assert_true(size > 0 && (length == 0 || size == length));
		length = size;
	}
	cJSON_Delete(root);
}

/* True: all lanes of a fan-out's result finished; when not, its kind may fail. */
static bool judge_result(const struct expected *expected, const char *result)
{
	cJSON *root = cJSON_Parse(result);
	const cJSON *lane, *lanes = cJSON_GetObjectItem(root, "lanes");
	bool right = cJSON_GetArraySize(lanes) > 0;
	cJSON_ArrayForEach(lane, lanes)
	{
		const char *status = cJSON_GetStringValue(cJSON_GetObjectItem(lane, "status"));
		right = right && status != NULL && strcmp(status, "finished") == 0;
	}
	if (root == NULL || (!right && !kind_of(expected)->may_fail))
		fail_msg("%s: %.1000s", kind_of(expected)->name, result);
	cJSON_Delete(root);
	return right;
}

/* A stream of lanes ends with its result and [DONE], or with an error. */
static bool judge_lanes(const struct expected *expected, const struct answer *answer)
{
	const struct kind *kind = kind_of(expected);
	struct sse sse = {.named = true};
	bool right = false;
	if (!bytes_contain(&answer->body, "event: lane."))
		return judge_result(expected, bytes_text(&answer->body));
	sse_read(&sse, &answer->body);
	const char *last = sse.names[sse.count - 1];
	if (sse_is_done(&sse) && sse.count > 1)
		right = judge_result(expected, sse.data[sse.count - 2]);
	else if (!kind->may_fail || last == NULL || strcmp(last, "error") != 0)
		fail_msg("%s: a stream that is not whole: …%s", kind->name,
			 bytes_text(&answer->body) + (answer->body.len > 1000 ? answer->body.len - 1000 : 0));
	sse_free(&sse);
	return right;
}

static bool judge_success(const struct expected *expected, const struct answer *answer)
{
	switch (kind_of(expected)->shape) {
	case SHAPE_COUNTED:
		if (expected->stream)
			return judge_stream(expected, answer);
		check_whole(kind_of(expected), answer);
		break;
	case SHAPE_LANES:
		return judge_lanes(expected, answer);
	case SHAPE_VECTORS:
		check_vectors(expected, answer);
		break;
	case SHAPE_ERROR:
		fail_msg("%s: status 200 where a refusal was asked for", kind_of(expected)->name);
		break;
	case SHAPE_ANY:
		break;
	}
	return true;
}

/* Whole answers too long to be held are relayed as they come: one that breaks off can only be cut, which HTTP tells. */
static bool is_cut(const struct expected *expected, const struct answer *answer)
{
	enum { HELD_MOST = 64 << 10 };
	return answer->broken && answer->status == 200 && !expected->stream && kind_of(expected)->may_fail &&
	       answer->body.len > HELD_MOST;
}

bool judge_answer(const struct expected *expected, const struct answer *answer, const char *body)
{
	if (is_cut(expected, answer))
		return false;
	if (!answer->ended)
		fail_msg("%s: status %d, and the answer broke off (%s, RST_STREAM %u) for %s: …%s",
			 kind_of(expected)->name, answer->status, answer->broken ? "broken" : "open",
			 answer->reset_code, body,
			 bytes_text(&answer->body) + (answer->body.len > 500 ? answer->body.len - 500 : 0));
	if (answer->status == 200)
		return judge_success(expected, answer);
	check_failure(expected, answer, body);
	return kind_of(expected)->shape == SHAPE_ERROR;
}
