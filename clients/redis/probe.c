/* SPDX-License-Identifier: MIT */
/*
 * Whether a server serves: asked every few seconds on a silent connection, and
 * from time to time, after waits that grow, while the server is down. An answer
 * that comes later than anybody would wait for it does not bring it back.
 */
#include "clients/redis/probe.h"

#include "clients/redis/client.h"
#include "clients/redis/greeting.h"
#include "clients/redis/link_io.h"

bool redis_ask_probe(struct redis_link *link, redisCallbackFn *on_answer)
{
	static const struct span ping[] = {{"PING", 4}};
	static const struct span info[] = {{"CLUSTER", 7}, {"INFO", 4}};
	return link->options.node ? redis_say(link, on_answer, info, 2) : redis_say(link, on_answer, ping, 1);
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

static void on_probe_answer(redisAsyncContext *context, void *answer, void *privdata)
{
	(void)context;
	struct redis_link *link = privdata;
	uint64_t now = redis_now(link->redis);
	if (answer == NULL || link->pinged_us == 0)
		return;
	bool slow = now - link->pinged_us > link->redis->config->budget_us;
	link->pinged_us = 0;
	link->heard_us = now;
	const char *why = redis_judge_probe(link, answer);
	if (link->state != REDIS_LINK_ST_READY)
		return;
	bool down = link->server != NULL && redis_server_state(link->server) == REDIS_SERVER_ST_DOWN;
	if (why == NULL && !(slow && down)) {
		if (link->server != NULL)
			redis_server_answered(link->server);
		link->probing = false;
		if (link->good_since_us == 0)
			link->good_since_us = now;
		redis_link_set_timer(link, REDIS_PING_EVERY_US);
		return;
	}
	if (why != NULL && link->server != NULL)
		redis_server_is_down(link->server, why);
	link->probing = true;
	redis_link_set_timer(link, redis_link_backoff_us(link));
}

void redis_link_probe_now(struct redis_link *link)
{
	uint64_t now = redis_now(link->redis);
	redis_link_set_timer(link, REDIS_PING_PATIENCE_US);
	link->pinged_us = now;
	link->unsent = redis_link_unsent(link);
	if (!redis_ask_probe(link, on_probe_answer))
		redis_link_close(link, "out of memory");
}

void redis_link_probe(struct redis_link *link)
{
	if (link->probing || link->state != REDIS_LINK_ST_READY || link->server == NULL)
		return;
	link->probing = true;
	if (link->pinged_us == 0)
		redis_link_set_timer(link, redis_link_backoff_us(link));
}
