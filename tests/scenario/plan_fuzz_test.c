/* SPDX-License-Identifier: MIT */
/*
 * The plan fuzzer: random plans over simulators with random faults, asked by random clients, some of whom leave or
 * read slowly. Of every answer it is checked that it ends once, that each choice is one simulator's own text, whole or
 * as far as it came, that who gave it may have, and that the plan may end like that (fuzz_plan.h). Of each round: that
 * no call, place or descriptor is left, that budgets held, and that the books agree with the simulators'. The
 * seed is printed, and can be given in SLUICE_SEED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/fuzz_plan.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sse.h"

enum {
	ROUNDS = 8,
	MODELS = 12,
	JOBS = 96,
	DEPTH = 5,
	LONG_MODEL = 0,
	HEDGED_MODEL = 1,
	FINAL_MODEL = 2,
	RESUMED_MODEL = 3,
	RESUMED_LAST = 5,
	TARGETS = 16,
	MESSAGES = 4,
	CHOICES = 2,
	SLOW_READERS = 4,
	TIGHT = 2,
	JOINTS = 8
};

enum sim_index { SIM_A, SIM_B, SIM_QUEUE, SIM_REFUSE, SIMS };
static const char *const sim_names[SIMS] = {"alpha", "beta", "gamma", "delta"};

enum budget { BUDGET_PLENTY, BUDGET_CALM, BUDGET_NONE, BUDGET_TIGHT, BUDGETS };

/* What a job asked for. */
struct question {
	char body[256];
	unsigned model; /* MODELS = the one that never answers in time */
	unsigned message;
	unsigned choices;
	bool stream;
};

struct world {
	struct seed seed;
	struct sim *sims[SIMS];
	cJSON *calls[SIMS];
	struct sluice *sluice;
	enum budget budget;
	struct fuzz_style style;
	unsigned serial;
	struct fuzz_plan *plans[MODELS];
	double asked[MODELS];
	struct question questions[JOBS];
	char *texts[FUZZ_TEXTS][MESSAGES][CHOICES]; /* that simulators answer; as needed */
	size_t whole, failed, cut, left, replayed, continued;
};

static unsigned roll(struct world *world, unsigned sides)
{
	return (unsigned)seed_below(&world->seed, sides);
}

/* ---- what simulators answer ---- */

static void learn_text(struct world *world, unsigned text, unsigned message)
{
	char model[64], body[256];
	fuzz_text_model(text, model, sizeof model);
	snprintf(body, sizeof body,
		 "{\"model\":\"%s\",\"n\":%d,\"messages\":[{\"role\":\"user\",\"content\":\"question %u\"}]}", model,
		 CHOICES, message);
	cJSON *expected = sim_expect(world->sims[SIM_A], body);
	cJSON *choices = cJSON_GetObjectItemCaseSensitive(expected, "choices");
	assert_int_equal(cJSON_GetArraySize(choices), CHOICES);
	for (int i = 0; i < CHOICES; i++) {
		const cJSON *choice = cJSON_GetArrayItem(choices, i);
		const char *own = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "text"));
		assert_non_null(own);
		world->texts[text][message][i] = strdup(own);
	}
	cJSON_Delete(expected);
}

static const char *text_of(struct world *world, const struct fuzz_plan *target, unsigned message, unsigned choice)
{
	if (world->texts[target->text][message][0] == NULL)
		learn_text(world, target->text, message);
	return world->texts[target->text][message][choice];
}

/* ---- an answer ---- */

/* Where another target went on with a stream. */
struct joint {
	const struct fuzz_plan *target;
	size_t behind; /* bytes of text before it */
	bool replayed; /* it said all of the text again; else it was given it */
};

/* What an answer told, by choice. */
struct told {
	const struct world *world;
	const struct fuzz_plan *plan;
	char *target; /* x-sluice-target, whose id and beginning it has; NULL = not told for all choices */
	struct joint joints[JOINTS];
	unsigned joint_count;
	const struct fuzz_plan *targets[FUZZ_CHOICES];
	struct bytes texts[FUZZ_CHOICES];
	unsigned finishes[FUZZ_CHOICES], roles[FUZZ_CHOICES];
	char id[96];
	bool gathered, error, done;
};

