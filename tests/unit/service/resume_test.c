/* SPDX-License-Identifier: MIT */
/* The option resume around a fallback: who is asked again when a stream breaks off, and what a client may see. */
#include "schemas/openai/request.h"
#include "tests/unit/service/fake_plan.h"

#include "service/plan/resume.h"

static struct plan root;
static struct plan inner;
static struct plan outer;
static const struct plan *outer_children[1];
static struct config config = {.limits = {.event = 65536}};
static struct config_plan_options options;

/* Leaves under a fallback, with resume around it, as plan.c would build it. */
static const char *wrapped_prepare(struct plan *plan, struct arena *arena)
{
	inner = *plan;
	inner.kind = &plan_kind_fallback;
	plan_kind_fallback.prepare(&inner, arena);
	outer_children[0] = &inner;
	outer = (struct plan){
	    .kind = &plan_kind_resume, .source = plan->source, .children = outer_children, .child_count = 1};
	return plan_kind_resume.prepare(&outer, arena);
}

static const char *request_members = ",\"temperature\":0";

static struct run *wrapped_create(const struct plan *plan, struct run_context *context, struct run_sink *sink)
{
	struct findings findings = {.count = 0};
	struct span body = arena_printf(
	    &fake_arena, "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\"}]%s}", request_members);
	(void)plan;
	assert_true(openai_request_decode(&fake_request, ENDPOINT_CHAT, &fake_arena, body, &JSON_DEPTH(32), &findings));
	return plan_create_run(&outer, context, sink);
}

static const struct plan_kind wrapped = {.name = "wrapped", .prepare = wrapped_prepare, .create_run = wrapped_create};

static struct run *set_up(size_t leaves, enum config_resume how, const char *members)
{
	static struct config_backend backends[FAKE_LEAVES];
	options.resume = how;
	request_members = members;
	fake_root_source.options = options;
	fake_worker.config = &config;
	struct run *run = fake_setup(&root, &wrapped, leaves, true);
	for (size_t i = 0; i < leaves; i++) {
		backends[i].prefill = i == 2 ? CONFIG_PREFILL_MESSAGE : CONFIG_PREFILL_NONE;
		fake_source[i].backend = &backends[i];
	}
	return run;
}

static void say(size_t leaf, const char *text)
{
	char data[256];
	snprintf(data, sizeof(data), "{\"id\":\"%zu\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}",
		 leaf, text);
	fake_chunk(leaf, CARRIES_CONTENT, data);
}

/* The texts that went up, in order. */
static const char *told(void)
{
	static char text[1024];
	text[0] = '\0';
	for (const char *at = fake_text; (at = strstr(at, "\"content\":\"")) != NULL;) {
		at += strlen("\"content\":\"");
		strncat(text, at, strcspn(at, "\""));
	}
	return text;
}

static void another_one_goes_on_where_they_agree(void **state)
{
	(void)state;
	set_up(2, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "Hel");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	fake_refuse(0, "0"); /* it was barred, as target_gate.c would */
	assert_int_equal(fake_leaf[1]->reason, CALL_RESUME);
	say(1, "He");
	say(1, "llo");
	say(1, " you");
	fake_end(1);
	assert_string_equal(told(), "Hello you");
	assert_null(strstr(fake_text, "error"));
	assert_null(strstr(fake_text, "\"id\":\"1\""));
	fake_teardown();
}

static void say_usage(size_t leaf, int64_t tokens)
{
	fake_send(leaf, (struct event){.kind = EVENT_USAGE, .usage = {tokens, tokens, tokens, -1, -1}});
}

/* Usage of an answer that is only heard goes up once it is joined; of one that is dropped, never. */
static void usage_of_an_answer_that_is_heard_is_told_once_it_is_joined(void **state)
{
	(void)state;
	set_up(3, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "Hel");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	fake_refuse(0, "0");
	say(1, "He");
	say_usage(1, 7);
	assert_null(strstr(fake_text, "usage"));
	fake_error(1, ERROR_UPSTREAM_RESET, true);
	fake_refuse(0, "0");
	fake_refuse(1, "0");
	say_usage(2, 9);
	say(2, "Hello");
	fake_end(2);
	assert_string_equal(told(), "Hello");
	assert_null(strstr(fake_text, "usage 7"));
	assert_non_null(strstr(fake_text, "usage 9"));
	fake_teardown();
}

static void who_broke_off_is_barred_while_there_is_another(void **state)
{
	(void)state;
	struct run *run = set_up(2, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "a");
	fake_error(0, ERROR_UPSTREAM_IDLE, true);
	const struct run_resumption *resumption = fake_leaf[0]->run.context->resumption;
	assert_non_null(resume_bars(resumption, NULL, 0, &fake_source[0]));
	assert_null(resume_bars(resumption, NULL, 0, &fake_source[1]));
	assert_null(fake_context.resumption);
	run->ops->cancel(run);
	fake_teardown();
	run = set_up(1, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "a");
	fake_error(0, ERROR_UPSTREAM_IDLE, true);
	assert_int_equal(fake_runs[0], 2);
	assert_null(resume_bars(fake_leaf[0]->run.context->resumption, NULL, 0, &fake_source[0]));
	run->ops->cancel(run);
	fake_teardown();
}

