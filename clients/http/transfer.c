/* SPDX-License-Identifier: MIT */
/*
 * Sending and reading go on side by side: a backend may answer before it has
 * read the whole request, and close. So a failure to send ends nothing; what
 * can be read decides.
 */
#include "clients/http/transfer.h"

#include <errno.h>
#include <stdlib.h>

#include "clients/http/channel.h"
#include "clients/http/client.h"
#include "clients/http/connect_attempt.h"
#include "clients/http/origin.h"
#include "lib/container.h"
#include "lib/ledger.h"

enum {
	TRANSFER_ROUNDS = 2,       /* reads in one turn: others are waiting */
	TRANSFER_TLS_PIECE = 16384 /* bytes of one TLS record */
};

static bool is_sent(const struct http_call *call)
{
	return call->deaf || (buf_len(&call->out) == 0 && call->body.len + call->tail.len == 0);
}

bool http_call_is_sent(const struct http_call *call)
{
	return call->state >= CALL_ST_SENT && is_sent(call);
}

static void transfer_end(struct http_call *call, enum error_code error, const char *why)
{
	call->words = strdup(why); /* the connection's words go with it */
	call_end(call, error, call->words == NULL ? "" : call->words);
}

static void transfer_want(struct http_call *call)
{
	unsigned interest = (call->stalled ? 0 : REACTOR_READ) | (is_sent(call) ? 0 : REACTOR_WRITE);
	if (!channel_want(call->channel, interest))
		call_end(call, ERROR_OVERLOADED, "the socket cannot be watched");
}

/* Takes up to most bytes off the front of part. */
static struct span take(struct span *part, size_t most)
{
	struct span taken = {part->at, most < part->len ? most : part->len};
	*part = (struct span){part->at + taken.len, part->len - taken.len};
	return taken;
}

static bool transfer_gather_part(struct http_call *call, struct span *part)
{
	size_t len = buf_len(&call->out);
	struct span piece = take(part, len < TRANSFER_TLS_PIECE ? TRANSFER_TLS_PIECE - len : 0);
	return piece.len == 0 || buf_append(&call->out, piece);
}

/* Under TLS the parts are brought together: each write is a record, and one that must wait is written again as it was.
 */
static bool transfer_gather(struct http_call *call)
{
	return !call->origin->secure ||
	       (transfer_gather_part(call, &call->body) && transfer_gather_part(call, &call->tail));
}

static void transfer_sent(struct http_call *call, size_t sent)
{
	size_t of_out = sent < buf_len(&call->out) ? sent : buf_len(&call->out);
	buf_consume(&call->out, of_out);
	sent -= of_out;
	sent -= take(&call->body, sent).len;
	take(&call->tail, sent);
}

static enum channel_result transfer_write(struct http_call *call)
{
	struct span out = buf_span(&call->out);
	const struct iovec parts[] = {{(void *)out.at, out.len},
				      {(void *)call->body.at, call->body.len},
				      {(void *)call->tail.at, call->tail.len}};
	size_t sent = 0;
	enum channel_result result = channel_write(call->channel, parts, 3, &sent);
	if (result == CHANNEL_OK)
		transfer_sent(call, sent);
	if (result == CHANNEL_FAILED) {
		call->deaf = true;
		call->reset = errno == ECONNRESET;
	}
	return result;
}

static void transfer_send(struct http_call *call)
{
	while (!is_sent(call)) {
		if (transfer_write(call) == CHANNEL_LATER)
			break;
		if (buf_len(&call->out) == 0 && !transfer_gather(call)) {
			call_end(call, ERROR_OVERLOADED, "no memory for a request");
			return;
		}
	}
	if (is_sent(call))
		buf_fini(&call->out);
	transfer_want(call);
}

void transfer_begin(struct http_call *call)
{
	call_set_state(call, CALL_ST_SENT);
	if (transfer_gather(call))
		transfer_send(call);
	else
		call_end(call, ERROR_OVERLOADED, "no memory for a request");
}

/* The answer is complete; rest: bytes behind it, which nobody asked for. */
static void transfer_complete(struct http_call *call, size_t rest)
{
	struct http_channel *channel = call->channel;
	if (call->head.persistent && rest == 0 && is_sent(call) && !call->deaf) {
		call->channel = NULL;
		channel_give(channel);
	}
	call_end(call, ERROR_NONE, "");
}