static void complain(const struct question *question, const struct answer *answer, const char *what)
{
	fail_msg("%s\nasked: %s\ngot: status %d, %s\n%s\n%.1500s\n…%s", what, question->body, answer->status,
		 answer->ended ? "ended" : "broken", bytes_text(&answer->head), bytes_text(&answer->body),
		 bytes_text(&answer->body) + (answer->body.len > 2000 ? answer->body.len - 500 : answer->body.len));
}

static const char *string_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static void read_message(struct told *told, int index, const cJSON *message)
{
	const char *content = string_of(message, "content");
	if (content != NULL)
		bytes_append(&told->texts[index], content, strlen(content));
	told->roles[index] += string_of(message, "role") != NULL;
}

/* NULL, or what is wrong with it. */
static const char *read_choice(struct told *told, const cJSON *choice)
{
	const cJSON *index = cJSON_GetObjectItemCaseSensitive(choice, "index");
	const char *named = string_of(choice, "sluice_target");
	const char *name = named != NULL ? named : told->target;
	if (!cJSON_IsNumber(index) || index->valueint < 0 || index->valueint >= FUZZ_CHOICES)
		return "a choice without an index";
	int at = index->valueint;
	const struct fuzz_plan *target = name == NULL ? NULL : fuzz_plan_find(told->plan, name);
	if (target == NULL)
		return "a choice of no target of the plan";
	if (told->targets[at] != NULL && told->targets[at] != target)
		return "a choice of two targets";
	told->gathered |= named != NULL;
	told->targets[at] = target;
	read_message(told, at, cJSON_GetObjectItemCaseSensitive(choice, "delta"));
	read_message(told, at, cJSON_GetObjectItemCaseSensitive(choice, "message"));
	told->finishes[at] += cJSON_IsString(cJSON_GetObjectItemCaseSensitive(choice, "finish_reason"));
	return NULL;
}

static const char *check_error_object(const cJSON *error)
{
	bool good = string_of(error, "message") != NULL && string_of(error, "type") != NULL &&
		    cJSON_HasObjectItem(error, "code") && cJSON_HasObjectItem(error, "param");
	return good ? NULL : "an error that is not one";
}

/* A chunk of a stream, or a whole answer. */
static const char *read_json(struct told *told, const char *text, size_t len)
{
	cJSON *root = cJSON_ParseWithLength(text, len);
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
	const cJSON *choices = cJSON_GetObjectItemCaseSensitive(root, "choices"), *choice;
	const char *id = string_of(root, "id"), *wrong = NULL;
	if (root == NULL || told->error || told->done)
		wrong = root == NULL ? "it is not JSON" : "something behind the end";
	else if (error != NULL)
		wrong = check_error_object(error);
	else if (id == NULL || (told->id[0] != '\0' && strcmp(told->id, id) != 0))
		wrong = "pieces of two answers";
	if (id != NULL)
		snprintf(told->id, sizeof told->id, "%s", id);
	told->error |= error != NULL;
	cJSON_ArrayForEach(choice, choices)
	{
		wrong = wrong != NULL ? wrong : read_choice(told, choice);
	}
	cJSON_Delete(root);
	return wrong;
}

static const char *read_stream(struct told *told, const struct answer *answer)
{
	struct sse sse = {0};
	const char *wrong = NULL;
	sse_read(&sse, &answer->body);
	for (size_t i = 0; i < sse.count && wrong == NULL; i++) {
		if (strcmp(sse.data[i], "[DONE]") != 0) {
			wrong = read_json(told, sse.data[i], strlen(sse.data[i]));
			continue;
		}
		wrong = told->done || told->error ? "two ends" : NULL;
		told->done = true;
	}
	if (wrong == NULL && sse_rest(&sse, &answer->body) != 0 && answer->ended)
		wrong = "half an event";
	sse_free(&sse);
	return wrong;
}

