/* SPDX-License-Identifier: MIT */
/* What is asked for, and at random. Judging what came back is in judge.c. */
#include "tests/soak/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/soak/judge.h"

enum { BATCH = 3000, CONNECTIONS = 32, STREAMS = 6, REUSE = 8, BODY_MOST = 2048, INPUTS_MOST = 12, INPUTS_POOL = 3000 };

/* Twenty tokens of the simulator's counting model, and what it makes of them. */
#define COUNT "count;ttft=3ms;jitter=3ms;itl=1ms;tokens=20"

/*
 * "steady" never fails, "narrow" takes few calls at once, and "flaky" has all the
 * faults: those of its models, and those that faults.c makes it have.
 */
static const char plans[] =
    "backends:\n"
    "  flaky:\n"
    "    url: 'http://127.0.0.1:%d/v1'\n"
    "    timeouts: { connect: 500ms, first_content: 400ms, idle: 400ms, total: 5s }\n"
    "    breaker: { wait: 100ms, wait_most: 1s }\n"
    "    probe: { path: /models, every: 500ms, slow_start: 2s }\n"
    "  steady: { url: 'http://localhost:%d/v1', resolve: 1s }\n"
    "  narrow:\n"
    "    url: 'http://127.0.0.1:%d/v1'\n"
    "    concurrency: { calls: 3, adaptive: true, queue: 6, wait: 100ms }\n"
    "models:\n"
    "  plain: steady/" COUNT "\n"
    "  long: steady/count;itl=1ms;tokens=300\n"
    "  slow: steady/count;tokens=8000;token_bytes=1000\n"
    "  heavy: steady/count;tokens=200;token_bytes=1000\n"
    "  kept: steady/" COUNT "\n"
    "  queued: narrow/" COUNT "\n"
    "  back: { fallback: [flaky/" COUNT ", steady/" COUNT "] }\n"
    "  again: { retry: { balance: [flaky/" COUNT ", flaky/count;fault=reset_before_head] }, attempts: 3 }\n"
    "  spare: { hedge: [flaky/count;ttft=60ms;jitter=60ms;tokens=20, steady/" COUNT "], after: 30ms, hedges: 50%% }\n"
    "  first: { race: [flaky/" COUNT ", steady/" COUNT "] }\n"
    "  both: { all: [steady/" COUNT ", steady/count;ttft=9ms;tokens=20] }\n"
    "  mixed: { all: [steady/" COUNT ", flaky/" COUNT "] }\n"
    "  agreed: { quorum: [steady/" COUNT ", steady/count;tokens=20, flaky/" COUNT "], agree: 2 }\n"
    "  spread: { balance: [flaky/" COUNT ", steady/" COUNT ", narrow/" COUNT "] }\n"
    "  weighed: { balance: [steady/" COUNT ", flaky/" COUNT "], by: weighted, weights: [3, 1] }\n"
    "  sticky: { fallback: [{ balance: [flaky/" COUNT ", steady/" COUNT "], by: prefix }, steady/" COUNT "] }\n"
    "  joined: { fallback: [flaky/count;fault=reset_mid;after=5;tokens=20, steady/" COUNT "], resume: replay }\n"
    "  vectors: steady/vec\n";

void traffic_config(struct bytes *yaml, int flaky, int steady, int narrow)
{
	static const char *const faults[][2] = {
#define FAULT(name, items) {name, items},
#include "tests/soak/fault_models.def"
#undef FAULT
	};
	bytes_printf(yaml, plans, flaky, steady, narrow);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		bytes_printf(yaml, "  %s: flaky/count;tokens=20;itl=1ms;fault=%s\n", faults[i][0], faults[i][1]);
}

#define FAULT(name_, items) \
	{.name = name_, .model = name_, .weight = 1, .form = EITHER, .may_fail = true, .tokens = 20},

/* A chat about one of so many things: those who ask for the same may get the same answer. */
#define PROMPTS_FEW 50
#define PROMPTS_MANY 4000
#define ASKED ",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define WITHIN "\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}"

