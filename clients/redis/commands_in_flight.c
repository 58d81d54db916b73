/* SPDX-License-Identifier: MIT */
/*
 * Commands on their way. A slot keeps its encoded command, because it may have
 * to be sent again (another node, a script that is not known); it is given to
 * hiredis as a pointer, and freed when hiredis calls back, however late. Who
 * waits for it may be gone long before.
 */
#include "clients/redis/client.h"
#include "clients/redis/link_io.h"
#include "clients/redis/probe.h"
#include "lib/container.h"

#include <stdlib.h>

static enum metrics_redis_kind kind_of(const struct redis_slot *slot)
{
	if (slot->script != NULL)
		return METRICS_REDIS_SCRIPT;
	return slot->access == REDIS_ACCESS_READ ? METRICS_REDIS_READ : METRICS_REDIS_WRITE;
}

static void leave_parking(struct redis_slot *slot)
{
	if (slot->state == REDIS_SLOT_ST_PARKED)
		TAILQ_REMOVE(&slot->at->parked, slot, parked);
	slot->state = REDIS_SLOT_ST_PAUSED;
}

static void slot_free(struct redis_slot *slot)
{
	struct timers *timers = &slot->redis->reactor->timers;
	timer_stop(timers, &slot->deadline);
	timer_stop(timers, &slot->pause);
	leave_parking(slot);
	LIST_REMOVE(slot, link);
	if (slot->bytes != slot->with)
		free(slot->bytes);
	free(slot);
}

/* Takes the slot's owner, if it still has one, and tells it. */
static void slot_tell(struct redis_slot *slot, const struct redis_reply *reply, enum metrics_redis_result result)
{
	struct redis_command *command = slot->command;
	struct redis *redis = slot->redis;
	if (command == NULL)
		return;
	metrics_count(redis->cells, METRIC_REDIS_COMMANDS, result);
	if (reply->kind != REDIS_SILENT)
		metrics_observe(redis->cells, redis_now(redis) - slot->started_us, METRIC_REDIS_DURATION,
				kind_of(slot));
	timer_stop(&redis->reactor->timers, &slot->deadline);
	slot->command = NULL;
	command->slot = NULL;
	command->on_reply(command, reply);
}

static void tell_silence(struct redis_slot *slot, enum metrics_redis_result result)
{
	static const struct redis_reply silence = {.kind = REDIS_SILENT};
	slot_tell(slot, &silence, result);
}

void redis_slot_fail(struct redis_slot *slot)
{
	leave_parking(slot);
	if (!slot->redis->stopping)
		tell_silence(slot, METRICS_REDIS_LOST);
	slot_free(slot);
}

static void on_deadline(struct timer *timer)
{
	struct redis_slot *slot = container_of(timer, struct redis_slot, deadline);
	struct redis_link *link = slot->at;
	if (slot->state != REDIS_SLOT_ST_SENT) {
		leave_parking(slot);
		tell_silence(slot, METRICS_REDIS_TIMEOUT);
		slot_free(slot);
		return;
	}
	if (link->server != NULL) {
		redis_server_silent(link->server);
		if (!redis_server_is_up(link->server))
			redis_link_probe(link);
	}
	tell_silence(slot, METRICS_REDIS_TIMEOUT); /* it stays, for hiredis */
}

/* What the code of an error says about the server. */
static void take_effect(struct redis_slot *slot, const struct redis_error *error)
{
	struct redis_link *link = slot->at;
	if (link->server == NULL)
		return;
	switch (error->effect) {
	case REDIS_EFFECT_FULL:
	case REDIS_EFFECT_NO_WRITE:
	case REDIS_EFFECT_READONLY:
		redis_server_refused_write(link->server, error->why, error->effect == REDIS_EFFECT_FULL,
					   redis_now(slot->redis));
		break;
	case REDIS_EFFECT_DOWN:
		redis_server_is_down(link->server, error->why);
		redis_link_probe(link);
		break;
	case REDIS_EFFECT_REJECTED:
		redis_link_close(link, error->why);
		break;
	case REDIS_EFFECT_NOPERM:
		redis_warn_once(slot->redis->shared, REDIS_WARN_NOPERM,
				"redis refuses commands that the user may not give");
		break;
	default:
		break;
	}
}