/* Streams end by their finish reasons; a whole answer without one is passed on as it is. */
static bool is_finished(const struct told *told, unsigned index, const struct question *question)
{
	const struct fuzz_plan *target = told->targets[index];
	if (!question->stream && target != NULL && strstr(target->model, "done_no_finish") != NULL)
		return true;
	return told->finishes[index] == (target != NULL);
}

/* Appends what a target says that goes on behind a text. NULL, or what is wrong with it. */
static const char *go_on(struct world *world, const struct joint *joint, unsigned message, struct bytes *text)
{
	const char *own = text_of(world, joint->target, message, 0);
	bool fits = strncmp(bytes_text(text), own, text->len) == 0;
	if (!fits && joint->replayed)
		return "a replay that says something else was joined";
	bytes_append(text, own + (fits ? text->len : 0), strlen(own) - (fits ? text->len : 0));
	return NULL;
}

/* The text that the targets of a stream give together: each up to where the next one went on. */
static const char *write_text(struct world *world, const struct told *told, const struct question *question,
			      unsigned index, struct bytes *text)
{
	const char *own = text_of(world, told->targets[index], question->message, index % question->choices);
	const char *wrong = NULL;
	bytes_append(text, own, strlen(own));
	for (unsigned i = 0; i < told->joint_count && wrong == NULL; i++) {
		const struct joint *joint = &told->joints[i];
		if (joint->target == NULL || joint->behind > text->len || question->choices != 1)
			return "a joint that cannot be";
		text->len = joint->behind;
		text->at[text->len] = '\0';
		wrong = go_on(world, joint, question->message, text);
	}
	return wrong;
}

/* The text of a choice is its target's, or that of all that went on with it: all of it, or its beginning. */
static const char *check_text(struct world *world, const struct told *told, const struct question *question,
			      unsigned index, bool whole)
{
	struct bytes want = {0};
	size_t len = told->texts[index].len;
	const char *wrong = NULL;
	if (told->targets[index] != NULL)
		wrong = write_text(world, told, question, index, &want);
	if (wrong == NULL && strncmp(bytes_text(&told->texts[index]), bytes_text(&want), len) != 0)
		wrong = "a choice's text is not its target's";
	if (wrong == NULL && whole && (len != want.len || !is_finished(told, index, question)))
		wrong = "a choice of a whole answer is not whole";
	bytes_free(&want);
	return wrong;
}

static const char *check_texts(struct world *world, const struct told *told, const struct question *question,
			       bool whole)
{
	const char *wrong = NULL;
	for (unsigned i = 0; i < FUZZ_CHOICES && wrong == NULL; i++) {
		wrong = check_text(world, told, question, i, whole);
		if (wrong == NULL && (told->roles[i] > 1 || (told->texts[i].len != 0 && told->roles[i] == 0)))
			wrong = "a choice without its one role";
	}
	return wrong;
}

static const cJSON *find_call(const struct world *world, const char *id)
{
	for (int i = 0; i < SIMS; i++) {
		char prefix[64];
		const cJSON *call;
		snprintf(prefix, sizeof prefix, "%s-%s-", strncmp(id, "msg-", 4) == 0 ? "msg" : "chatcmpl",
			 sim_names[i]);
		if (strncmp(id, prefix, strlen(prefix)) != 0)
			continue;
		cJSON_ArrayForEach(call, world->calls[i])
		{
			if (cJSON_GetObjectItemCaseSensitive(call, "id")->valueint == atoi(id + strlen(prefix)))
				return call;
		}
	}
	return NULL;
}

static bool call_is_of(const cJSON *call, const char *request_id)
{
	const char *own = string_of(cJSON_GetObjectItemCaseSensitive(call, "headers"), "x-request-id");
	return own != NULL && request_id != NULL && strcmp(own, request_id) == 0;
}