/* Takes what was read apart. Returns what is body; it lies in bytes. */
static struct span transfer_take(struct http_call *call, char *bytes, size_t len)
{
	size_t at = 0, rest;
	call->answered = true;
	if (call->state == CALL_ST_SENT) {
		at = head_take(&call->head, (struct span){bytes, len});
		if (call->head.state == HEAD_ST_REFUSED)
			call_end(call, ERROR_UPSTREAM_PROTOCOL, call->head.why);
		if (call->head.state != HEAD_ST_COMPLETE)
			return (struct span){"", 0};
		framing_init(&call->framing, &call->head);
		if (call->channel->attempt != NULL)
			attempt_take_tls(call->channel->attempt);
		call_set_state(call, CALL_ST_BODY);
		call->head_due = true;
	}
	size_t body = framing_decode(&call->framing, bytes + at, len - at, &rest);
	if (call->framing.state == FRAMING_ST_BROKEN)
		call_end(call, ERROR_UPSTREAM_PROTOCOL, call->framing.why);
	else if (call->framing.state == FRAMING_ST_END)
		transfer_complete(call, rest);
	return (struct span){bytes + at, body};
}

static void transfer_closed(struct http_call *call)
{
	if (call->state == CALL_ST_BODY && framing_may_end(&call->framing) && call->reset)
		call_end(call, ERROR_UPSTREAM_RESET, "the connection was reset inside the response body");
	else if (call->state == CALL_ST_BODY && framing_may_end(&call->framing))
		call_end(call, ERROR_NONE, "");
	else if (call->state == CALL_ST_BODY)
		call_end(call, ERROR_UPSTREAM_TRUNCATED, "the connection was closed inside the response body");
	else if (call->answered)
		call_end(call, ERROR_UPSTREAM_RESET, "the connection was closed inside the response head");
	else
		call_end(call, ERROR_UPSTREAM_RESET, "the connection was closed without an answer");
}

/*
 * Of TLS only the words tell what happened; the tests hold them. A TLS 1.3 server
 * judges our certificate when our side of the handshake is over: its alert takes
 * the answer's place. A peer that went without a close_notify has cut the body.
 */
static void transfer_failed(struct http_call *call, const char *why)
{
	if (call->state == CALL_ST_SENT && strstr(why, " alert ") != NULL)
		transfer_end(call, ERROR_UPSTREAM_TLS, why);
	else if (call->state == CALL_ST_BODY && strstr(why, "unexpected eof") != NULL)
		transfer_end(call, ERROR_UPSTREAM_TRUNCATED, why);
	else
		transfer_end(call, ERROR_UPSTREAM_RESET, why);
}

static void on_next_turn(struct timer *timer);

/* What TLS has decrypted already makes no descriptor ready. */
static void transfer_read_on_later(struct http_call *call)
{
	if (!call->origin->secure)
		return;
	if (!timer_start(&call->origin->client->reactor->timers, &call->timer, 0, on_next_turn))
		call_end(call, ERROR_OVERLOADED, "no memory for a timer");
}

static void transfer_stall(struct http_call *call)
{
	call->stalled = true;
	transfer_want(call);
}

/* Returns the bytes of the next read, once the caller had the chance to pause for want of memory. */
static size_t transfer_size(struct http_call *call)
{
	if (!ledger_is_tight(call->inbox.party))
		return TRANSFER_READ;
	if (call->ops->on_tight != NULL)
		call->ops->on_tight(call->context);
	return TRANSFER_READ_TIGHT;
}

/* One read, told to the caller. False: there is nothing more to read, or nobody to read it. */
static bool transfer_read(struct http_call *call, size_t size)
{
	char *bytes = call->origin->client->read_buffer;
	struct span body = {"", 0};
	size_t got = 0;
	const char *why = NULL;
	enum channel_result result = channel_read(call->channel, bytes, size, &got, &why);
	bool more = call->origin->secure || got == size;
	if (result == CHANNEL_LATER)
		return false;
	if (result == CHANNEL_OK)
		body = transfer_take(call, bytes, got);
	else if (result == CHANNEL_ENDED)
		transfer_closed(call);
	else
		transfer_failed(call, why);
	return call_deliver(call, body) && more;
}

static void transfer_receive(struct http_call *call)
{
	for (int round = 0; round < TRANSFER_ROUNDS; round++) {
		size_t size = transfer_size(call);
		if (call->paused) {
			transfer_stall(call);
			return;
		}
		if (!transfer_read(call, size))
			return;
	}
	transfer_read_on_later(call);
}

static void on_next_turn(struct timer *timer)
{
	transfer_receive(container_of(timer, struct http_call, timer));
}

void transfer_on_ready(struct http_call *call, unsigned events)
{
	if ((events & REACTOR_WRITE) != 0)
		transfer_send(call);
	if (call->state == CALL_ST_ENDED)
		call_deliver(call, (struct span){"", 0});
	else if (call->stalled && (events & REACTOR_ERROR) != 0)
		channel_ignore(call->channel); /* told when the caller goes on */
	else if ((events & (REACTOR_READ | REACTOR_ERROR)) != 0)
		transfer_receive(call);
}

void transfer_resume(struct http_call *call)
{
	if (!call->stalled)
		return;
	call->stalled = false;
	transfer_want(call);
	if (call->state != CALL_ST_ENDED)
		transfer_read_on_later(call);
}