/* The script's text in place of its digest; the arguments behind it are there already. */
static bool make_whole(struct redis_slot *slot)
{
	const struct span args[2] = {SPAN("EVAL"), span_of(slot->script->text)};
	size_t count = (size_t)(strchr(slot->bytes, '$') - slot->bytes); /* "*n\r\n" */
	size_t head = redis_encoded_size(args, 2);
	size_t tail = slot->len - slot->tail;
	char *bytes = malloc(count + head + tail + 1);
	if (bytes == NULL)
		return false;
	redis_encode(bytes + count, args, 2, 0);
	size_t theirs = (size_t)(strchr(bytes + count, '$') - (bytes + count));
	memmove(bytes + count, bytes + count + theirs, head - theirs);
	memcpy(bytes, slot->bytes, count);
	memcpy(bytes + count + head - theirs, slot->bytes + slot->tail, tail);
	slot->len = count + head - theirs + tail;
	bytes[slot->len] = '\0';
	if (slot->bytes != slot->with)
		free(slot->bytes);
	slot->bytes = bytes;
	slot->whole = true;
	return true;
}

/* True: it is on its way again. */
static bool go_on(struct redis_slot *slot, enum redis_effect effect, struct span text)
{
	if (slot->command == NULL)
		return false;
	if (effect == REDIS_EFFECT_NOSCRIPT && slot->script != NULL && !slot->whole && make_whole(slot)) {
		metrics_count(slot->redis->cells, METRIC_REDIS_RELOADED);
		return redis_slot_send(slot, slot->at);
	}
	return slot->redis->mode->on_error(slot, effect, text);
}

static void on_answer(redisAsyncContext *context, void *answer, void *privdata)
{
	(void)context;
	struct redis_slot *slot = privdata;
	struct redis_link *link = slot->at;
	const struct redis_reply *reply = answer;
	slot->state = REDIS_SLOT_ST_PAUSED;
	link->in_flight--;
	link->bytes_in_flight -= slot->len;
	if (reply == NULL) {
		redis_link_set_state(link, REDIS_LINK_ST_CLOSING); /* nothing more may be sent there */
		redis_slot_fail(slot);
		return;
	}
	link->heard_us = redis_now(slot->redis);
	if (link->server != NULL && link->heard_us <= slot->deadline_us)
		redis_server_heard(link->server);
	if (reply->kind == REDIS_ERROR) {
		const struct redis_error *error = redis_error_of(reply->text);
		take_effect(slot, error);
		if (go_on(slot, error->effect, reply->text))
			return;
		slot_tell(slot, reply, METRICS_REDIS_ERROR);
	} else {
		if (slot->trial && link->server != NULL)
			redis_server_took_write(link->server, link->heard_us);
		slot_tell(slot, reply, METRICS_REDIS_OK);
	}
	slot_free(slot);
}

static void on_asking_answer(redisAsyncContext *context, void *answer, void *privdata)
{
	(void)context, (void)answer, (void)privdata; /* the command behind it tells */
}

/* A single command may be larger than all may be together. */
static bool has_room(const struct redis_link *link, size_t bytes)
{
	return link->in_flight == 0 ||
	       (link->in_flight < REDIS_LINK_COMMANDS_MAX && link->bytes_in_flight + bytes <= REDIS_LINK_BYTES_MAX);
}

bool redis_slot_send(struct redis_slot *slot, struct redis_link *link)
{
	static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
	if (link->retired || link->state == REDIS_LINK_ST_CLOSING)
		return false;
	if (!redis_link_is_ready(link)) {
		leave_parking(slot);
		slot->at = link;
		slot->state = REDIS_SLOT_ST_PARKED;
		TAILQ_INSERT_TAIL(&link->parked, slot, parked);
		return true;
	}
	if (!has_room(link, slot->len))
		return false;
	if (slot->asking && !redis_link_write(link, asking, sizeof(asking) - 1, on_asking_answer, slot->redis))
		return false;
	if (!redis_link_write(link, slot->bytes, slot->len, on_answer, slot))
		return false;
	leave_parking(slot);
	slot->asking = false;
	slot->at = link;
	slot->state = REDIS_SLOT_ST_SENT;
	link->in_flight++;
	link->bytes_in_flight += slot->len;
	return true;
}

static void on_pause_over(struct timer *timer)
{
	struct redis_slot *slot = container_of(timer, struct redis_slot, pause);
	struct redis_link *link = slot->redis->mode->route(slot->redis, slot->hash_slot);
	if (link == NULL || !redis_slot_send(slot, link))
		redis_slot_fail(slot);
}

void redis_slot_pause(struct redis_slot *slot, uint64_t delay_us)
{
	slot->state = REDIS_SLOT_ST_PAUSED;
	timer_start(&slot->redis->reactor->timers, &slot->pause, delay_us, on_pause_over);
}

