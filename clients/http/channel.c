/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing are plain system calls on a cleartext connection: curl
 * has connected it and does not know it any more. Under TLS curl's easy stays
 * with the connection and moves the bytes.
 */
#include "clients/http/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients/http/call.h"
#include "clients/http/connect_attempt.h"
#include "clients/http/origin.h"
#include "clients/http/transfer.h"

enum { CHANNEL_IDLE_US = 60 * 1000000 /* an older idle connection is not used again */ };

static struct reactor *reactor_of(const struct http_channel *channel)
{
	return channel->origin->client->reactor;
}

static void on_ready(struct watch *watch, unsigned events)
{
	struct http_channel *channel = (struct http_channel *)watch;
	if (channel->call == NULL)
		channel_close(channel);
	else
		transfer_on_ready(channel->call, events);
}

struct http_channel *channel_create(struct http_attempt *attempt, struct http_call *call)
{
	struct http_origin *origin = attempt->origin;
	struct http_channel *channel = calloc(1, sizeof(*channel));
	if (channel == NULL)
		return NULL;
	channel->watch = (struct watch){.on_ready = on_ready, .fd = attempt_descriptor(attempt)};
	channel->origin = origin;
	channel->call = call;
	channel->retired =
	    attempt->addresses_set != origin->name.generation && !name_leads_to(&origin->name, channel->watch.fd);
	if (!channel_want(channel, REACTOR_READ)) {
		free(channel);
		return NULL;
	}
	if (origin->secure)
		channel->attempt = attempt_keep(attempt);
	else
		attempt_hand_over(attempt);
	TAILQ_INSERT_TAIL(&origin->used, channel, link);
	return channel;
}

static void channel_leave_pool(struct http_channel *channel)
{
	struct http_origin *origin = channel->origin;
	TAILQ_REMOVE(&origin->idle, channel, link);
	TAILQ_REMOVE(&origin->client->idle, channel, idle_link);
	pool_take(&origin->channel_pool);
	origin->client->idle_count--;
}

void channel_close(struct http_channel *channel)
{
	struct reactor *reactor = reactor_of(channel);
	reactor->ops->unwatch(reactor, &channel->watch);
	if (channel->call == NULL)
		channel_leave_pool(channel);
	else
		TAILQ_REMOVE(&channel->origin->used, channel, link);
	if (channel->attempt != NULL)
		attempt_destroy(channel->attempt);
	else
		close(channel->watch.fd);
	free(channel);
}

/*
 * Whether the peer has said or closed anything since the last answer, which would be taken for the next one. The watch
 * tells it as well, but only in the next turn of the loop.
 */
static bool channel_is_quiet(const struct http_channel *channel)
{
	char byte;
	if (channel->attempt != NULL && attempt_has_pending(channel->attempt))
		return false;
	return recv(channel->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

struct http_channel *channel_borrow(struct http_origin *origin, struct http_call *call)
{
	struct http_channel *channel;
	uint64_t now = timers_now(&origin->client->reactor->timers);
	while ((channel = TAILQ_LAST(&origin->idle, channel_list)) != NULL &&
	       (now - channel->idle_since_us > CHANNEL_IDLE_US || !channel_is_quiet(channel)))
		channel_close(channel);
	if (channel == NULL)
		return NULL;
	channel_leave_pool(channel);
	channel->call = call;
	TAILQ_INSERT_TAIL(&origin->used, channel, link);
	return channel;
}

void channel_give(struct http_channel *channel)
{
	struct http_origin *origin = channel->origin;
	struct http_client *client = origin->client;
	if (channel->retired || !channel_want(channel, REACTOR_READ)) {
		channel_close(channel);
		return;
	}
	channel->call = NULL;
	channel->idle_since_us = timers_now(&client->reactor->timers);
	TAILQ_REMOVE(&origin->used, channel, link);
	TAILQ_INSERT_TAIL(&origin->idle, channel, link);
	TAILQ_INSERT_TAIL(&client->idle, channel, idle_link);
	pool_put(&origin->channel_pool);
	if (++client->idle_count > client->max_idle)
		channel_close(TAILQ_FIRST(&client->idle));
}

bool channel_want(struct http_channel *channel, unsigned interest)
{
	struct reactor *reactor = reactor_of(channel);
	if (channel->watch.slot == 0)
		return reactor->ops->watch(reactor, &channel->watch, channel->watch.fd, interest);
	if (channel->watch.interest != interest)
		reactor->ops->rewatch(reactor, &channel->watch, interest);
	return true;
}

void channel_ignore(struct http_channel *channel)
{
	struct reactor *reactor = reactor_of(channel);
	reactor->ops->unwatch(reactor, &channel->watch);
}

static const char *words_of(int error)
{
	const char *words = strerrordesc_np(error);
	return words == NULL ? "the connection failed" : words;
}

enum channel_result channel_read(struct http_channel *channel, char *bytes, size_t size, size_t *got, const char **why)
{
	if (channel->attempt != NULL)
		return attempt_read(channel->attempt, bytes, size, got, why);
	ssize_t count = recv(channel->watch.fd, bytes, size, 0);
	if (count > 0) {
		*got = (size_t)count;
		return CHANNEL_OK;
	}
	if (count == 0)
		return CHANNEL_ENDED;
	if (errno == EAGAIN || errno == EINTR)
		return CHANNEL_LATER;
	*why = words_of(errno);
	return CHANNEL_FAILED;
}

enum channel_result channel_write(struct http_channel *channel, const struct iovec *parts, int count, size_t *sent)
{
	if (channel->attempt != NULL)
		return attempt_write(channel->attempt, parts[0].iov_base, parts[0].iov_len, sent);
	struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
	ssize_t written = sendmsg(channel->watch.fd, &message, MSG_NOSIGNAL);
	if (written >= 0) {
		*sent = (size_t)written;
		return CHANNEL_OK;
	}
	return errno == EAGAIN || errno == EINTR ? CHANNEL_LATER : CHANNEL_FAILED;
}

void channels_retire(struct http_origin *origin)
{
	struct http_channel *channel, *next;
	for (channel = TAILQ_FIRST(&origin->used); channel != NULL; channel = TAILQ_NEXT(channel, link))
		channel->retired |= !name_leads_to(&origin->name, channel->watch.fd);
	for (channel = TAILQ_FIRST(&origin->idle); channel != NULL; channel = next) {
		next = TAILQ_NEXT(channel, link);
		if (!name_leads_to(&origin->name, channel->watch.fd))
			channel_close(channel);
	}
}

void channels_close_idle(struct http_origin *origin, size_t count)
{
	struct http_channel *channel, *next;
	for (channel = TAILQ_FIRST(&origin->idle); count > 0 && channel != NULL; channel = next, count--) {
		next = TAILQ_NEXT(channel, link);
		channel_close(channel);
	}
}