static const struct kind kinds[] = {
    {.name = "plain", .model = "plain", .weight = 40, .form = EITHER, .tokens = 20},
    {.name = "long", .model = "long", .weight = 6, .form = STREAM, .tokens = 300},
    {.name = "heavy", .model = "heavy", .weight = 2, .form = EITHER, .tokens = 200},
    {.name = "kept", .model = "kept", .weight = 40, .form = EITHER, .tokens = 20, .prompts = PROMPTS_MANY},
    {.name = "kept often", .model = "kept", .weight = 30, .form = EITHER, .tokens = 20, .prompts = PROMPTS_FEW},
    {.name = "queued", .model = "queued", .weight = 12, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "fallback", .model = "back", .weight = 8, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "retry", .model = "again", .weight = 8, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "hedge", .model = "spare", .weight = 8, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "race", .model = "first", .weight = 8, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "all", .model = "both", .weight = 6, .form = EITHER, .tokens = 20, .choices = 2},
    {.name = "all, faulty",
     .model = "mixed",
     .weight = 4,
     .form = EITHER,
     .tokens = 20,
     .choices = 2,
     .may_fail = true},
    {.name = "quorum", .model = "agreed", .weight = 6, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "balance", .model = "spread", .weight = 8, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "weights", .model = "weighed", .weight = 6, .form = EITHER, .tokens = 20, .may_fail = true},
    {.name = "prefix",
     .model = "sticky",
     .weight = 6,
     .form = EITHER,
     .tokens = 20,
     .may_fail = true,
     .prompts = PROMPTS_FEW},
    {.name = "resume",
     .model = "joined",
     .weight = 6,
     .form = STREAM,
     .tokens = 20,
     .may_fail = true,
     .prompts = PROMPTS_MANY},
    {.name = "fan-out",
     .path = "/v1/fanout",
     .weight = 4,
     .shape = SHAPE_LANES,
     .body = "{\"targets\":[\"plain\",\"kept\"]," WITHIN},
    {.name = "fan-out, faulty",
     .path = "/v1/fanout",
     .weight = 4,
     .shape = SHAPE_LANES,
     .may_fail = true,
     .body = "{\"targets\":[\"plain\",\"back\",\"again\"],\"stream\":true," WITHIN},
    {.name = "embeddings", .path = "/v1/embeddings", .weight = 20, .shape = SHAPE_VECTORS},
    {.name = "bad JSON", .weight = 3, .shape = SHAPE_ERROR, .code = "invalid_json", .body = "{\"model\":\"plain\",,}"},
    {.name = "bad value",
     .weight = 3,
     .shape = SHAPE_ERROR,
     .code = "invalid_value",
     .body = "{\"model\":\"plain\",\"n\":0" ASKED "}"},
    {.name = "no such model",
     .weight = 3,
     .shape = SHAPE_ERROR,
     .code = "model_not_found",
     .body = "{\"model\":\"nobody\"" ASKED "}"},
    {.name = "bad plan",
     .path = "/v1/fanout",
     .weight = 2,
     .shape = SHAPE_ERROR,
     .code = "invalid_plan",
     .body = "{\"plan\":{\"all\":[\"plain\",{\"race\":\"nobody\"}]}," WITHIN},
    {.name = "no such path", .path = "/v1/nothing", .weight = 1, .shape = SHAPE_ERROR, .code = "unknown_url"},
    {.name = "models", .path = "/v1/models", .weight = 2, .shape = SHAPE_ANY},
    {.name = "metrics", .path = "/metrics", .weight = 2, .shape = SHAPE_ANY},
    {.name = "backends", .path = "/admin/backends", .weight = 2, .shape = SHAPE_ANY},
    {.name = "cache", .path = "/admin/cache", .weight = 1, .shape = SHAPE_ANY},
    {.name = "readiness", .path = "/readyz", .weight = 2, .shape = SHAPE_ANY},
    {.name = "document", .path = "/openapi.json", .weight = 1, .shape = SHAPE_ANY},
#include "tests/soak/fault_models.def"
};

#define KINDS (sizeof kinds / sizeof *kinds)
_Static_assert(KINDS <= TRAFFIC_KINDS_MOST, "there is a count for each kind");

uint64_t traffic_roll(struct traffic *traffic, uint64_t sides)
{
	traffic->random += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = traffic->random;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % sides;
}

static const struct kind *random_kind(struct traffic *traffic)
{
	unsigned sum = 0;
	for (size_t i = 0; i < KINDS; i++)
		sum += kinds[i].weight;
	uint64_t at = traffic_roll(traffic, sum);
	const struct kind *kind = kinds;
	for (; at >= kind->weight; kind++)
		at -= kind->weight;
	return kind;
}

struct request {
	struct expected expected;
	char body[BODY_MOST];
};

