/* SPDX-License-Identifier: MIT */
/* The mailbox; mailbox.h holds the contract. */
#include "service/flights/mailbox.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/random.h"
#include "service/cache/remote.h"

enum { MAILBOX_POLL_US = 20000, MAILBOX_ID_BYTES = MAILBOX_ID_LEN / 2 };

/* What is taken at once, and how long an unread letter is kept. */
#define MAILBOX_LETTERS SPAN("64")
#define MAILBOX_KEPT_MS SPAN("10000")

struct mailbox {
	struct remote *remote;
	struct mailbox_place *places;
	struct redis_command take;
	struct timer poll;
	struct remote_name address;
};

static void mailbox_on_poll(struct timer *timer);

static void mailbox_poll_later(struct mailbox *mailbox)
{
	if (mailbox->places != NULL && !timer_is_running(&mailbox->poll) && !redis_is_pending(&mailbox->take))
		timer_start(&remote_reactor(mailbox->remote)->timers, &mailbox->poll, MAILBOX_POLL_US, mailbox_on_poll);
}

static void mailbox_deliver(struct mailbox *mailbox, struct span name)
{
	for (struct mailbox_place *at = mailbox->places; at != NULL; at = at->next) {
		if (span_equal(at->name, name)) {
			at->on_wanted(at);
			return;
		}
	}
}

static void mailbox_on_taken(struct redis_command *command, const struct redis_reply *reply)
{
	struct mailbox *mailbox = container_of(command, struct mailbox, take);
	for (size_t i = 0; reply->kind == REDIS_ARRAY && i < reply->count; i++) {
		if (reply->elements[i].kind == REDIS_BYTES)
			mailbox_deliver(mailbox, reply->elements[i].text);
	}
	mailbox_poll_later(mailbox);
}

static void mailbox_on_poll(struct timer *timer)
{
	struct mailbox *mailbox = container_of(timer, struct mailbox, poll);
	const struct span args[] = {SPAN("LPOP"), mailbox_address(mailbox), MAILBOX_LETTERS};
	if (mailbox->places == NULL)
		return;
	mailbox->take.on_reply = mailbox_on_taken;
	if (!redis_send(remote_redis(mailbox->remote), &mailbox->take, args, 3, 1, remote_deadline(mailbox->remote)))
		mailbox_poll_later(mailbox);
}

struct mailbox *mailbox_create(struct remote *remote, const char *prefix)
{
	struct mailbox *mailbox = calloc(1, sizeof(*mailbox));
	char id[2 * MAILBOX_ID_BYTES + 1];
	if (mailbox == NULL)
		return NULL;
	random_hex(id, MAILBOX_ID_BYTES);
	mailbox->remote = remote;
	remote_name_add(&mailbox->address, span_of(prefix));
	remote_name_add(&mailbox->address, SPAN(":1:mailbox:"));
	remote_name_add(&mailbox->address, span_of(id));
	return mailbox;
}

void mailbox_destroy(struct mailbox *mailbox)
{
	if (mailbox == NULL)
		return;
	assert(mailbox->places == NULL);
	redis_cancel(&mailbox->take);
	timer_stop(&remote_reactor(mailbox->remote)->timers, &mailbox->poll);
	free(mailbox);
}

struct span mailbox_address(const struct mailbox *mailbox)
{
	return remote_name_span(&mailbox->address);
}

void mailbox_add(struct mailbox *mailbox, struct mailbox_place *place)
{
	place->next = mailbox->places;
	place->back = &mailbox->places;
	if (place->next != NULL)
		place->next->back = &place->next;
	mailbox->places = place;
	mailbox_poll_later(mailbox);
}

void mailbox_remove(struct mailbox_place *place)
{
	if (place->back == NULL)
		return;
	*place->back = place->next;
	if (place->next != NULL)
		place->next->back = place->back;
	place->back = NULL;
}

bool mailbox_write(struct remote *remote, struct span address, struct span name)
{
	const struct span push[] = {SPAN("RPUSH"), address, name};
	const struct span expire[] = {SPAN("PEXPIRE"), address, MAILBOX_KEPT_MS};
	return remote_tell(remote, push, 3) && remote_tell(remote, expire, 3);
}
