/* SPDX-License-Identifier: MIT */
/* Leases; lease.h holds the contract. */
#include "service/flights/lease.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/container.h"
#include "service/cache/replica_purges.h"
#include "service/cache/seal.h"

enum {
	LEASE_BEAT_US = 500000, /* between two renewals */
	LEASE_ASKED_MOST = 3,
};

/* How long it stands without a renewal, and a log without an event. */
#define LEASE_MS SPAN("3000")
#define LEASE_LOG_MS SPAN("120000")

/* Renews it: -1 = somebody else's by now, 0 = nobody follows, 1 = somebody does. */
static struct redis_script renewal;
/* Gives it back, if it is ours. */
static struct redis_script release;

void lease_setup(void)
{
	redis_script_init(&renewal,
			  "if redis.call('GET',KEYS[1])~=ARGV[1] then return -1 end "
			  "redis.call('PEXPIRE',KEYS[1],ARGV[2]) "
			  "return redis.call('EXISTS',KEYS[1]..':want')",
			  false);
	redis_script_init(&release,
			  "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0",
			  false);
}

struct remote_name lease_log_name(const struct remote_name *name, struct span token)
{
	struct remote_name log = *name;
	size_t id = token.len;
	while (id > 0 && token.at[id - 1] != ':')
		id--;
	remote_name_add(&log, SPAN(":log:"));
	remote_name_add(&log, (struct span){token.at + id, token.len - id});
	return log;
}

struct span lease_mailbox(struct span token)
{
	size_t end = token.len;
	while (end > 0 && token.at[end - 1] != '#')
		end--;
	return (struct span){token.at, end == 0 ? 0 : end - 1};
}

static struct timers *lease_timers(const struct lease *lease)
{
	return &remote_reactor(lease->remote)->timers;
}

static void lease_count(const struct lease *lease, enum metrics_lease result)
{
	metrics_count(remote_metrics(lease->remote), METRIC_CACHE_LEASES, result);
}

static void lease_give_back(struct lease *lease)
{
	remote_tell_script(lease->remote, &release, remote_name_span(&lease->name), span_of(lease->token));
}

/* ---- holding it ---- */

static void lease_on_beat(struct timer *timer);

/* No more is heard of it or done for it. */
static void lease_rest(struct lease *lease)
{
	redis_cancel(&lease->renew);
	timer_stop(lease_timers(lease), &lease->beat);
	mailbox_remove(&lease->place);
	lease->state = LEASE_ST_NONE;
}

static void lease_set_wanted(struct lease *lease, bool wanted)
{
	bool was = lease->wanted;
	lease->wanted = wanted;
	if (wanted && !was)
		lease->on_wanted(lease);
	else if (!wanted && was)
		lease->on_forlorn(lease);
}

static void on_letter(struct mailbox_place *place)
{
	struct lease *lease = container_of(place, struct lease, place);
	lease_set_wanted(lease, true);
}

static void lease_over(struct lease *lease)
{
	lease_give_back(lease);
	lease_rest(lease);
	lease->on_over(lease);
}

static void on_renewed(struct redis_command *command, const struct redis_reply *reply)
{
	struct lease *lease = container_of(command, struct lease, renew);
	bool told = reply->kind == REDIS_INTEGER && reply->integer >= 0;
	if (lease->state == LEASE_ST_ENDING) {
		if (told && reply->integer == 1)
			lease_set_wanted(lease, true);
		lease_over(lease);
	} else if (told) {
		timer_start(lease_timers(lease), &lease->beat, LEASE_BEAT_US, lease_on_beat);
		lease_set_wanted(lease, reply->integer == 1);
	} else if (reply->kind == REDIS_INTEGER) {
		lease_count(lease, METRICS_LEASE_LOST); /* it expired: whoever has it now asks, too */
		mailbox_remove(&lease->place);
		lease_set_wanted(lease, false);
	} else {
		timer_start(lease_timers(lease), &lease->beat, LEASE_BEAT_US, lease_on_beat);
	}
}

static bool lease_renew(struct lease *lease)
{
	const struct span args[] = {span_of(lease->token), LEASE_MS};
	lease->renew.on_reply = on_renewed;
	return redis_eval(remote_redis(lease->remote), &lease->renew, &renewal, remote_name_span(&lease->name), args, 2,
			  remote_deadline(lease->remote));
}