static void write_chat(struct traffic *traffic, struct request *request)
{
	const struct kind *kind = request->expected.kind;
	uint64_t prompt = traffic_roll(traffic, kind->prompts == 0 ? 1000000000 : kind->prompts);
	snprintf(request->body, sizeof request->body,
		 "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%llu of %u\"}]%s%s}", kind->model,
		 (unsigned long long)prompt, kind->prompts, kind->prompts == 0 ? "" : ",\"temperature\":0",
		 request->expected.stream ? ",\"stream\":true" : "");
}

static void write_inputs(struct traffic *traffic, struct request *request)
{
	size_t count = 1 + (size_t)traffic_roll(traffic, INPUTS_MOST);
	int at = snprintf(request->body, sizeof request->body, "{\"model\":\"vectors\",\"input\":[");
	for (size_t i = 0; i < count; i++)
		at += snprintf(request->body + at, sizeof request->body - (size_t)at, "%s\"text %llu\"",
			       i == 0 ? "" : ",", (unsigned long long)traffic_roll(traffic, INPUTS_POOL));
	snprintf(request->body + at, sizeof request->body - (size_t)at, "]}");
	request->expected.inputs = count;
}

/* One of ten leaves: half-way through its request, after a while, or behind some bytes. */
static void choose_leave(struct traffic *traffic, struct mass_job *job)
{
	if (job->body == NULL || traffic_roll(traffic, 10) != 0)
		return;
	job->how = (enum leave)traffic_roll(traffic, 3);
	job->leaves = (enum mass_leave)(1 + traffic_roll(traffic, 3));
	job->leave_at = traffic_roll(traffic, job->leaves == MASS_LEAVES_AFTER_TIME ? 40000 : 4000);
}

static void draw(struct traffic *traffic, struct request *request, struct mass_job *job)
{
	const struct kind *kind = random_kind(traffic);
	request->expected = (struct expected){
	    .kind = kind, .stream = kind->form == STREAM || (kind->form == EITHER && traffic_roll(traffic, 2) == 0)};
	*job = (struct mass_job){.path = kind->path, .body = kind->body};
	if (kind->model != NULL)
		write_chat(traffic, request);
	else if (kind->shape == SHAPE_VECTORS)
		write_inputs(traffic, request);
	if (kind->model != NULL || kind->shape == SHAPE_VECTORS)
		job->body = request->body;
	choose_leave(traffic, job);
}

struct turn {
	void (*call)(void *user);
	void *user;
};

static void take_turn(struct mass *mass)
{
	const struct turn *turn = mass->user;
	turn->call(turn->user);
}

static void count_answer(struct traffic *traffic, const struct request *request, const struct mass_job *job)
{
	size_t row = (size_t)(request->expected.kind - kinds);
	if (job->left)
		traffic->counts[row].left++;
	else if (judge_answer(&request->expected, &job->answer, request->body))
		traffic->counts[row].right++;
	else
		traffic->counts[row].failed++;
}

void traffic_run(struct traffic *traffic, uint64_t until_us, void (*on_turn)(void *user), void *user)
{
	struct request *requests = calloc(BATCH, sizeof *requests);
	struct mass_job *jobs = calloc(BATCH, sizeof *jobs);
	assert_non_null(requests);
	assert_non_null(jobs);
	for (size_t i = 0; i < BATCH; i++)
		draw(traffic, &requests[i], &jobs[i]);
	struct turn turn = {on_turn, user};
	struct mass mass = {.sluice = traffic->sluice,
			    .via = MASS_MIXED,
			    .connections = CONNECTIONS,
			    .streams = STREAMS,
			    .reuse = REUSE,
			    .jobs = jobs,
			    .count = BATCH,
			    .until_us = until_us,
			    .on_turn = take_turn,
			    .user = &turn};
	mass_run(&mass);
	for (size_t i = 0; i < mass.started; i++)
		count_answer(traffic, &requests[i], &jobs[i]);
	traffic->requests += mass.started;
	mass_free_answers(&mass);
	free(jobs);
	free(requests);
}

void traffic_close(const struct traffic *traffic)
{
	printf("\n%-22s %9s %9s %9s\n", "requests", "right", "failed", "left");
	for (size_t i = 0; i < KINDS; i++)
		printf("%-22s %9zu %9zu %9zu\n", kinds[i].name, traffic->counts[i].right, traffic->counts[i].failed,
		       traffic->counts[i].left);
	for (size_t i = 0; i < KINDS; i++)
		if (traffic->counts[i].right + (kinds[i].weight == 1 ? traffic->counts[i].failed : 0) == 0)
			fail_msg("no request of the kind \"%s\" was ever answered", kinds[i].name);
}