/* With its command encoded, and no owner yet; NULL when out of memory. */
static struct redis_slot *slot_create(struct redis *redis, const struct span *args, size_t count, size_t skip)
{
	size_t len = redis_encoded_size(args, count);
	struct redis_slot *slot = malloc(sizeof(*slot) + len + 1);
	if (slot == NULL)
		return NULL;
	*slot = (struct redis_slot){
	    .redis = redis, .state = REDIS_SLOT_ST_PAUSED, .len = len, .hash_slot = -1, .bytes = slot->with};
	slot->tail = redis_encode(slot->bytes, args, count, skip);
	slot->started_us = redis_now(redis);
	LIST_INSERT_HEAD(&redis->slots, slot, link);
	return slot;
}

/* Binds it to its owner and sends it. False: it is gone. */
static bool slot_start(struct redis_slot *slot, struct redis_command *command, struct redis_link *link,
		       uint64_t deadline_us)
{
	struct timers *timers = &slot->redis->reactor->timers;
	slot->deadline_us = deadline_us;
	if (!timer_start(timers, &slot->deadline, deadline_us - slot->started_us, on_deadline) ||
	    !redis_slot_send(slot, link)) {
		metrics_count(slot->redis->cells, METRIC_REDIS_COMMANDS, METRICS_REDIS_REFUSED);
		slot_free(slot);
		return false;
	}
	slot->command = command;
	command->slot = slot;
	return true;
}

static int hash_slot_of(const struct redis *redis, struct span key)
{
	return redis->config->mode == CONFIG_REDIS_CLUSTER ? redis_hash_slot(key) : -1;
}

/* The connection that a command may be sent on right now; NULL = none, which is counted. */
static struct redis_link *admit(struct redis *redis, int hash_slot, enum redis_access access, uint64_t deadline_us,
				bool *trial)
{
	uint64_t now = redis_now(redis);
	struct redis_link *link = redis->mode->route(redis, hash_slot);
	if (link != NULL && redis_link_is_ready(link) && deadline_us > now) {
		if (has_room(link, 0) && redis_server_admits(link->server, access, now, trial))
			return link;
		if (!redis_server_is_up(link->server))
			redis_link_probe(link);
	} else if (link != NULL && redis_server_is_up(link->server)) {
		redis_link_hurry(link);
	}
	metrics_count(redis->cells, METRIC_REDIS_COMMANDS, METRICS_REDIS_REFUSED);
	return NULL;
}

bool redis_send(struct redis *redis, struct redis_command *command, const struct span *args, size_t count, size_t key,
		uint64_t deadline_us)
{
	int hash_slot = key == 0 ? -1 : hash_slot_of(redis, args[key]);
	enum redis_access access = redis_access_of(args[0]);
	bool trial = false;
	struct redis_link *link = admit(redis, hash_slot, access, deadline_us, &trial);
	struct redis_slot *slot = link == NULL ? NULL : slot_create(redis, args, count, 0);
	if (slot == NULL)
		return false;
	slot->hash_slot = hash_slot;
	slot->access = access;
	slot->trial = trial;
	return slot_start(slot, command, link, deadline_us);
}

bool redis_eval(struct redis *redis, struct redis_command *command, const struct redis_script *script, struct span key,
		const struct span *args, size_t count, uint64_t deadline_us)
{
	enum { FRONT = 4, ARGS_MAX = 60 };
	struct span all[FRONT + ARGS_MAX] = {SPAN("EVALSHA"), span_of(script->sha1), SPAN("1"), key};
	enum redis_access access = script->reads_only ? REDIS_ACCESS_READ : REDIS_ACCESS_WRITE;
	bool trial = false;
	if (count > ARGS_MAX)
		return false;
	if (count != 0)
		memcpy(all + FRONT, args, count * sizeof(*args));
	int hash_slot = hash_slot_of(redis, key);
	struct redis_link *link = admit(redis, hash_slot, access, deadline_us, &trial);
	struct redis_slot *slot = link == NULL ? NULL : slot_create(redis, all, FRONT + count, 2);
	if (slot == NULL)
		return false;
	slot->script = script;
	slot->hash_slot = hash_slot;
	slot->access = access;
	slot->trial = trial;
	return slot_start(slot, command, link, deadline_us);
}

bool redis_send_on(struct redis_link *link, struct redis_command *command, const struct span *args, size_t count,
		   uint64_t deadline_us)
{
	struct redis *redis = link->redis;
	struct redis_slot *slot = NULL;
	if (redis_link_is_ready(link) && deadline_us > redis_now(redis))
		slot = slot_create(redis, args, count, 0);
	return slot != NULL && slot_start(slot, command, link, deadline_us);
}

void redis_cancel(struct redis_command *command)
{
	struct redis_slot *slot = command->slot;
	if (slot == NULL)
		return;
	command->slot = NULL;
	slot->command = NULL;
	timer_stop(&slot->redis->reactor->timers, &slot->deadline);
	if (slot->state != REDIS_SLOT_ST_SENT)
		slot_free(slot);
}
