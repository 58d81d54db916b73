/* SPDX-License-Identifier: MIT */
/* Hearing of purges and renewals; replica_purges.h holds the contract. */
#include "service/cache/replica_purges.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/hex.h"

enum { WATCH_EVERY_US = 1000000, WATCH_FIRST_US = 20000, WATCH_ID_SIZE = 48, WATCH_BATCH = 1000 };

#define WATCH_BATCH_TEXT SPAN("1000")

struct replica_purges {
	struct remote *remote;
	enum purge_kind kind;
	struct redis_command read, end;
	struct timer timer;
	struct purge_id asked; /* what was heard when the end was asked for */
	size_t heard;          /* until all was heard: how many, and the first of them */
	struct purge_id first;
};

static struct purge_log *log_of(const struct remote *remote)
{
	return store_purges(remote_options_of(remote)->worker->cache->store);
}

static struct remote_name stream_name(const struct remote *remote, enum purge_kind kind)
{
	struct remote_name name = {.len = 0};
	remote_name_add(&name, span_of(remote_options_of(remote)->prefix));
	remote_name_add(&name, kind == PURGE_KIND_PURGE ? SPAN(":1:purges") : SPAN(":1:renewals"));
	return name;
}

/* ---- telling ---- */

struct remote_wanted purge_wanted(const struct remote *remote, const struct store_filter *filter)
{
	struct remote_wanted wanted = {
	    .has_key = filter->key != NULL, .has_model = filter->model != NULL, .has_tenant = filter->tenant != NULL};
	if (filter->key != NULL)
		wanted.key = *filter->key;
	if (filter->model != NULL)
		wanted.model = remote_model(remote, *filter->model);
	if (filter->tenant != NULL)
		wanted.tenant = *filter->tenant;
	return wanted;
}

bool replica_purges_announce(struct remote *remote, const struct store_filter *filter, remote_told on_told,
			     void *context)
{
	bool renewal = filter->except != NULL;
	struct remote_name name = stream_name(remote, renewal ? PURGE_KIND_RENEWAL : PURGE_KIND_PURGE);
	struct remote_wanted wanted = purge_wanted(remote, filter);
	char room[REMOTE_NAME_SIZE], except_room[HEX_SIZE + 1];
	struct buf what, except;
	buf_init_over(&what, room, sizeof(room));
	buf_init_over(&except, except_room, sizeof(except_room));
	remote_wanted_write(&wanted, &what);
	hex_append(&except, renewal ? *filter->except : 0, HEX_SIZE);
	const struct span args[] = {
	    SPAN("XADD"), remote_name_span(&name), SPAN("MAXLEN"), SPAN("~"),        WATCH_BATCH_TEXT, SPAN("*"),
	    SPAN("what"), buf_span(&what),         SPAN("except"), buf_span(&except)};
	size_t count = sizeof(args) / sizeof(args[0]);
	return remote_ask(remote, args, renewal ? count : count - 2, remote_deadline(remote), on_told, context);
}

/* ---- hearing ---- */

/* "MILLISECONDS-NUMBER". False when it is not. */
static bool read_id(const struct redis_reply *reply, struct purge_id *id)
{
	char copy[WATCH_ID_SIZE], *end;
	if (reply->kind != REDIS_BYTES || reply->text.len >= sizeof(copy))
		return false;
	memcpy(copy, reply->text.at, reply->text.len);
	copy[reply->text.len] = '\0';
	id->ms = strtoull(copy, &end, 10);
	if (end == copy || *end != '-')
		return false;
	const char *second = end + 1;
	id->number = strtoull(second, &end, 10);
	return end != second && *end == '\0';
}

/* What an entry of the stream is about. */
struct heard {
	struct remote_wanted wanted;
	uint32_t model;
	uint64_t except;
	struct store_filter filter; /* points to the above */
};

