/* SPDX-License-Identifier: MIT */
/*
 * hiredis on a worker's reactor: its descriptor is watched, what came is read, and what is to be written goes out at
 * the end of the turn, all in one piece; only the rest waits for the socket.
 *
 * A trap of hiredis 0.14: a context may not be freed from inside onConnect.
 */
#include "clients/redis/link_io.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "clients/redis/client.h"
#include "clients/redis/greeting.h"
#include "clients/redis/tls.h"
#include "lib/container.h"

enum { READS_PER_TURN = 16 };

static void flush(struct redis_link *link)
{
	link->flushing = true;
	if (link->tls != NULL)
		redis_tls_flush(link);
	else
		redisAsyncHandleWrite(link->context);
	link->flushing = false;
}

static void on_flush(struct task *task)
{
	struct redis_link *link = container_of(task, struct redis_link, flush);
	if (link->state == REDIS_LINK_ST_CLOSING)
		redis_link_close(link, NULL); /* as of was_taken() */
	else if (link->context != NULL && link->state >= REDIS_LINK_ST_GREETING)
		flush(link);
}

/* hiredis has something to write. */
static void on_add_write(void *privdata)
{
	struct redis_link *link = privdata;
	struct reactor *reactor = link->redis->reactor;
	if (link->state == REDIS_LINK_ST_CONNECTING || (link->watch.interest & REACTOR_WRITE) != 0)
		return;
	if (link->flushing)
		reactor->ops->rewatch(reactor, &link->watch, REACTOR_READ | REACTOR_WRITE);
	else
		task_queue(reactor, &link->flush);
}

static void on_del_write(void *privdata)
{
	struct redis_link *link = privdata;
	link->redis->reactor->ops->rewatch(link->redis->reactor, &link->watch, REACTOR_READ);
}

/* Called from the first redisAsyncHandleWrite(), which goes on writing what is put here. */
static void on_connected(const redisAsyncContext *context, int status)
{
	struct redis_link *link = context->data;
	if (status != REDIS_OK)
		return; /* on_context_gone() follows */
	link->redis->reactor->ops->rewatch(link->redis->reactor, &link->watch, REACTOR_READ);
	link->state = link->redis->shared->tls != NULL ? REDIS_LINK_ST_SECURING : REDIS_LINK_ST_GREETING;
	if (link->state == REDIS_LINK_ST_GREETING)
		redis_greet(link);
}

static void read_some(struct redis_link *link)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (link->tls != NULL && !redis_tls_read(link))
			return;
		if (link->tls == NULL)
			redisAsyncHandleRead(link->context);
		if (link->context == NULL)
			return;
		const redisReader *reader = link->context->c.reader;
		if (!redis_reply_guard_admits(&link->gate, reader)) {
			redis_link_close(link, NULL);
			return;
		}
		if (reader->len == reader->pos)
			return; /* nothing of another answer has come */
	}
}

static void on_ready(struct watch *watch, unsigned events)
{
	struct redis_link *link = container_of(watch, struct redis_link, watch);
	if (link->state == REDIS_LINK_ST_CLOSING)
		return;
	if (link->state == REDIS_LINK_ST_CONNECTING) {
		flush(link);
		if (link->context != NULL && link->state == REDIS_LINK_ST_SECURING)
			redis_tls_start(link); /* not from inside onConnect, which must not free the context */
		return;
	}
	if (link->state == REDIS_LINK_ST_SECURING) {
		redis_tls_handshake(link);
		return;
	}
	if ((events & (REACTOR_READ | REACTOR_ERROR)) != 0)
		read_some(link);
	if (link->context != NULL && (events & REACTOR_WRITE) != 0)
		flush(link);
}

void redis_link_io_attach(struct redis_link *link)
{
	redisAsyncContext *context = link->context;
	redis_reply_guard_install(&link->gate, context->c.reader);
	context->ev.addWrite = on_add_write;
	context->ev.delWrite = on_del_write;
	link->flush.run = on_flush;
	link->watch = (struct watch){.on_ready = on_ready};
}

bool redis_link_io_watch(struct redis_link *link)
{
	struct reactor *reactor = link->redis->reactor;
	fcntl(link->context->c.fd, F_SETFD, FD_CLOEXEC);
	redisAsyncSetConnectCallback(link->context, on_connected);
	return reactor->ops->watch(reactor, &link->watch, link->context->c.fd, REACTOR_WRITE);
}

size_t redis_link_unsent(const struct redis_link *link)
{
	int queued = 0; /* in the kernel */
	if (ioctl(link->context->c.fd, SIOCOUTQ, &queued) != 0 || queued < 0)
		queued = 0;
	return sdslen(link->context->c.obuf) + (size_t)queued;
}

/*
 * hiredis tells nobody when it had no memory for the callback, or for the bytes: from then on answers would reach the
 * wrong commands. The connection is closed at the end of the turn; until then nothing is sent or read there.
 */
static bool was_taken(struct redis_link *link, const void *context)
{
	redisCallback *last = link->context->replies.tail;
	bool registered = last != NULL && last->privdata == context;
	if (registered && link->context->c.err == 0)
		return true;
	if (registered)
		last->fn = NULL;
	redis_link_set_state(link, REDIS_LINK_ST_CLOSING);
	link->why = "out of memory";
	task_queue(link->redis->reactor, &link->flush);
	return false;
}

bool redis_link_write(struct redis_link *link, const char *bytes, size_t len, redisCallbackFn *on_answer, void *context)
{
	if (link->context == NULL || link->state == REDIS_LINK_ST_CLOSING ||
	    redisAsyncFormattedCommand(link->context, on_answer, context, bytes, len) != REDIS_OK)
		return false;
	if (!was_taken(link, context))
		return false;
	link->gate.expected++;
	return true;
}