static void lease_on_beat(struct timer *timer)
{
	struct lease *lease = container_of(timer, struct lease, beat);
	const struct span expire[] = {SPAN("PEXPIRE"), remote_name_span(&lease->log), LEASE_LOG_MS};
	if (lease->published)
		remote_tell(lease->remote, expire, 3);
	if (!lease_renew(lease))
		timer_start(lease_timers(lease), &lease->beat, LEASE_BEAT_US, lease_on_beat);
}

static void lease_hold(struct lease *lease)
{
	lease->state = LEASE_ST_MINE;
	lease->place = (struct mailbox_place){.on_wanted = on_letter, .name = remote_name_span(&lease->name)};
	mailbox_add(lease->mailbox, &lease->place);
	timer_start(lease_timers(lease), &lease->beat, LEASE_BEAT_US, lease_on_beat);
}

bool lease_publish(struct lease *lease, struct buf *record)
{
	seal_append(record, remote_name_span(&lease->log));
	const struct span push[] = {SPAN("RPUSH"), remote_name_span(&lease->log), buf_span(record)};
	const struct span expire[] = {SPAN("PEXPIRE"), remote_name_span(&lease->log), LEASE_LOG_MS};
	if (buf_failed(record) || !remote_tell(lease->remote, push, 3))
		return false;
	if (!lease->published)
		remote_tell(lease->remote, expire, 3);
	lease->published = true;
	return true;
}

static void on_end_due(struct timer *timer)
{
	lease_over(container_of(timer, struct lease, beat));
}

void lease_end(struct lease *lease, bool answered)
{
	bool known = answered || lease->published;
	lease->state = LEASE_ST_ENDING;
	timer_stop(lease_timers(lease), &lease->beat);
	if (!known && (redis_is_pending(&lease->renew) || lease_renew(lease)))
		return; /* on_renewed goes on */
	redis_cancel(&lease->renew);
	timer_start(lease_timers(lease), &lease->beat, 0, on_end_due);
}

void lease_drop(struct lease *lease)
{
	if (lease->state == LEASE_ST_NONE)
		return;
	redis_cancel(&lease->set);
	redis_cancel(&lease->holds);
	redis_cancel(&lease->left);
	redis_cancel(&lease->answer);
	remote_take_cancel(&lease->taking);
	lease_give_back(lease);
	lease_rest(lease);
}

/* ---- asking for it ---- */

static void lease_on_set(struct redis_command *command, const struct redis_reply *reply)
{
	struct lease *lease = container_of(command, struct lease, set);
	lease->got = reply->kind == REDIS_STATUS;
	lease->silent = !lease->got && reply->kind != REDIS_NIL;
}

/* Whether it is what a lease of ours would write: it becomes part of names, and of what is sent there. */
static bool is_token(const struct lease *lease, struct span text)
{
	enum { NUMBER_MOST = 20 };
	struct span ours = mailbox_address(lease->mailbox);
	size_t front = ours.len - MAILBOX_ID_LEN;
	if (text.len < ours.len + 2 || text.len > ours.len + 1 + NUMBER_MOST || text.at[ours.len] != '#' ||
	    memcmp(text.at, ours.at, front) != 0)
		return false;
	for (size_t i = front; i < text.len; i++) {
		if (i != ours.len && memchr(i < ours.len ? "0123456789abcdef" : "0123456789", text.at[i],
					    i < ours.len ? 16 : 10) == NULL)
			return false;
	}
	return true;
}

static void lease_on_holder(struct redis_command *command, const struct redis_reply *reply)
{
	struct lease *lease = container_of(command, struct lease, holds);
	lease->holder[0] = '\0';
	if (reply->kind == REDIS_BYTES && is_token(lease, reply->text)) {
		memcpy(lease->holder, reply->text.at, reply->text.len);
		lease->holder[reply->text.len] = '\0';
	}
}

static void lease_on_left(struct redis_command *command, const struct redis_reply *reply)
{
	struct lease *lease = container_of(command, struct lease, left);
	lease->left_ms = reply->kind == REDIS_INTEGER ? reply->integer : -1;
}

static bool lease_send(struct lease *lease);

static void lease_tell(struct lease *lease, enum lease_verdict verdict)
{
	static const enum metrics_lease results[] = {[LEASE_MINE] = METRICS_LEASE_MINE,
						     [LEASE_TAKEN] = METRICS_LEASE_TAKEN,
						     [LEASE_ANSWERED] = METRICS_LEASE_ANSWERED,
						     [LEASE_SILENT] = METRICS_LEASE_SILENT};
	lease_count(lease, results[verdict]);
	if (verdict == LEASE_MINE)
		lease_hold(lease);
	else
		lease->state = LEASE_ST_NONE;
	lease->on_verdict(lease, verdict);
}

