/* SPDX-License-Identifier: MIT */
/* The connection's state machine; conn.h holds the contract. conn_close is the only door out. */
#include "tools/sim/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/container.h"

enum {
	CONN_BODY_MOST = 64 * 1024 * 1024,
	CONN_READ = 16 * 1024,
	CONN_KEEP = 4 * 1024,
	CONN_STEPS = 64 /* per turn, so that one fast reader cannot starve the others */
};

static void conn_advance(struct conn *conn);

static void set_state(struct conn *conn, enum conn_state state)
{
	assert(conn->state != CONN_ST_CLOSED);
	conn->state = state;
}

static void conn_close(struct conn *conn, enum conn_close how)
{
	struct sim *sim = conn->sim;
	if (conn->state == CONN_ST_CLOSED)
		return;
	call_finish(&conn->call, how == CONN_CLOSE_PEER ? JOURNAL_PEER_CLOSED : conn->call.outcome);
	timer_stop(&sim->timers, &conn->timer);
	if (how == CONN_CLOSE_RST)
		setsockopt(conn->source.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	else
		shutdown(conn->source.fd, SHUT_RDWR);
	close(conn->source.fd);
	conn->source.fd = -1;
	set_state(conn, CONN_ST_CLOSED);
	*conn->back = conn->next;
	if (conn->next != NULL)
		conn->next->back = conn->back;
	conn->next = sim->dead;
	sim->dead = conn;
	sim->conn_count--;
}

static void on_timer(struct timer *timer)
{
	conn_advance(container_of(timer, struct conn, timer));
}

/* Comes back after delay_us. */
static void sleep_for(struct conn *conn, uint64_t delay_us)
{
	if (!timer_start(&conn->sim->timers, &conn->timer, delay_us, on_timer))
		conn_close(conn, CONN_CLOSE_RST);
}

/* Pause at a cut of the wire: a split needs none, one cut at a chosen place wants to be seen by the reader. */
static uint64_t cut_gap(const struct conn *conn)
{
	const struct knobs *knobs = &conn->call.knobs;
	if (conn->call.fault == FAULT_SLOW_BYTES)
		return knobs_get(knobs, KNOB_ITL, 5000);
	return knobs_get(knobs, KNOB_GAP, conn->wire.split > 0 ? 0 : 5000);
}

/* The answer is over: what is left of the input begins with the next request. */
static void next_request(struct conn *conn)
{
	call_finish(&conn->call, conn->call.outcome);
	buf_consume(&conn->in, conn->request_len);
	conn->request_len = 0;
	if (buf_len(&conn->in) == 0 && conn->in.capacity > CONN_KEEP)
		buf_fini(&conn->in);
	set_state(conn, CONN_ST_HEAD);
}

/* Sends and steps until the answer is over (true), or something has to be waited for. */
static bool pump(struct conn *conn)
{
	for (int steps = 0; steps < CONN_STEPS; steps++) {
		switch (wire_flush(&conn->wire, conn->source.fd)) {
		case WIRE_BLOCKED:
			return false;
		case WIRE_CUT:
			sleep_for(conn, cut_gap(conn));
			return false;
		case WIRE_LOST:
			conn_close(conn, CONN_CLOSE_PEER);
			return false;
		case WIRE_DRAINED:
			break;
		}
		switch (call_step(&conn->call)) {
		case CALL_AGAIN:
			break;
		case CALL_WAIT:
			if (!wire_is_empty(&conn->wire))
				break; /* flush first, then the next step says so again */
			sleep_for(conn, conn->call.due_us - timers_now(&conn->sim->timers));
			return false;
		case CALL_HANG:
			return false;
		case CALL_KEEP:
			next_request(conn);
			return true;
		case CALL_FIN:
			conn_close(conn, CONN_CLOSE_FIN);
			return false;
		case CALL_RST:
			conn_close(conn, CONN_CLOSE_RST);
			return false;
		}
	}
	sleep_for(conn, 0);
	return false;
}

static bool begin_bad(struct conn *conn, int status, const char *message)
{
	conn->request_len = buf_len(&conn->in);
	set_state(conn, CONN_ST_ANSWER);
	call_begin_bad(&conn->call, status, message);
	return true;
}

static void begin(struct conn *conn, const struct http_request *request, struct span body, size_t len)
{
	conn->request_len = len;
	set_state(conn, CONN_ST_ANSWER);
	call_begin(&conn->call, request, body);
}

/* The head is complete: remembers how long the body is. False when the request was refused. */
static bool take_head(struct conn *conn, const struct http_request *request)
{
	if (request->content_length > CONN_BODY_MOST) {
		begin_bad(conn, 413, "body: expected at most 64 MiB");
		return false;
	}
	conn->head_len = request->head.len;
	conn->body_len = request->content_length;
	conn->chunked = request->chunked;
	conn->chunks = (struct http_chunks){.raw = 0};
	set_state(conn, CONN_ST_BODY);
	bool whole = !request->chunked && buf_len(&conn->in) - conn->head_len >= conn->body_len;
	if (request->expect_continue && !whole)
		wire_raw(&conn->wire, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
	if (wire_flush(&conn->wire, conn->source.fd) == WIRE_LOST)
		conn_close(conn, CONN_CLOSE_PEER);
	return true;
}

/* Begins a call if a whole request is there. False: more bytes are needed, or the connection is closed. */
static bool take_request(struct conn *conn)
{
	static struct http_request request; /* 4 KiB, valid within this function only */
	enum http_result result = http_head_parse(&request, buf_span(&conn->in));
	if (result == HTTP_MORE)
		return false;
	if (result != HTTP_OK)
		return begin_bad(conn, result == HTTP_BAD ? 400 : 431, "The request head is broken or too large");
	if (conn->state == CONN_ST_HEAD && !take_head(conn, &request))
		return true;
	if (conn->state == CONN_ST_CLOSED)
		return false;
	char *body = conn->in.bytes + conn->in.start + conn->head_len;
	size_t have = buf_len(&conn->in) - conn->head_len;
	if (!conn->chunked) {
		if (have < conn->body_len)
			return false;
		begin(conn, &request, (struct span){body, (size_t)conn->body_len},
		      conn->head_len + (size_t)conn->body_len);
		return true;
	}
	result = http_chunks_decode(&conn->chunks, body, have);
	if (result == HTTP_BAD)
		return begin_bad(conn, 400, "The chunked body is broken");
	if (result == HTTP_MORE)
		return false;
	begin(conn, &request, (struct span){body, conn->chunks.decoded}, conn->head_len + conn->chunks.raw);
	return true;
}

/* True when bytes were read; false when there are none now, or the connection is closed. */
static bool read_more(struct conn *conn)
{
	while (conn->readable) {
		char *at = buf_reserve(&conn->in, CONN_READ);
		if (at == NULL) {
			buf_reset(&conn->in);
			begin_bad(conn, 413, "The request is too large");
			return true;
		}
		ssize_t got = recv(conn->source.fd, at, CONN_READ, 0);
		if (got > 0) {
			buf_commit(&conn->in, (size_t)got);
			return true;
		}
		if (got < 0 && errno == EINTR)
			continue;
		conn->readable = false;
		if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			conn_close(conn, CONN_CLOSE_PEER);
	}
	return false;
}

/* Whether another look at the input is worth it: a body that is still short by its length is not parsed again. */
static bool is_short(const struct conn *conn)
{
	return conn->state == CONN_ST_BODY && !conn->chunked && buf_len(&conn->in) - conn->head_len < conn->body_len;
}

static void conn_advance(struct conn *conn)
{
	if (conn->busy)
		return;
	conn->busy = true;
	while (conn->state != CONN_ST_CLOSED && conn->state != CONN_ST_IGNORE) {
		if (conn->state == CONN_ST_ANSWER) {
			if (timer_is_running(&conn->timer) || !pump(conn))
				break;
		} else if (buf_len(&conn->in) == 0 || is_short(conn) || !take_request(conn)) {
			if (conn->state == CONN_ST_CLOSED || !read_more(conn))
				break;
		}
	}
	conn->busy = false;
}

static void on_ready(struct source *source, uint32_t events)
{
	struct conn *conn = (struct conn *)source;
	if (conn->state == CONN_ST_CLOSED)
		return;
	if ((events & EPOLLIN) != 0)
		conn->readable = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		conn->left = true;
	if ((events & (EPOLLIN | EPOLLOUT)) != 0)
		conn_advance(conn);
	if (conn->left)
		conn_close(conn, CONN_CLOSE_PEER);
}

/* True when the standing fault takes this connection: it will never be read. */
static bool is_ignored(struct sim *sim)
{
	return sim->standing.knobs.fault == FAULT_ACCEPT_HANG &&
	       sim->standing.calls++ < knobs_get(&sim->standing.knobs, KNOB_TIMES, UINT64_MAX);
}

void conn_create(struct sim *sim, int fd, bool control)
{
	struct conn *conn = calloc(1, sizeof *conn);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	sim->counters.accepted++;
	if (conn == NULL) {
		close(fd);
		return;
	}
	event.data.ptr = &conn->source;
	if (epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		close(fd);
		free(conn);
		return;
	}
	conn->source = (struct source){on_ready, fd};
	conn->sim = sim;
	if (!control && is_ignored(sim))
		conn->state = CONN_ST_IGNORE;
	conn->next = sim->conns;
	conn->back = &sim->conns;
	if (conn->next != NULL)
		conn->next->back = &conn->next;
	sim->conns = conn;
	sim->conn_count++;
	buf_init(&conn->in, CONN_BODY_MOST + HTTP_HEAD_BYTES_MOST + 2 * CONN_READ);
	wire_init(&conn->wire);
	call_init(&conn->call, sim, &conn->wire, ++sim->last_conn_id);
}

void conn_drop_all(struct sim *sim)
{
	for (struct conn *conn = sim->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->busy)
			continue; /* the one that asks */
		conn->call.outcome = JOURNAL_FAULT;
		conn_close(conn, CONN_CLOSE_RST);
	}
}

void conn_wake_all(struct sim *sim)
{
	for (struct conn *conn = sim->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->state == CONN_ST_ANSWER && !conn->busy && !timer_is_running(&conn->timer))
			sleep_for(conn, 0);
	}
}

void conn_bury(struct sim *sim)
{
	for (struct conn *conn; (conn = sim->dead) != NULL;) {
		sim->dead = conn->next;
		buf_fini(&conn->in);
		wire_fini(&conn->wire);
		free(conn);
	}
}

void conn_teardown(struct sim *sim)
{
	while (sim->conns != NULL)
		conn_close(sim->conns, CONN_CLOSE_FIN);
	conn_bury(sim);
}
