/* SPDX-License-Identifier: MIT */
/* Hearing of purges; purge_watch.h holds the contract. */
#include "service/cache/purge_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WATCH_EVERY_US = 1000000, WATCH_FIRST_US = 20000, WATCH_ID_SIZE = 48, WATCH_BATCH = 1000 };

#define WATCH_BATCH_TEXT SPAN("1000")

struct purge_watch {
	struct remote *remote;
	struct redis_command read, end;
	struct timer timer;
	char seen[WATCH_ID_SIZE]; /* id of the last purge; "" = not known yet */
};

static struct remote_name stream_name(const struct remote *remote)
{
	struct remote_name name = {.len = 0};
	remote_name_add(&name, span_of(remote_options_of(remote)->prefix));
	remote_name_add(&name, SPAN(":1:purges"));
	return name;
}

bool purge_watch_announce(struct remote *remote, const struct remote_wanted *wanted)
{
	struct remote_name name = stream_name(remote);
	char room[REMOTE_NAME_SIZE];
	struct buf what;
	buf_init_over(&what, room, sizeof(room));
	remote_wanted_write(wanted, &what);
	const struct span args[] = {SPAN("XADD"), remote_name_span(&name), SPAN("MAXLEN"),
				    SPAN("~"),    WATCH_BATCH_TEXT,        SPAN("*"),
				    SPAN("what"), buf_span(&what)};
	return remote_tell(remote, args, sizeof(args) / sizeof(args[0]));
}

/* ---- reading ---- */

/* A model that is not configured here has nothing here. */
static void purge_memory(const struct remote *remote, struct span what)
{
	struct remote_wanted wanted = {.has_key = false};
	uint32_t model = 0;
	if (!remote_wanted_read(what, &wanted) ||
	    (wanted.has_model && !remote_find_model(remote, wanted.model, &model)))
		return;
	const struct store_filter filter = {.key = wanted.has_key ? &wanted.key : NULL,
					    .model = wanted.has_model ? &model : NULL,
					    .tenant = wanted.has_tenant ? &wanted.tenant : NULL};
	store_purge(remote_options_of(remote)->worker->cache->store, &filter);
}

/* "MILLISECONDS-NUMBER". False when it is not. */
static bool read_id(struct span id, uint64_t parts[2])
{
	char copy[WATCH_ID_SIZE], *end;
	if (id.len >= sizeof(copy))
		return false;
	memcpy(copy, id.at, id.len);
	copy[id.len] = '\0';
	parts[0] = strtoull(copy, &end, 10);
	if (end == copy || *end != '-')
		return false;
	const char *second = end + 1;
	parts[1] = strtoull(second, &end, 10);
	return end != second && *end == '\0';
}

static void note_seen(struct purge_watch *watch, struct span id)
{
	uint64_t parts[2];
	if (read_id(id, parts))
		snprintf(watch->seen, sizeof(watch->seen), "%" PRIu64 "-%" PRIu64, parts[0], parts[1]);
}

/* Whether the id is of before the last one that was seen: of another stream, or by a clock that was set back. */
static bool is_before_seen(const struct purge_watch *watch, struct span id)
{
	uint64_t seen[2], parts[2];
	return read_id(span_of(watch->seen), seen) && read_id(id, parts) &&
	       (parts[0] < seen[0] || (parts[0] == seen[0] && parts[1] < seen[1]));
}

/* [id, ["what", WHAT]] */
static void take_entry(struct purge_watch *watch, const struct redis_reply *entry, bool purges)
{
	if (entry->kind != REDIS_ARRAY || entry->count != 2 || entry->elements[0].kind != REDIS_BYTES)
		return;
	const struct redis_reply *fields = &entry->elements[1];
	note_seen(watch, entry->elements[0].text);
	if (purges && fields->kind == REDIS_ARRAY && fields->count == 2 && fields->elements[1].kind == REDIS_BYTES)
		purge_memory(watch->remote, fields->elements[1].text);
}

static void on_look(struct timer *timer);

static void look_later(struct purge_watch *watch)
{
	bool first = watch->seen[0] == '\0';
	timer_start(&remote_reactor(watch->remote)->timers, &watch->timer, first ? WATCH_FIRST_US : WATCH_EVERY_US,
		    on_look);
}

static void purge_everything(const struct purge_watch *watch)
{
	static const struct store_filter everything = {NULL, NULL, NULL};
	store_purge(remote_options_of(watch->remote)->worker->cache->store, &everything);
}

static void on_read(struct redis_command *command, const struct redis_reply *reply)
{
	struct purge_watch *watch = (struct purge_watch *)((char *)command - offsetof(struct purge_watch, read));
	bool first = watch->seen[0] == '\0';
	if (reply->kind == REDIS_ARRAY) {
		bool missed = first ? reply->count > 0 : reply->count == WATCH_BATCH;
		if (missed) /* purges that were not seen may have been for what is in memory */
			purge_everything(watch);
		if (first)
			note_seen(watch, SPAN("0-0"));
		for (size_t i = 0; i < reply->count; i++)
			take_entry(watch, &reply->elements[i], !first);
	}
	look_later(watch);
}

/* Where the stream ends. When that is before what was seen, what is in there was not. */
static void on_end(struct redis_command *command, const struct redis_reply *reply)
{
	struct purge_watch *watch = (struct purge_watch *)((char *)command - offsetof(struct purge_watch, end));
	const struct redis_reply *entry = reply->kind == REDIS_ARRAY && reply->count == 1 ? reply->elements : NULL;
	if (entry == NULL || entry->kind != REDIS_ARRAY || entry->count != 2 ||
	    entry->elements[0].kind != REDIS_BYTES || !is_before_seen(watch, entry->elements[0].text))
		return;
	purge_everything(watch);
	note_seen(watch, entry->elements[0].text);
}

/* The first time only where the stream ends. */
static void on_look(struct timer *timer)
{
	struct purge_watch *watch = (struct purge_watch *)((char *)timer - offsetof(struct purge_watch, timer));
	struct redis *redis = remote_redis(watch->remote);
	struct remote_name name = stream_name(watch->remote);
	uint64_t deadline_us = remote_deadline(watch->remote);
	bool first = watch->seen[0] == '\0';
	char after[WATCH_ID_SIZE + 1];
	snprintf(after, sizeof(after), "(%s", watch->seen);
	const struct span read[] = {SPAN("XRANGE"), remote_name_span(&name), span_of(after),
				    SPAN("+"),      SPAN("COUNT"),           WATCH_BATCH_TEXT};
	const struct span end[] = {SPAN("XREVRANGE"), remote_name_span(&name), SPAN("+"),
				   SPAN("-"),         SPAN("COUNT"),           SPAN("1")};
	watch->read.on_reply = on_read;
	watch->end.on_reply = on_end;
	if (!first && !redis_is_pending(&watch->end))
		redis_send(redis, &watch->end, end, 6, 1, deadline_us);
	if (!redis_send(redis, &watch->read, first ? end : read, 6, 1, deadline_us))
		look_later(watch);
}

struct purge_watch *purge_watch_create(struct remote *remote)
{
	struct purge_watch *watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return NULL;
	watch->remote = remote;
	timer_start(&remote_reactor(remote)->timers, &watch->timer, 0, on_look);
	return watch;
}

void purge_watch_destroy(struct purge_watch *watch)
{
	redis_cancel(&watch->read);
	redis_cancel(&watch->end);
	timer_stop(&remote_reactor(watch->remote)->timers, &watch->timer);
	free(watch);
}