/* An answer that was relayed as it is came from a call that was made for it, to the target that it names. */
static const char *check_call(const struct told *told, const char *request_id)
{
	if (told->gathered || told->id[0] == '\0')
		return NULL;
	const cJSON *call = find_call(told->world, told->id);
	if (call == NULL)
		return "no simulator gave that answer";
	if (!call_is_of(call, request_id))
		return "an answer to another request";
	const struct fuzz_plan *first = told->targets[0];
	if (first != NULL && strcmp(string_of(call, "model"), first->model) != 0)
		return "an answer of another target than it says";
	return NULL;
}

/* A call of that exchange gave all of that text, to one of these targets. */
static bool said(const struct world *world, const struct fuzz_plan *plan, const char *request_id, unsigned text)
{
	for (unsigned i = 0; i < plan->count; i++) {
		if (said(world, plan->children[i], request_id, text))
			return true;
	}
	if (plan->kind != FUZZ_TARGET || plan->text != text)
		return false;
	double tokens = text >= FUZZ_BIG_FROM ? 40 : 2 + text % 11;
	for (int i = 0; i < SIMS; i++) {
		const cJSON *call;
		cJSON_ArrayForEach(call, world->calls[i])
		{
			if (call_is_of(call, request_id) && strcmp(string_of(call, "model"), plan->model) == 0 &&
			    cJSON_GetObjectItemCaseSensitive(call, "tokens_sent")->valuedouble >= tokens)
				return true;
		}
	}
	return false;
}

static const char *check_quorum(const struct told *told, const char *request_id)
{
	const struct fuzz_plan *plan = told->plan;
	unsigned agree = 0;
	if (plan->kind != FUZZ_QUORUM)
		return NULL;
	for (unsigned i = 0; i < plan->count; i++)
		agree += said(told->world, plan->children[i], request_id, told->targets[0]->text);
	return agree >= (plan->agree == 0 ? plan->count / 2 + 1 : plan->agree) ? NULL : "an answer that too few gave";
}

static bool has_content(const struct told *told)
{
	for (unsigned i = 0; i < FUZZ_CHOICES; i++) {
		if (told->texts[i].len != 0)
			return true;
	}
	return false;
}

/* How it ended; 0 = in no way that there is. */
static unsigned end_of(const struct told *told, const struct question *question, const struct answer *answer)
{
	bool ok = answer->status == 200 && answer->ended && !told->error;
	if (answer->status != 200)
		return answer->ended && told->error && !has_content(told) ? FUZZ_EARLY | FUZZ_FINAL : 0;
	if (!question->stream)
		return ok ? FUZZ_OK : FUZZ_LATE;
	if (ok)
		return told->done ? FUZZ_OK : 0;
	return !answer->ended || !told->error ? 0 : has_content(told) ? FUZZ_LATE : FUZZ_EARLY | FUZZ_FINAL | FUZZ_LATE;
}

static bool choices_fit(const struct told *told, const struct question *question, bool whole)
{
	if (question->stream || !whole)
		return fuzz_plan_fits_stream(told->plan, told->targets, question->choices, whole);
	return fuzz_plan_fits_whole(told->plan, told->targets, question->choices);
}

static const char *check_told(struct world *world, struct told *told, const struct question *question,
			      const struct answer *answer)
{
	const char *wrong = NULL;
	if (question->stream && answer->status == 200)
		wrong = read_stream(told, answer);
	else if (answer->ended)
		wrong = read_json(told, bytes_text(&answer->body), answer->body.len);
	unsigned end = end_of(told, question, answer);
	unsigned may = fuzz_plan_ends(told->plan, &world->style, question->stream);
	bool whole = end == FUZZ_OK;
	world->whole += whole;
	world->cut += end == FUZZ_LATE;
	world->failed += !whole && end != FUZZ_LATE;
	if (told->plan->compares && question->choices > 1)
		may = FUZZ_FINAL;
	if (wrong == NULL && end == 0)
		wrong = "it does not end as answers do";
	if (wrong == NULL && (end & may) == 0)
		wrong = "the plan can't end like that";
	if (wrong == NULL && !choices_fit(told, question, whole))
		wrong = "the plan can't give these choices";
	return wrong != NULL ? wrong : check_texts(world, told, question, whole);
}

