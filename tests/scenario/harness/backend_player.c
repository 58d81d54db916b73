/* SPDX-License-Identifier: MIT */
/* Playing a script on one connection of the scripted backend. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/scenario/harness/backend_internal.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/tcp_table.h"

/* Waits until fd is ready for events or the test ends (false). */
static bool player_wait(struct player *player, short events)
{
	struct pollfd polled[2] = {{.fd = player->fd, .events = events},
				   {.fd = player->backend->stop, .events = POLLIN}};
	while (poll(polled, 2, -1) < 0 && errno == EINTR) {
	}
	return polled[1].revents == 0;
}

static void player_note_left(struct player *player)
{
	struct backend *backend = player->backend;
	player->over = true;
	pthread_mutex_lock(&backend->lock);
	if (player->request < backend->request_count && backend->requests[player->request].left_us == 0)
		backend->requests[player->request].left_us = clock_us();
	pthread_mutex_unlock(&backend->lock);
}

static size_t content_length(const char *head)
{
	for (const char *line = head; line != NULL; line = strstr(line, "\r\n")) {
		line += line == head ? 0 : 2;
		if (strncasecmp(line, "content-length:", 15) == 0)
			return strtoul(line + 15, NULL, 10);
	}
	return 0;
}

/* Reads one request with Content-Length; false when the peer left instead. */
static bool player_read_request(struct player *player, struct request *request)
{
	char block[65536];
	for (;;) {
		const char *end = memmem(bytes_text(&request->text), request->text.len, "\r\n\r\n", 4);
		if (end != NULL) {
			request->body_at = (size_t)(end - request->text.at) + 4;
			if (request->text.len - request->body_at >= content_length(request->text.at))
				return true;
		}
		if (!player_wait(player, POLLIN))
			return false;
		ssize_t got = recv(player->fd, block, sizeof block, 0);
		if (got <= 0)
			return false;
		bytes_append(&request->text, block, (size_t)got);
	}
}

/* The script for the next request; NULL when the peer left or there is none. */
static const struct step *player_next_script(struct player *player)
{
	struct backend *backend = player->backend;
	struct request request = {0};
	const struct step *script = NULL;
	bool got = player_read_request(player, &request);
	pthread_mutex_lock(&backend->lock);
	if (got && backend->script_count > 0) {
		backend->requests = backend_grow(backend->requests, backend->request_count, sizeof request);
		player->request = backend->request_count++;
		backend->requests[player->request] = request;
		size_t last = backend->script_count - 1;
		script = backend->scripts[player->request < last ? player->request : last];
	}
	pthread_mutex_unlock(&backend->lock);
	if (script == NULL)
		bytes_free(&request.text);
	return script;
}

static void player_send(struct player *player, const char *at, size_t len)
{
	while (len > 0 && !player->over) {
		if (!player_wait(player, POLLOUT)) {
			player->over = true;
			return;
		}
		ssize_t put = send(player->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN) {
			player_note_left(player);
			return;
		}
		at += put > 0 ? put : 0;
		len -= put > 0 ? (size_t)put : 0;
	}
}

/* Waits for the peer's leaving, or for a gate (-1 = none); true when the gate opened. */
static bool player_linger(struct player *player, int gate)
{
	struct backend *backend = player->backend;
	for (;;) {
		struct pollfd polled[3] = {{.fd = player->fd, .events = POLLIN | POLLRDHUP},
					   {.fd = backend->stop, .events = POLLIN},
					   {.fd = gate, .events = POLLIN}};
		if (poll(polled, 3, -1) < 0)
			continue;
		uint64_t one;
		char byte;
		if (polled[1].revents != 0) {
			player->over = true;
			return false;
		}
		if (polled[0].revents != 0 && recv(player->fd, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN) {
			player_note_left(player);
			return false;
		}
		if (polled[2].revents != 0 && read(gate, &one, sizeof one) == sizeof one)
			return true;
	}
}

/* Bytes that the peer, a process of this machine, has not read yet. */
static unsigned player_unread(const struct player *player)
{
	struct sockaddr_in own, peer;
	socklen_t own_size = sizeof own, peer_size = sizeof peer;
	if (getsockname(player->fd, (struct sockaddr *)&own, &own_size) != 0 ||
	    getpeername(player->fd, (struct sockaddr *)&peer, &peer_size) != 0)
		return 0;
	return tcp_unread(&peer, &own);
}

static void player_drain(struct player *player)
{
	struct timespec moment = {0, 200000};
	do { /* a moment first: what was just sent may still be on its way */
		nanosleep(&moment, NULL);
	} while (player_unread(player) > 0);
}

static void player_flood(struct player *player, const struct step *step)
{
	for (size_t i = 0; i < step->count && !player->over; i++)
		player_send(player, step->bytes, step->len);
}

static void player_close(struct player *player, bool reset)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	if (reset)
		setsockopt(player->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	else
		shutdown(player->fd, SHUT_WR);
	close(player->fd);
	player->fd = -1;
	player->over = true;
}

/* Plays one step; returns where to go on, NULL when the connection is over. */
static const struct step *player_step(struct player *player, const struct step *step)
{
	switch (step->kind) {
	case STEP_SEND:
		player_send(player, step->bytes, step->len);
		break;
	case STEP_FLOOD:
		player_flood(player, step);
		break;
	case STEP_GATE:
		player_linger(player, player->backend->gates[step->count]);
		break;
	case STEP_DRAIN:
		player_drain(player);
		break;
	case STEP_AGAIN:
		return player_next_script(player);
	case STEP_FIN:
		player_close(player, false);
		break;
	case STEP_RST:
		player_close(player, true);
		break;
	case STEP_END:
		player_linger(player, -1);
		return NULL;
	}
	return player->over ? NULL : step + 1;
}

void *player_run(void *argument)
{
	struct player *player = argument;
	struct backend *backend = player->backend;
	const struct step *step = player_next_script(player);
	while (step != NULL)
		step = player_step(player, step);
	if (player->fd >= 0)
		close(player->fd);
	free(player);
	pthread_mutex_lock(&backend->lock);
	backend->players--;
	pthread_mutex_unlock(&backend->lock);
	return NULL;
}
