/* SPDX-License-Identifier: MIT */
/*
 * AUTH, SELECT, ROLE and a PING go out in one piece; hiredis brings the answers
 * one by one. The text of an error is never logged: only the codes that we know,
 * in our words.
 */
#include "clients/redis/greeting.h"

#include <stdlib.h>

#include "clients/redis/client.h"
#include "clients/redis/link_io.h"
#include "clients/redis/probe.h"

bool redis_say(struct redis_link *link, redisCallbackFn *on_answer, const struct span *args, size_t count)
{
	char *bytes = malloc(redis_encoded_size(args, count) + 1);
	if (bytes == NULL)
		return false;
	redis_encode(bytes, args, count, 0);
	bool said = redis_link_write(link, bytes, redis_encoded_size(args, count), on_answer, link);
	free(bytes);
	return said;
}

/* An error that tells more than that the question was refused. */
static const char *known_reason(const struct redis_reply *answer, const char *otherwise)
{
	const struct redis_error *error = redis_error_of(answer->text);
	bool telling = error->effect == REDIS_EFFECT_DOWN || error->effect == REDIS_EFFECT_REJECTED;
	return telling ? error->why : otherwise;
}

static void on_step(struct redis_link *link, const struct redis_reply *answer, const char *refused)
{
	if (answer == NULL || link->state != REDIS_LINK_ST_GREETING)
		return;
	if (answer->kind == REDIS_ERROR && redis_error_of(answer->text)->effect != REDIS_EFFECT_DOWN)
		redis_link_close(link, known_reason(answer, refused));
}

static void on_auth(redisAsyncContext *context, void *answer, void *privdata)
{
	(void)context;
	on_step(privdata, answer, "it refused user and password");
}

static void on_select(redisAsyncContext *context, void *answer, void *privdata)
{
	(void)context;
	struct redis_link *link = privdata;
	const struct redis_reply *reply = answer;
	/* While it loads it selects nothing: such a connection would use the wrong database later. */
	if (reply != NULL && reply->kind == REDIS_ERROR && link->state == REDIS_LINK_ST_GREETING)
		redis_link_close(link, known_reason(reply, "it has no such database"));
}

static void on_role(redisAsyncContext *context, void *answer, void *privdata)
{
	(void)context;
	struct redis_link *link = privdata;
	const struct redis_reply *reply = answer;
	on_step(link, reply, "it does not tell its role");
	if (reply != NULL && link->state == REDIS_LINK_ST_GREETING && reply->kind == REDIS_ARRAY &&
	    !(reply->count > 0 && span_is(reply->elements[0].text, "master")))
		redis_link_close(link, "it is not the master");
}

static void on_greeting_over(redisAsyncContext *context, void *answer, void *privdata)
{
	(void)context;
	struct redis_link *link = privdata;
	if (answer == NULL || link->state != REDIS_LINK_ST_GREETING)
		return;
	const char *why = redis_judge_probe(link, answer);
	if (link->state == REDIS_LINK_ST_GREETING)
		redis_link_greeted(link, why);
}

void redis_greet(struct redis_link *link)
{
	const struct redis_link_options *options = &link->options;
	char database[16];
	bool said = true;
	if (options->password != NULL) {
		const struct secret_text *password = secret_text_hold(options->password);
		struct span auth[3] = {SPAN("AUTH"), span_of(options->user), {password->at, password->len}};
		if (options->user == NULL)
			auth[1] = auth[2];
		said = redis_say(link, on_auth, auth, options->user == NULL ? 2 : 3);
		secret_text_drop(password);
	}
	if (options->database != 0) {
		snprintf(database, sizeof(database), "%u", options->database);
		said = said && redis_say(link, on_select, (struct span[]){SPAN("SELECT"), span_of(database)}, 2);
	}
	if (options->master)
		said = said && redis_say(link, on_role, (struct span[]){SPAN("ROLE")}, 1);
	if (!said || !redis_ask_probe(link, on_greeting_over))
		link->why = "out of memory"; /* the timer closes it: this may run inside onConnect */
}