/* ["what", WHAT], and of renewals also ["except", DIGEST]. A model that is not configured here has nothing here. */
static bool read_fields(const struct remote *remote, enum purge_kind kind, const struct redis_reply *fields,
			struct heard *heard)
{
	size_t count = kind == PURGE_KIND_RENEWAL ? 4 : 2;
	*heard = (struct heard){.model = 0};
	if (fields->kind != REDIS_ARRAY || fields->count != count || fields->elements[1].kind != REDIS_BYTES ||
	    !remote_wanted_read(fields->elements[1].text, &heard->wanted) ||
	    (heard->wanted.has_model && !remote_find_model(remote, heard->wanted.model, &heard->model)))
		return false;
	heard->filter = (struct store_filter){.key = heard->wanted.has_key ? &heard->wanted.key : NULL,
					      .model = heard->wanted.has_model ? &heard->model : NULL,
					      .tenant = heard->wanted.has_tenant ? &heard->wanted.tenant : NULL};
	if (kind == PURGE_KIND_PURGE)
		return true;
	const struct redis_reply *except = &fields->elements[3];
	heard->filter.except = &heard->except;
	return heard->wanted.has_key && except->kind == REDIS_BYTES && except->text.len == HEX_SIZE &&
	       hex_read(except->text, &heard->except);
}

/* [id, fields] */
static void take_entry(const struct remote *remote, enum purge_kind kind, const struct redis_reply *entry)
{
	struct purge_id id;
	struct heard heard;
	if (entry->kind != REDIS_ARRAY || entry->count != 2 || !read_id(&entry->elements[0], &id))
		return;
	bool concerns = read_fields(remote, kind, &entry->elements[1], &heard);
	if (purge_log_hear(log_of(remote), kind, id, concerns ? &heard.filter : NULL) && concerns)
		store_remove(remote_options_of(remote)->worker->cache->store, &heard.filter);
}

static void take_entries(const struct remote *remote, enum purge_kind kind, const struct redis_reply *reply)
{
	for (size_t i = 0; i < reply->count; i++)
		take_entry(remote, kind, &reply->elements[i]);
}

static void purge_everything(const struct remote *remote)
{
	static const struct store_filter everything = {.key = NULL};
	store_purge(remote_options_of(remote)->worker->cache->store, &everything);
}

bool replica_purges_take(struct remote *remote, const struct redis_reply *reply)
{
	if (reply->kind != REDIS_ARRAY)
		return false;
	take_entries(remote, PURGE_KIND_PURGE, reply);
	return reply->count < WATCH_BATCH;
}

/* The arguments of XRANGE: all behind what was heard. */
struct range {
	struct remote_name name;
	char after[WATCH_ID_SIZE + 1];
	struct span args[6];
};

static void write_range(const struct remote *remote, enum purge_kind kind, struct range *range)
{
	struct purge_id seen = purge_log_seen(log_of(remote), kind);
	range->name = stream_name(remote, kind);
	snprintf(range->after, sizeof(range->after), "(%" PRIu64 "-%" PRIu64, seen.ms, seen.number);
	const struct span args[] = {SPAN("XRANGE"),        remote_name_span(&range->name),
				    span_of(range->after), SPAN("+"),
				    SPAN("COUNT"),         WATCH_BATCH_TEXT};
	memcpy(range->args, args, sizeof(args));
}

/* All of a stream, read in one go. */
static void take_whole(struct remote *remote, enum purge_kind kind, const struct redis_reply *reply)
{
	const struct purge_id none = {0, 0};
	--*remote_hurries(remote);
	if (reply->kind != REDIS_ARRAY || reply->count == WATCH_BATCH)
		return;
	take_entries(remote, kind, reply);
	purge_log_set_heard(log_of(remote), kind, none);
}

static void on_purges(void *context, const struct redis_reply *reply)
{
	take_whole(context, PURGE_KIND_PURGE, reply);
}

static void on_renewals(void *context, const struct redis_reply *reply)
{
	take_whole(context, PURGE_KIND_RENEWAL, reply);
}

void replica_purges_hurry(struct remote *remote)
{
	static const remote_told told[PURGE_KINDS] = {
	    [PURGE_KIND_PURGE] = on_purges, [PURGE_KIND_RENEWAL] = on_renewals};
	const struct purge_id none = {0, 0};
	for (int kind = 0; kind < PURGE_KINDS && *remote_hurries(remote) < PURGE_KINDS; kind++) {
		struct range range;
		if (purge_log_is_heard(log_of(remote), (enum purge_kind)kind) ||
		    purge_id_is_before(none, purge_log_seen(log_of(remote), (enum purge_kind)kind)))
			continue;
		write_range(remote, (enum purge_kind)kind, &range);
		if (remote_ask(remote, range.args, 6, remote_deadline(remote), told[kind], remote))
			++*remote_hurries(remote);
	}
}

