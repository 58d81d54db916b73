/* SPDX-License-Identifier: MIT */
/* Commands that are waited for; redis_caller.h holds the contract. */
#include "service/loop/redis_caller.h"

#include <stdio.h>

#include "lib/container.h"
#include "lib/reactor.h"
#include "service/loop/loop.h"

enum { TURN_US = 10000, MS_US = 1000 };

/* A command of either kind. */
struct wanted {
	const struct redis_script *script; /* NULL = args are the command */
	struct span key;
	const struct span *args;
	size_t count;
};

static bool fail(struct redis_caller *caller, struct span what)
{
	snprintf(caller->why, sizeof(caller->why), "redis: %.*s", what.len > 240 ? 240 : (int)what.len, what.at);
	return false;
}

/* An error says what is wrong in its text, which has nothing of what was sent. */
static void on_reply(struct redis_command *command, const struct redis_reply *reply)
{
	struct redis_caller *caller = container_of(command, struct redis_caller, command);
	caller->done = true;
	if (reply->kind == REDIS_SILENT)
		fail(caller, SPAN("it does not answer"));
	else if (reply->kind == REDIS_ERROR)
		fail(caller, reply->text);
	else
		caller->good = caller->read(caller->context, reply) || fail(caller, span_of(caller->alien));
}

static uint64_t now_us(struct redis_caller *caller)
{
	return timers_refresh(&loop_reactor(caller->loop)->timers);
}

static bool send(struct redis_caller *caller, const struct wanted *wanted, uint64_t deadline_us)
{
	if (wanted->script != NULL)
		return redis_eval(caller->redis, &caller->command, wanted->script, wanted->key, wanted->args,
				  wanted->count, deadline_us);
	return redis_send(caller->redis, &caller->command, wanted->args, wanted->count, 1, deadline_us);
}

static bool call(struct redis_caller *caller, const struct wanted *wanted, redis_caller_read read, void *context)
{
	uint64_t deadline_us = now_us(caller) + caller->wait_us;
	caller->read = read;
	caller->context = context;
	caller->done = caller->good = false;
	caller->command.on_reply = on_reply;
	while (!send(caller, wanted, deadline_us)) {
		loop_turn(caller->loop, TURN_US);
		if (now_us(caller) >= deadline_us)
			return fail(caller, SPAN("it cannot be reached"));
	}
	while (!caller->done)
		loop_turn(caller->loop, TURN_US);
	return caller->good;
}

bool redis_caller_send(struct redis_caller *caller, const struct span *args, size_t count, redis_caller_read read,
		       void *context)
{
	return call(caller, &(struct wanted){.args = args, .count = count}, read, context);
}

bool redis_caller_eval(struct redis_caller *caller, const struct redis_script *script, struct span key,
		       const struct span *args, size_t count, redis_caller_read read, void *context)
{
	return call(caller, &(struct wanted){.script = script, .key = key, .args = args, .count = count}, read,
		    context);
}

bool redis_caller_init(struct redis_caller *caller, struct redis_shared *shared, struct loop *loop, unsigned wait_ms,
		       const char *alien)
{
	*caller = (struct redis_caller){.loop = loop, .wait_us = (uint64_t)wait_ms * MS_US, .alien = alien};
	caller->redis = redis_create(shared, loop_reactor(loop), NULL);
	return caller->redis != NULL;
}

void redis_caller_fini(struct redis_caller *caller)
{
	redis_destroy(caller->redis);
	caller->redis = NULL;
}
