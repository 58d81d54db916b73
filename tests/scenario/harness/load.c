/* SPDX-License-Identifier: MIT */
/* Dealing a skewed load and judging its answers; load.h holds the contract. */
#include "tests/scenario/harness/load.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/sse.h"

enum { BODY_MOST = 320, LEAVES_ONE_IN = 25, CONNECTIONS_H1 = 48, CONNECTIONS_H2 = 8, STREAMS_H2 = 12 };

/* One question of one tenant, and the answer to it. */
struct load_question {
	unsigned model, tenant;
	bool asked;
	char bodies[2][BODY_MOST]; /* by stream */
	char *text;
	double tokens;
};

static const struct {
	const char *name, *at_simulator;
} models[LOAD_MODELS] = {{"alpha", "alpha;tokens=12"}, {"beta", "beta;tokens=40"}, {"odd", "utf8;tokens=20"}};

static const char *const tenants[LOAD_TENANTS] = {NULL, "Bearer one", "Bearer two"};

/* ---- dealing ---- */

/* The two forms of a request are one question, whatever the order of members, white space and who the user is. */
static void question_write(struct load_question *question, size_t number)
{
	const char *model = models[question->model].name;
	snprintf(question->bodies[0], BODY_MOST,
		 "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"question %zu\"}],\"temperature\":0}",
		 model, number);
	snprintf(question->bodies[1], BODY_MOST,
		 "{\"stream\":true, \"temperature\":0, \"user\":\"somebody\", \"model\":\"%s\",\n"
		 "\"messages\":[{\"content\":\"question %zu\",\"role\":\"user\"}]}",
		 model, number);
}

/* All tenants get the same answer to the same question. */
static void question_learn(struct load_question *question, const struct load *load, size_t number)
{
	char body[BODY_MOST];
	snprintf(body, sizeof body,
		 "{\"model\":\"%s%s\",\"messages\":[{\"role\":\"user\",\"content\":\"question %zu\"}]}",
		 models[question->model].at_simulator, load->settings == NULL ? "" : load->settings, number);
	cJSON *expected = sim_expect(load->sim, body);
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(expected, "text"));
	const cJSON *usage = cJSON_GetObjectItemCaseSensitive(expected, "usage");
	assert_non_null(text);
	question->text = strdup(text);
	question->tokens = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(usage, "completion_tokens"));
	cJSON_Delete(expected);
}

static size_t question_count(const struct load *load)
{
	return load->questions * LOAD_TENANTS * LOAD_MODELS;
}

static void write_questions(struct load *load)
{
	load->list = calloc(question_count(load), sizeof *load->list);
	assert_non_null(load->list);
	for (size_t i = 0; i < question_count(load); i++) {
		struct load_question *question = &load->list[i];
		size_t number = i / (LOAD_TENANTS * LOAD_MODELS);
		question->tenant = (unsigned)(i % LOAD_TENANTS);
		question->model = (unsigned)(i / LOAD_TENANTS % LOAD_MODELS);
		question_write(question, number);
		if (question->tenant == 0) {
			question_learn(question, load, number);
		} else {
			question->text = strdup(load->list[i - 1].text);
			question->tokens = load->list[i - 1].tokens;
		}
	}
}

/* Of Zipf's law with an exponent of one: question n is asked 1/n as often as the first. */
static size_t skewed(struct dice *dice, const double *sums, size_t count)
{
	double at = (double)dice_roll(dice, UINT64_C(1) << 40) / (double)(UINT64_C(1) << 40) * sums[count - 1];
	size_t low = 0, high = count - 1;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (sums[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void deal_leaving(struct load *load, struct mass_job *job)
{
	job->how = (enum leave)dice_roll(load->dice, 3);
	switch (dice_roll(load->dice, 3)) {
	case 0:
		job->leaves = MASS_LEAVES_MID_REQUEST;
		break;
	case 1:
		job->leaves = MASS_LEAVES_AFTER_TIME;
		job->leave_at = dice_roll(load->dice, 30000);
		break;
	default:
		job->leaves = MASS_LEAVES_AFTER_BYTES;
		job->leave_at = dice_roll(load->dice, 4000);
	}
}

void load_deal(struct load *load, unsigned services)
{
	size_t count = question_count(load);
	double *sums = calloc(count, sizeof *sums);
	load->jobs = calloc(load->requests, sizeof *load->jobs);
	load->asked = calloc(load->requests, sizeof *load->asked);
	assert_true(sums != NULL && load->jobs != NULL && load->asked != NULL);
	write_questions(load);
	for (size_t i = 0; i < count; i++)
		sums[i] = (i == 0 ? 0 : sums[i - 1]) + 1 / (double)(i + 1);
	for (size_t i = 0; i < load->requests; i++) {
		struct load_question *question = &load->list[skewed(load->dice, sums, count)];
		load->distinct += !question->asked;
		question->asked = true;
		load->asked[i] = question;
		load->jobs[i] = (struct mass_job){.body = question->bodies[dice_roll(load->dice, 2)],
						  .authorization = tenants[question->tenant],
						  .service = (unsigned)dice_roll(load->dice, services)};
		if (load->leaves && dice_roll(load->dice, LEAVES_ONE_IN) == 0)
			deal_leaving(load, &load->jobs[i]);
	}
	free(sums);
}

void load_free(struct load *load)
{
	for (size_t i = 0; load->list != NULL && i < question_count(load); i++)
		free(load->list[i].text);
	free(load->list);
	free(load->jobs);
	free(load->asked);
	load->list = NULL;
	load->jobs = NULL;
	load->asked = NULL;
}

/* ---- judging ---- */

static void fail_answer(const struct load_question *question, const struct answer *answer, const char *why)
{
	fail_msg("%s\n  asked: %s\n  as %s, want: %s\n  status %d, %s: %.3000s", why, question->bodies[0],
		 question->tenant == 0 ? "nobody" : tenants[question->tenant], question->text, answer->status,
		 answer->ended ? "ended" : "not ended", bytes_text(&answer->body));
}

/* Counts an error object by its code. False: it is none. */
static bool note_error(struct load *load, const cJSON *root)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
	const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "code"));
	if (!cJSON_IsObject(error) || !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(error, "message")))
		return false;
	if (code == NULL)
		code = "(none)";
	struct load_code *at = load->codes;
	while (at < load->codes + LOAD_CODES - 1 && at->count > 0 && strcmp(at->code, code) != 0)
		at++;
	snprintf(at->code, sizeof at->code, "%s", code);
	at->count++;
	load->failed++;
	return true;
}