bool replica_purges_ask(struct remote *remote, remote_told on_told, void *context)
{
	struct range range;
	write_range(remote, PURGE_KIND_PURGE, &range);
	return remote_ask(remote, range.args, 6, remote_deadline(remote), on_told, context);
}

/* ---- looking ---- */

static void on_look(struct timer *timer);

static void look_in(struct replica_purges *watch, uint64_t time_us)
{
	timer_start(&remote_reactor(watch->remote)->timers, &watch->timer, time_us, on_look);
}

/* At the start the whole stream is read. When it is full, what came before it is not known. */
static void note_first_look(struct replica_purges *watch, const struct redis_reply *reply)
{
	struct purge_id none = {0, 0};
	if (watch->heard == 0 && reply->count > 0 && reply->elements[0].kind == REDIS_ARRAY &&
	    reply->elements[0].count == 2)
		read_id(&reply->elements[0].elements[0], &watch->first);
	watch->heard += reply->count;
	if (reply->count < WATCH_BATCH)
		purge_log_set_heard(log_of(watch->remote), watch->kind,
				    watch->heard >= WATCH_BATCH ? watch->first : none);
}

static void on_read(struct redis_command *command, const struct redis_reply *reply)
{
	struct replica_purges *watch = container_of(command, struct replica_purges, read);
	bool first = !purge_log_is_heard(log_of(watch->remote), watch->kind);
	if (reply->kind != REDIS_ARRAY) {
		look_in(watch, first ? WATCH_FIRST_US : WATCH_EVERY_US);
		return;
	}
	bool full = reply->count == WATCH_BATCH;
	if (full && !first && watch->kind == PURGE_KIND_PURGE)
		purge_everything(watch->remote); /* the stream may have lost some */
	take_entries(watch->remote, watch->kind, reply);
	if (first)
		note_first_look(watch, reply);
	look_in(watch, full ? 0 : WATCH_EVERY_US);
}

/* Reads the last entry's id; that of an empty stream is zero. False when it is none. */
static bool read_end(const struct redis_reply *reply, struct purge_id *id)
{
	*id = (struct purge_id){0, 0};
	if (reply->kind != REDIS_ARRAY || reply->count == 0)
		return reply->kind == REDIS_ARRAY;
	const struct redis_reply *entry = reply->elements;
	return reply->count == 1 && entry->kind == REDIS_ARRAY && entry->count == 2 && read_id(&entry->elements[0], id);
}

/*
 * Where the stream ends. When that is before what was heard by the time of the question, Redis' clock went back, the
 * stream is gone, or what was heard came from nowhere. Other workers may hear more while the reply is on its way.
 */
static void on_end(struct redis_command *command, const struct redis_reply *reply)
{
	struct replica_purges *watch = container_of(command, struct replica_purges, end);
	struct purge_id id;
	struct purge_log *log = log_of(watch->remote);
	if (read_end(reply, &id) && purge_log_hear_end(log, watch->kind, watch->asked, id))
		purge_everything(watch->remote);
}

static void on_look(struct timer *timer)
{
	struct replica_purges *watch = container_of(timer, struct replica_purges, timer);
	struct redis *redis = remote_redis(watch->remote);
	struct range range;
	uint64_t deadline_us = remote_deadline(watch->remote);
	write_range(watch->remote, watch->kind, &range);
	const struct span end[] = {
	    SPAN("XREVRANGE"), remote_name_span(&range.name), SPAN("+"), SPAN("-"), SPAN("COUNT"), SPAN("1")};
	watch->read.on_reply = on_read;
	watch->end.on_reply = on_end;
	if (purge_log_is_heard(log_of(watch->remote), watch->kind) && !redis_is_pending(&watch->end)) {
		watch->asked = purge_log_seen(log_of(watch->remote), watch->kind);
		redis_send(redis, &watch->end, end, 6, 1, deadline_us);
	}
	if (!redis_send(redis, &watch->read, range.args, 6, 1, deadline_us))
		look_in(watch, WATCH_FIRST_US);
}

struct replica_purges *replica_purges_create(struct remote *remote, enum purge_kind kind)
{
	struct replica_purges *watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return NULL;
	watch->remote = remote;
	watch->kind = kind;
	look_in(watch, 0);
	return watch;
}

void replica_purges_destroy(struct replica_purges *watch)
{
	redis_cancel(&watch->read);
	redis_cancel(&watch->end);
	timer_stop(&remote_reactor(watch->remote)->timers, &watch->timer);
	free(watch);
}