static size_t count_calls(const struct world *world, const char *request_id)
{
	size_t count = 0;
	for (int i = 0; i < SIMS; i++) {
		const cJSON *call;
		cJSON_ArrayForEach(call, world->calls[i])
		{
			count += call_is_of(call, request_id);
		}
	}
	return count;
}

/* Nothing was sent again behind the plan's back: no more calls than it counted, each perhaps once more. */
static const char *check_attempts(const struct world *world, const struct answer *answer, const char *request_id)
{
	char *attempts = answer_header(answer, "x-sluice-attempts");
	size_t told = attempts == NULL ? 0 : strtoul(attempts, NULL, 10), seen = count_calls(world, request_id);
	free(attempts);
	if (world->budget != BUDGET_CALM || attempts == NULL)
		return NULL;
	return seen <= told * 2 && seen + 1 >= told ? NULL : "another number of calls than it says";
}

/* Reads the comments that say where other targets went on. */
static void read_joints(struct world *world, struct told *told, const struct answer *answer)
{
	static const char mark[] = ": resumed by ";
	for (const char *at = bytes_text(&answer->body); (at = strstr(at, mark)) != NULL;) {
		struct joint *joint = &told->joints[told->joint_count++];
		char how[16], name[160];
		assert_in_range(told->joint_count, 1, JOINTS);
		at += sizeof mark - 1;
		assert_int_equal(sscanf(at, "%15s on %159s behind %zu bytes\n\n", how, name, &joint->behind), 3);
		joint->target = fuzz_plan_find(told->plan, name);
		joint->replayed = strcmp(how, "replay") == 0;
		world->replayed += joint->replayed;
		world->continued += !joint->replayed;
	}
}

static void check_answer(struct world *world, const struct question *question, const struct answer *answer)
{
	struct told *told = calloc(1, sizeof *told);
	assert_non_null(told);
	char *request_id = answer_header(answer, "x-request-id");
	told->world = world;
	told->plan = world->plans[question->model];
	told->target = answer_header(answer, "x-sluice-target");
	read_joints(world, told, answer);
	const char *wrong = check_told(world, told, question, answer);
	if (wrong == NULL)
		wrong = check_call(told, request_id);
	if (wrong == NULL && told->targets[0] != NULL && !told->error && answer->ended)
		wrong = check_quorum(told, request_id);
	if (wrong == NULL)
		wrong = check_attempts(world, answer, request_id);
	if (wrong != NULL) {
		struct bytes yaml = {0};
		fuzz_plan_write(told->plan, &yaml);
		print_error("the plan m%u: %s\n", question->model, bytes_text(&yaml));
		complain(question, answer, wrong);
	}
	for (unsigned i = 0; i < FUZZ_CHOICES; i++)
		bytes_free(&told->texts[i]);
	free(told->target);
	free(request_id);
	free(told);
}

/* ---- the gateway's books ---- */

/* The sum of all samples that begin so and hold that label; label NULL: whatever they hold. */
static double sum(const struct bytes *metrics, const char *prefix, const char *label)
{
	double total = 0;
	for (const char *line = bytes_text(metrics), *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		const char *value = memrchr(line, ' ', (size_t)(end - line));
		if (strncmp(line, prefix, strlen(prefix)) != 0 || value == NULL)
			continue;
		if (label == NULL || memmem(line, (size_t)(value - line), label, strlen(label)) != NULL)
			total += strtod(value, NULL);
	}
	return total;
}

static void read_metrics(const struct world *world, struct bytes *metrics)
{
	struct answer answer;
	sluice_get(world->sluice, "/metrics", &answer);
	assert_int_equal(answer.status, 200);
	bytes_append(metrics, answer.body.at, answer.body.len);
	answer_free(&answer);
}