static bool ends_with_error(struct load *load, const struct sse *sse)
{
	cJSON *last = sse->count == 0 ? NULL : cJSON_Parse(sse->data[sse->count - 1]);
	bool is_error = note_error(load, last);
	cJSON_Delete(last);
	return is_error;
}

static void judge_stream(struct load *load, const struct load_question *question, const struct mass_job *job)
{
	const struct answer *answer = &job->answer;
	struct sse sse = {0};
	struct bytes text = {0};
	sse_read(&sse, &answer->body);
	sse_text(&sse, 0, &text);
	if (strncmp(question->text, bytes_text(&text), text.len) != 0)
		fail_answer(question, answer, "a stream with another answer in it");
	if (job->left) {
		load->left++;
	} else if (!answer->ended) {
		fail_answer(question, answer, "a stream that broke without a word");
	} else if (sse_is_done(&sse)) {
		check_sse_whole(&answer->body, 1);
		if (strcmp(question->text, bytes_text(&text)) != 0 ||
		    !bytes_contain(&answer->body, "\"finish_reason\":\"stop\""))
			fail_answer(question, answer, "a stream that is whole and not the answer");
		load->whole++;
	} else if (!ends_with_error(load, &sse) || bytes_contain(&answer->body, "\"finish_reason\":\"") ||
		   sse_rest(&sse, &answer->body) != 0) {
		fail_answer(question, answer, "a stream that ends with neither an error nor [DONE]");
	}
	bytes_free(&text);
	sse_free(&sse);
}

static void judge_whole(struct load *load, const struct load_question *question, const struct answer *answer)
{
	cJSON *root = cJSON_Parse(bytes_text(&answer->body));
	const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "choices"), 0);
	const cJSON *message = cJSON_GetObjectItemCaseSensitive(choice, "message");
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "content"));
	const char *finish = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "finish_reason"));
	const cJSON *usage = cJSON_GetObjectItemCaseSensitive(root, "usage");
	double tokens = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(usage, "completion_tokens"));
	if (text == NULL || strcmp(text, question->text) != 0 || finish == NULL || strcmp(finish, "stop") != 0 ||
	    tokens != question->tokens)
		fail_answer(question, answer, "not the answer");
	load->whole++;
	cJSON_Delete(root);
}

static void judge_error(struct load *load, const struct load_question *question, const struct answer *answer)
{
	cJSON *root = cJSON_Parse(bytes_text(&answer->body));
	if (!note_error(load, root))
		fail_answer(question, answer, "an error that does not say so");
	cJSON_Delete(root);
}

static void on_end(struct mass *mass, struct mass_job *job)
{
	struct load *load = mass->user;
	const struct load_question *question = load->asked[job - load->jobs];
	const struct answer *answer = &job->answer;
	bool stream = job->body == question->bodies[1];
	load->over++;
	if (answer->status == 200 && stream)
		judge_stream(load, question, job);
	else if (job->left)
		load->left++;
	else if (!answer->ended)
		fail_answer(question, answer, "an answer that broke without a word");
	else if (answer->status == 200)
		judge_whole(load, question, answer);
	else if (answer->status >= 400)
		judge_error(load, question, answer);
	else
		fail_answer(question, answer, "neither an answer nor an error");
	answer_free(&job->answer);
	if (load->on_over != NULL)
		load->on_over(load);
}

void load_run(struct load *load, struct sluice *const each[], unsigned services, enum via via, size_t until)
{
	bool h1 = via == VIA_H1 || via == VIA_H1_TLS;
	struct mass mass = {.sluice = each[0],
			    .services = services,
			    .via = via,
			    .connections = h1 ? CONNECTIONS_H1 : CONNECTIONS_H2,
			    .streams = h1 ? 1 : STREAMS_H2,
			    .jobs = load->jobs + load->over,
			    .count = until - load->over,
			    .on_end = on_end,
			    .user = load};
	for (unsigned i = 1; i < services; i++)
		mass.others[i - 1] = each[i];
	mass_run(&mass);
}

void load_tell(const struct load *load, const char *what)
{
	print_message("%s: %zu requests, %zu different; %zu whole, %zu failed, %zu left;", what, load->over,
		      load->distinct, load->whole, load->failed, load->left);
	for (const struct load_code *at = load->codes; at < load->codes + LOAD_CODES && at->count > 0; at++)
		print_message(" %s %zu", at->code, at->count);
	print_message("\n");
}