static void lease_judge(struct lease *lease, bool silent, bool answered)
{
	if (lease->got ? answered : silent)
		lease_give_back(lease); /* silent: it may have become ours */
	if (answered)
		lease_tell(lease, LEASE_ANSWERED);
	else if (lease->got)
		lease_tell(lease, LEASE_MINE);
	else if (!silent && lease->holder[0] != '\0')
		lease_tell(lease, LEASE_TAKEN);
	else if (silent || !lease_send(lease)) /* else it was given back just now: once more */
		lease_tell(lease, LEASE_SILENT);
}

static void lease_on_taken(struct remote_taking *taking, struct cache_hit *hit)
{
	struct lease *lease = container_of(taking, struct lease, taking);
	bool answered = hit->value != NULL && hit->ttl_us > 0;
	if (answered)
		lease->what.hit = *hit;
	else
		cache_hit_drop(hit);
	lease_judge(lease, false, answered);
}

/* The last reply of those that were asked for at once. */
static void lease_on_answer(struct redis_command *command, const struct redis_reply *reply)
{
	struct lease *lease = container_of(command, struct lease, answer);
	bool silent = lease->silent || reply->kind == REDIS_SILENT || reply->kind == REDIS_ERROR;
	if (silent || lease->fresh) {
		lease_judge(lease, silent, false);
		return;
	}
	lease->taking.on_taken = lease_on_taken;
	remote_take(lease->remote, &lease->taking, &lease->what, lease->left_ms, reply);
}

static bool lease_send(struct lease *lease)
{
	struct redis *redis = remote_redis(lease->remote);
	struct remote_name answer = remote_answer_name(lease->remote, &lease->what.tags, &lease->what.key);
	const struct span set[] = {
	    SPAN("SET"), remote_name_span(&lease->name), span_of(lease->token), SPAN("NX"), SPAN("PX"), LEASE_MS};
	const struct span holds[] = {SPAN("GET"), remote_name_span(&lease->name)};
	const struct span left[] = {SPAN("PTTL"), remote_name_span(&answer)};
	const struct span get[] = {SPAN("GET"), remote_name_span(&answer)};
	uint64_t deadline_us = remote_deadline(lease->remote);
	if (lease->asked++ == LEASE_ASKED_MOST)
		return false;
	lease->got = lease->silent = false;
	lease->what.turn = purge_log_mark(store_purges(remote_options_of(lease->remote)->worker->cache->store)).turn;
	replica_purges_hurry(lease->remote);
	lease->set.on_reply = lease_on_set;
	lease->holds.on_reply = lease_on_holder;
	lease->left.on_reply = lease_on_left;
	lease->answer.on_reply = lease_on_answer;
	if (redis_send(redis, &lease->set, set, sizeof(set) / sizeof(set[0]), 1, deadline_us) &&
	    redis_send(redis, &lease->holds, holds, 2, 1, deadline_us) &&
	    redis_send(redis, &lease->left, left, 2, 1, deadline_us) &&
	    redis_send(redis, &lease->answer, get, 2, 1, deadline_us))
		return true;
	if (redis_is_pending(&lease->set))
		lease_give_back(lease);
	redis_cancel(&lease->set);
	redis_cancel(&lease->holds);
	redis_cancel(&lease->left);
	return false;
}

bool lease_ask(struct lease *lease, const struct lease_request *request)
{
	static _Atomic uint64_t last;
	uint64_t number = ++last;
	if (!redis_writable(remote_redis(request->remote)))
		return false;
	lease->remote = request->remote;
	lease->mailbox = request->mailbox;
	lease->fresh = request->fresh;
	lease->asked = 0;
	lease->wanted = lease->published = false;
	lease->what = (struct cache_fetch){
	    .key = request->key, .tags = request->tags, .rule = request->rule, .owner = request->owner};
	lease->name = remote_answer_name(lease->remote, &request->tags, &request->key);
	remote_name_add(&lease->name, SPAN(":lease"));
	remote_name_add(&lease->name, request->variant);
	struct span address = mailbox_address(lease->mailbox);
	snprintf(lease->token, sizeof(lease->token), "%.*s#%" PRIu64, SPAN_ARG(address), number);
	lease->log = lease_log_name(&lease->name, span_of(lease->token));
	if (!lease_send(lease))
		return false;
	lease->state = LEASE_ST_ASKED;
	return true;
}