/* Of each backend no more extra calls run than its budget allows. */
static void look_at_budget(struct mass *mass)
{
	const struct world *world = mass->user;
	struct bytes metrics = {0};
	read_metrics(world, &metrics);
	for (int i = 0; i < FUZZ_BACKENDS; i++) {
		char label[32];
		snprintf(label, sizeof label, "backend=\"%s\"", fuzz_backend_names[i]);
		double extra = sum(&metrics, "sluice_retries_in_flight{", label);
		if (extra > (world->budget == BUDGET_NONE ? 0 : TIGHT))
			fail_msg("%g extra calls run at %s", extra, fuzz_backend_names[i]);
	}
	bytes_free(&metrics);
}

static void check_hedges(const struct world *world, const struct bytes *metrics)
{
	for (unsigned i = 0; i < MODELS; i++) {
		char prefix[64];
		snprintf(prefix, sizeof prefix, "sluice_attempts_total{model=\"m%u\"", i);
		double spares = sum(metrics, prefix, "reason=\"hedge\"");
		double most = fuzz_plan_spares(world->plans[i], world->asked[i]);
		if (spares > most)
			fail_msg("%g spares of m%u, at most %g are allowed", spares, i, most);
	}
}

/* Every attempt has one outcome, and was one call of a simulator unless it was cancelled or never got there. */
static void check_books(const struct world *world, const struct bytes *metrics)
{
	double attempts = sum(metrics, "sluice_attempts_total{", NULL),
	       judged = sum(metrics, "sluice_calls_total{", NULL);
	double resends = sum(metrics, "sluice_resends_total{", NULL), seen = 0;
	double unseen = sum(metrics, "sluice_stale_connections_total{", NULL);
	const char *const lost[] = {"client_closed_request", "upstream_connect", "upstream_reset",
				    "upstream_first_content", "upstream_total"};
	for (size_t i = 0; i < sizeof lost / sizeof lost[0] && world->budget != BUDGET_CALM; i++)
		unseen += sum(metrics, "sluice_calls_total{", lost[i]);
	for (int i = 0; i < SIMS; i++)
		seen += sim_stat(world->sims[i], "total");
	if (attempts != judged)
		fail_msg("%g attempts, but %g outcomes", attempts, judged);
	if (seen > attempts + resends || seen < attempts + resends - unseen)
		fail_msg(
		    "the simulators saw %g calls; %g attempts and %g resends were counted, of which %g may be unseen",
		    seen, attempts, resends, unseen);
}

/* No target has a call that runs or waits: all places and tickets came back. */
static void check_places(const struct world *world)
{
	struct answer answer;
	sluice_get(world->sluice, "/admin/backends", &answer);
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"running\":0");
	for (const char *at = bytes_text(&answer.body); (at = strstr(at, "ing\":")) != NULL; at++) {
		if (at[5] != '0')
			fail_msg("something runs or waits: %s", bytes_text(&answer.body));
	}
	answer_free(&answer);
}

static void check_metrics(const struct world *world)
{
	struct bytes metrics = {0};
	read_metrics(world, &metrics);
	assert_true(sum(&metrics, "sluice_calls_in_flight{", NULL) == 0);
	assert_true(sum(&metrics, "sluice_queue_waiting{", NULL) == 0);
	assert_true(sum(&metrics, "sluice_retries_in_flight{", NULL) == 0);
	check_hedges(world, &metrics);
	check_books(world, &metrics);
	bytes_free(&metrics);
}

/* ---- the load ---- */

static void random_question(struct world *world, struct question *question, unsigned models)
{
	question->model = roll(world, models);
	question->message = roll(world, MESSAGES);
	question->choices = 1 + (roll(world, 4) == 0);
	question->stream = roll(world, 3) != 0;
	snprintf(question->body, sizeof question->body,
		 "{\"model\":\"m%u\",\"n\":%u,\"stream\":%s,\"seed\":1,\"messages\":[{\"role\":\"user\",\"content\":"
		 "\"question %u\"}]}",
		 question->model, question->choices, question->stream ? "true" : "false", question->message);
	if (question->model < MODELS)
		world->asked[question->model]++;
}