static void only_a_target_with_prefill_may_continue(void **state)
{
	(void)state;
	set_up(3, CONFIG_RESUME_EITHER, "");
	say(0, "one");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	const struct run_resumption *resumption = fake_leaf[0]->run.context->resumption;
	assert_true(span_is(resumption->prefill, "one"));
	assert_int_equal(resumption->spent, 1);
	assert_non_null(resume_bars(resumption, NULL, 0, &fake_source[1]));
	assert_null(resume_bars(resumption, NULL, 0, &fake_source[2]));
	fake_refuse(0, "0");
	fake_refuse(1, "0");
	say(2, " two");
	fake_end(2);
	assert_string_equal(told(), "one two");
	fake_teardown();
}

static void nothing_is_asked_again_that_need_not(void **state)
{
	static const struct {
		enum config_resume how;
		const char *members;
		enum error_code code;
		bool retryable;
		const char *text;
	} rows[] = {
	    {CONFIG_RESUME_REPLAY, "", ERROR_UPSTREAM_RESET, true, "a"},
	    {CONFIG_RESUME_REPLAY, ",\"temperature\":0", ERROR_UPSTREAM_TOTAL, true, "a"},
	    {CONFIG_RESUME_REPLAY, ",\"temperature\":0", ERROR_UPSTREAM_TOO_LARGE, false, "a"},
	    {CONFIG_RESUME_REPLAY, ",\"temperature\":0,\"n\":2", ERROR_UPSTREAM_RESET, true, "a"},
	    {CONFIG_RESUME_CONTINUE, ",\"temperature\":0", ERROR_UPSTREAM_RESET, true, "a"},
	    {CONFIG_RESUME_EITHER, ",\"temperature\":0", ERROR_UPSTREAM_REJECTED, false, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(1, rows[i].how, rows[i].members);
		if (rows[i].text != NULL)
			say(0, rows[i].text);
		fake_error(0, rows[i].code, rows[i].retryable);
		assert_int_equal(fake_runs[0], 1);
		assert_int_equal(fake_failure.code, rows[i].code);
		fake_teardown();
	}
}

static void what_says_something_else_is_cancelled(void **state)
{
	(void)state;
	set_up(1, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "Hel");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	say(0, "Hex");
	assert_true(fake_leaf[0]->cancelled);
	assert_int_equal(fake_failure.code, ERROR_UPSTREAM_RESET);
	assert_non_null(strstr(fake_causes(), "upstream_diverged"));
	assert_string_equal(told(), "Hel");
	fake_teardown();
}

static void an_end_in_the_middle_is_no_end(void **state)
{
	(void)state;
	set_up(1, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "Hel");
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	say(0, "He");
	fake_end(0);
	assert_non_null(strstr(fake_causes(), "upstream_diverged"));
	assert_null(strstr(fake_text, "end;"));
	fake_teardown();
}

static void it_ends_after_a_few(void **state)
{
	(void)state;
	set_up(1, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "a");
	for (int i = 0; i < 4; i++) {
		assert_null(strstr(fake_text, "error"));
		fake_error(0, ERROR_UPSTREAM_RESET, true);
	}
	assert_int_equal(fake_runs[0], 4);
	assert_int_equal(fake_failure.code, ERROR_UPSTREAM_RESET);
	fake_teardown();
}

static void pause_and_cancel_reach_the_run_that_goes_on(void **state)
{
	(void)state;
	struct run *run = set_up(1, CONFIG_RESUME_REPLAY, ",\"temperature\":0");
	say(0, "a");
	run->ops->pause(run, true);
	fake_error(0, ERROR_UPSTREAM_RESET, true);
	assert_true(fake_leaf[0]->paused);
	run->ops->pause(run, false);
	assert_false(fake_leaf[0]->paused);
	run->ops->cancel(run);
	assert_true(fake_leaf[0]->cancelled);
	fake_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(another_one_goes_on_where_they_agree),
	    cmocka_unit_test(usage_of_an_answer_that_is_heard_is_told_once_it_is_joined),
	    cmocka_unit_test(who_broke_off_is_barred_while_there_is_another),
	    cmocka_unit_test(only_a_target_with_prefill_may_continue),
	    cmocka_unit_test(nothing_is_asked_again_that_need_not),
	    cmocka_unit_test(what_says_something_else_is_cancelled),
	    cmocka_unit_test(an_end_in_the_middle_is_no_end),
	    cmocka_unit_test(it_ends_after_a_few),
	    cmocka_unit_test(pause_and_cancel_reach_the_run_that_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
