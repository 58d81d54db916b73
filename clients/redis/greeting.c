/* SPDX-License-Identifier: MIT */
/*
 * AUTH, SELECT, ROLE and a PING go out in one piece; hiredis brings the answers
 * one by one. The text of an error is never logged: only the codes that we know,
 * in our words.
 */
#include "clients/redis/greeting.h"

#include <stdlib.h>

#include "clients/redis/client.h"

static bool say(struct redis_link *link, redisCallbackFn *on_answer, const struct span *args, size_t count)
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

bool redis_ask_probe(struct redis_link *link, redisCallbackFn *on_answer)
{
	static const struct span ping[] = {{"PING", 4}};
	static const struct span info[] = {{"CLUSTER", 7}, {"INFO", 4}};
	return link->options.node ? say(link, on_answer, info, 2) : say(link, on_answer, ping, 1);
}

static const char *judge_error(struct redis_link *link, struct span text)
{
	const struct redis_error *error = redis_error_of(text);
	switch (error->effect) {
	case REDIS_EFFECT_NOPERM: /* an answer is an answer */
		return NULL;
	case REDIS_EFFECT_FULL:
	case REDIS_EFFECT_NO_WRITE:
	case REDIS_EFFECT_READONLY:
		if (link->server != NULL) {
			redis_server_answered(link->server);
			redis_server_refused_write(link->server, error->why, error->effect == REDIS_EFFECT_FULL,
						   redis_now(link->redis));
		}
		return NULL;
	case REDIS_EFFECT_DOWN:
	case REDIS_EFFECT_CLUSTER_DOWN:
		return error->why;
	default:
		break;
	}
	const char *why = error->effect == REDIS_EFFECT_REJECTED ? error->why
			  : link->options.node                   ? "it is not a node of a cluster"
								 : "it answers a PING with an error";
	redis_link_close(link, why);
	return why;
}

const char *redis_judge_probe(struct redis_link *link, const struct redis_reply *answer)
{
	static const char ok[] = "cluster_state:ok";
	if (answer->kind == REDIS_ERROR)
		return judge_error(link, answer->text);
	bool fits = link->options.node ? answer->kind == REDIS_BYTES
				       : answer->kind == REDIS_STATUS && span_is(answer->text, "PONG");
	if (!fits) {
		redis_link_close(link, "it does not answer as a Redis does");
		return "it does not answer as a Redis does";
	}
	if (link->options.node && memmem(answer->text.at, answer->text.len, ok, sizeof(ok) - 1) == NULL)
		return "CLUSTERDOWN: the cluster does not serve";
	return NULL;
}

void redis_greet(struct redis_link *link)
{
	const struct redis_link_options *options = &link->options;
	char database[16];
	bool said = true;
	if (options->password != NULL) {
		struct span auth[3] = {SPAN("AUTH"), span_of(options->user), span_of(options->password)};
		if (options->user == NULL)
			auth[1] = auth[2];
		said = say(link, on_auth, auth, options->user == NULL ? 2 : 3);
	}
	if (options->database != 0) {
		snprintf(database, sizeof(database), "%u", options->database);
		said = said && say(link, on_select, (struct span[]){SPAN("SELECT"), span_of(database)}, 2);
	}
	if (options->master)
		said = said && say(link, on_role, (struct span[]){SPAN("ROLE")}, 1);
	if (!said || !redis_ask_probe(link, on_greeting_over))
		link->why = "out of memory"; /* the timer closes it: this may run inside onConnect */
}