static void random_job(struct world *world, const struct question *question, struct mass_job *job)
{
	*job = (struct mass_job){.body = question->body, .how = (enum leave)roll(world, 3)};
	unsigned side = world->style.calm ? 9 : roll(world, 10);
	if (question->model == MODELS || side < 2) {
		job->leaves = MASS_LEAVES_AFTER_TIME;
		job->leave_at = roll(world, 40000);
	} else if (side == 2) {
		job->leaves = MASS_LEAVES_AFTER_BYTES;
		job->leave_at = roll(world, 5000);
	}
}

static void fetch_calls(struct world *world)
{
	for (int i = 0; i < SIMS; i++) {
		cJSON_Delete(world->calls[i]);
		world->calls[i] = sim_calls_told(world->sims[i]);
	}
}

static void wait_idle(const struct world *world)
{
	for (int i = 0; i < SIMS; i++)
		sim_wait_idle(world->sims[i]);
}

/* Clients that ask, and read nothing until the others are through. */
static void open_slow(struct world *world, struct client *clients, struct question *questions)
{
	for (unsigned i = 0; i < SLOW_READERS; i++) {
		random_question(world, &questions[i], i % 2 == 0 ? LONG_MODEL + 1 : MODELS);
		client_post(&clients[i], world->sluice, (enum via)(i % VIA_COUNT), "/v1/chat/completions",
			    questions[i].body);
	}
}

static void read_slow(struct world *world, struct client *clients, const struct question *questions)
{
	for (unsigned i = 0; i < SLOW_READERS; i++)
		client_wait_end(&clients[i]);
	fetch_calls(world);
	for (unsigned i = 0; i < SLOW_READERS; i++) {
		check_answer(world, &questions[i], client_answer(&clients[i]));
		client_close(&clients[i]);
	}
}

static void check_jobs(struct world *world, const struct mass_job *jobs)
{
	wait_idle(world);
	fetch_calls(world);
	for (size_t i = 0; i < JOBS; i++) {
		world->left += jobs[i].left;
		if (!jobs[i].left)
			check_answer(world, &world->questions[i], &jobs[i].answer);
	}
}

static void run_load(struct world *world, enum via via)
{
	static const unsigned at_once[] = {8, 32, JOBS};
	bool h1 = via == VIA_H1 || via == VIA_H1_TLS;
	unsigned most = at_once[roll(world, 3)];
	struct mass_job jobs[JOBS];
	struct client slow[SLOW_READERS];
	struct question asked[SLOW_READERS];
	open_slow(world, slow, asked);
	for (size_t i = 0; i < JOBS; i++) {
		random_question(world, &world->questions[i], world->style.calm ? MODELS : MODELS + 1);
		random_job(world, &world->questions[i], &jobs[i]);
	}
	struct mass mass = {.sluice = world->sluice,
			    .via = via,
			    .connections = h1 ? most : most / 8,
			    .streams = h1 ? 1 : 8,
			    .jobs = jobs,
			    .count = JOBS,
			    .on_turn = world->style.extra_calls_refused ? look_at_budget : NULL,
			    .user = world};
	mass_run(&mass);
	read_slow(world, slow, asked);
	check_jobs(world, jobs);
	mass_free_answers(&mass);
}

/* ---- a round ---- */

/* The first ones are not left to chance. */
static struct fuzz_plan *make_plan(struct world *world, struct fuzz_maker *maker, unsigned model)
{
	if (model == LONG_MODEL)
		return fuzz_plan_make_long(maker);
	if (model == HEDGED_MODEL && !world->style.calm)
		return fuzz_plan_make_hedge(maker, 1 + roll(world, 10));
	if (model == FINAL_MODEL)
		return fuzz_plan_make_final(maker);
	if (model >= RESUMED_MODEL && model <= RESUMED_LAST && !world->style.calm)
		return fuzz_plan_make_resumed(maker);
	return fuzz_plan_make(maker, 1 + roll(world, DEPTH));
}

