/* SPDX-License-Identifier: MIT */
/* A worker's calls of the script; lender.h holds the contract. */
#include "service/quotas/lender.h"

#include <pthread.h>
#include <stdlib.h>

#include "clients/redis/redis.h"
#include "lib/buf.h"
#include "lib/container.h"

enum { KEY_MOST = 8192, TURN_US = 10000 };

struct lender {
	struct lender_options options;
	struct quota_port *port;
	struct loop_message message; /* waiters are ready */
	struct timer renewal;
	struct buf key; /* scratch */
};

struct lender_call {
	struct quota_call call; /* first */
	struct redis_command command;
};

static struct redis_script script;

static void init_script(void)
{
	static char text[SCRIPT_LUA_SIZE];
	script_write_text(text);
	redis_script_init(&script, text, false);
}

static struct timers *timers_of(const struct lender *lender)
{
	return &loop_reactor(lender->options.loop)->timers;
}

static bool read_answer(const struct redis_reply *reply, struct script_answer *answer)
{
	int64_t numbers[SCRIPT_REPLIES];
	if (reply->kind != REDIS_ARRAY || reply->count != SCRIPT_REPLIES)
		return false;
	for (size_t i = 0; i < SCRIPT_REPLIES; i++) {
		if (reply->elements[i].kind != REDIS_INTEGER)
			return false;
		numbers[i] = reply->elements[i].integer;
	}
	return script_read(numbers, SCRIPT_REPLIES, answer);
}

static void on_reply(struct redis_command *command, const struct redis_reply *reply)
{
	struct lender_call *call = container_of(command, struct lender_call, command);
	struct script_answer answer;
	quota_call_end(&call->call, read_answer(reply, &answer) ? &answer : NULL);
}

static bool send_call(void *context, struct quota_call *call, struct span name)
{
	struct lender *lender = context;
	struct redis_command *command = &((struct lender_call *)call)->command;
	char text[SCRIPT_TEXT_SIZE];
	struct span args[SCRIPT_ARGS];
	script_write(&call->ask, text, args);
	buf_reset(&lender->key);
	buf_printf(&lender->key, "%s:quota:", lender->options.prefix);
	buf_append(&lender->key, name);
	command->on_reply = on_reply;
	return !buf_failed(&lender->key) &&
	       redis_eval(lender->options.redis, command, &script, buf_span(&lender->key), args, SCRIPT_ARGS,
			  timers_now(timers_of(lender)) + lender->options.budget_us);
}

static void on_message(struct loop_message *message)
{
	struct lender *lender = container_of(message, struct lender, message);
	quota_port_deliver(lender->port);
}

static void post(void *context)
{
	struct lender *lender = context;
	loop_post(lender->options.loop, &lender->message);
}

static void on_renewal(struct timer *timer)
{
	struct lender *lender = container_of(timer, struct lender, renewal);
	timer_start(timers_of(lender), timer, quota_port_renew(lender->port), on_renewal);
}

struct lender *lender_create(const struct lender_options *options)
{
	static const struct quota_port_ops ops = {sizeof(struct lender_call), send_call, post};
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct lender *lender = calloc(1, sizeof(*lender));
	if (lender == NULL)
		return NULL;
	pthread_once(&once, init_script);
	lender->options = *options;
	lender->message.run = on_message;
	buf_init(&lender->key, KEY_MOST);
	lender->port = quota_port_create(options->quotas, &ops, lender, timers_of(lender));
	if (lender->port != NULL && timer_start(timers_of(lender), &lender->renewal, 0, on_renewal))
		return lender;
	lender_destroy(lender);
	return NULL;
}

void lender_destroy(struct lender *lender)
{
	if (lender == NULL)
		return;
	timer_stop(timers_of(lender), &lender->renewal);
	if (lender->port != NULL) {
		loop_turn(lender->options.loop, 0);
		if (quota_port_close(lender->port))
			quota_port_give_back(lender->port);
		while (quota_port_is_busy(lender->port))
			loop_turn(lender->options.loop, TURN_US);
	}
	buf_fini(&lender->key);
	free(lender);
}

bool lender_rests(struct lender *lender)
{
	if (lender == NULL)
		return true;
	timer_stop(timers_of(lender), &lender->renewal);
	return !quota_port_is_busy(lender->port);
}

struct quota_port *lender_port(const struct lender *lender)
{
	return lender->port;
}