static void make_plans(struct world *world, struct bytes *yaml)
{
	for (unsigned i = 0; i < MODELS; i++) {
		struct fuzz_maker maker = {&world->seed, world->style, world->serial, TARGETS};
		world->plans[i] = make_plan(world, &maker, i);
		world->serial = maker.serial;
		world->asked[i] = 0;
		bytes_printf(yaml, "  m%u: ", i);
		fuzz_plan_write(world->plans[i], yaml);
		bytes_printf(yaml, "\n");
	}
	bytes_printf(yaml, "  m%d: a/w0;gap=%uus;ttft=100s\n", MODELS, ++world->serial);
}

static void start_sluice(struct world *world)
{
	static const char *const budgets[BUDGETS] = {"percent: 100, least: 100000", "percent: 100, least: 100000",
						     "percent: 0, least: 0", "percent: 0, least: 2"};
	const char *calm = "breaker: { enabled: false }, timeouts: { first_content: 90s, idle: 90s, total: 120s }";
	struct bytes models = {0};
	make_plans(world, &models);
	world->sluice = sluice_start(
	    "backends:\n"
	    "  a: { url: 'http://127.0.0.1:%d/v1', prefill: true, %s }\n"
	    "  b: { url: 'http://127.0.0.1:%d/v1', prefill: continue_final_message, %s }\n"
	    "  terse: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false },\n"
	    "           timeouts: { first_content: 100ms, idle: 100ms, total: 300ms } }\n"
	    "  messages: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, breaker: { enabled: false } }\n"
	    "  queue: { url: 'http://127.0.0.1:%d/v1', prefill: prefix, concurrency: { calls: "
	    "2, queue: 3, wait: 50ms },\n"
	    "           breaker: { consecutive: 2, wait: 30ms, wait_most: 100ms } }\n"
	    "  refuse: { url: 'http://127.0.0.1:%d/v1', breaker: { enabled: false } }\n"
	    "  dead: { url: 'http://127.0.0.1:1/v1', breaker: { enabled: false } }\n"
	    "retries: { attempts: 1000, %s }\n"
	    "limits: { buffer: 64KiB }\n"
	    "models:\n%s",
	    world->sims[SIM_A]->port, calm, world->sims[SIM_B]->port, calm, world->sims[SIM_B]->port,
	    world->sims[SIM_B]->port, world->sims[SIM_QUEUE]->port, world->sims[SIM_REFUSE]->port,
	    budgets[world->budget], bytes_text(&models));
	bytes_free(&models);
}

static void run_round(struct world *world, enum budget budget)
{
	world->budget = budget;
	world->style = (struct fuzz_style){.extra_calls_refused = budget == BUDGET_NONE || budget == BUDGET_TIGHT,
					   .calm = budget == BUDGET_CALM};
	for (int i = 0; i < SIMS; i++)
		sim_reset(world->sims[i]);
	start_sluice(world);
	for (enum via via = 0; via < VIA_COUNT; via++)
		run_load(world, via);
	wait_idle(world);
	sluice_wait_idle(world->sluice);
	check_metrics(world);
	check_places(world);
	assert_true(proc_stop(world->sluice->proc));
	for (unsigned i = 0; i < MODELS; i++)
		fuzz_plan_free(world->plans[i]);
}

static void fini(struct world *world)
{
	for (int i = 0; i < SIMS; i++)
		cJSON_Delete(world->calls[i]);
	for (size_t i = 0; i < sizeof world->texts / sizeof(char *); i++)
		free((&world->texts[0][0][0])[i]);
	free(world);
}

static void random_plans_keep_their_promises(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	(void)state;
	assert_non_null(world);
	world->seed = seed_start();
	for (int i = 0; i < SIMS; i++) {
		const char *const options[] = {"--name", sim_names[i], "--seed", "7", NULL};
		world->sims[i] = sim_start(options);
	}
	for (unsigned i = 0; i < ROUNDS; i++)
		run_round(world, (enum budget)(i % BUDGETS));
	print_message("%zu whole, %zu failed, %zu cut, %zu left; %zu joints by replay, %zu by continue\n", world->whole,
		      world->failed, world->cut, world->left, world->replayed, world->continued);
	assert_true(world->replayed > 0 && world->continued > 0);
	fini(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(random_plans_keep_their_promises),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
