/* SPDX-License-Identifier: MIT */
/*
 * The scripted backend: one thread accepts, one thread per connection plays.
 * Everything shared is behind one mutex, an eventfd opens gates,
 * another ends all threads.
 */
#include "tests/scenario/harness/backend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/scenario/harness/backend_internal.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"

void *backend_grow(void *array, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return array;
	array = realloc(array, (count == 0 ? 1 : count * 2) * size);
	if (array == NULL)
		abort();
	return array;
}

static void backend_play(struct backend *backend, int fd)
{
	int on = 1;
	pthread_t thread;
	struct player *player = calloc(1, sizeof *player);
	if (player == NULL)
		abort();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*player = (struct player){.backend = backend, .fd = fd, .request = SIZE_MAX};
	pthread_mutex_lock(&backend->lock);
	backend->connection_count++;
	backend->players++;
	pthread_mutex_unlock(&backend->lock);
	if (pthread_create(&thread, NULL, player_run, player) != 0)
		abort();
	pthread_detach(thread);
}

static void *backend_accept(void *argument)
{
	struct backend *backend = argument;
	for (;;) {
		struct pollfd polled[2] = {{.fd = backend->listener, .events = POLLIN},
					   {.fd = backend->stop, .events = POLLIN}};
		if (poll(polled, 2, -1) < 0)
			continue;
		if (polled[1].revents != 0)
			return NULL;
		int fd = accept4(backend->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			backend_play(backend, fd);
	}
}

/* Until every connection of it has ended. */
static void wait_idle(struct backend *backend)
{
	size_t players = 1;
	struct patience patience = patience_for("the backend's threads");
	while (players > 0) {
		pthread_mutex_lock(&backend->lock);
		players = backend->players;
		pthread_mutex_unlock(&backend->lock);
		if (players > 0)
			patience_wait(&patience);
	}
}

static void backend_stop(void *object)
{
	struct backend *backend = object;
	uint64_t one = 1;
	if (write(backend->stop, &one, sizeof one) != sizeof one)
		abort();
	pthread_join(backend->acceptor, NULL);
	wait_idle(backend);
	for (size_t i = 0; i < backend->request_count; i++)
		bytes_free(&backend->requests[i].text);
	for (size_t i = 0; i < backend->script_count; i++)
		free(backend->scripts[i]);
	free(backend->scripts);
	free(backend->requests);
	close(backend->listener);
	for (size_t i = 0; i < BACKEND_GATES; i++)
		close(backend->gates[i]);
	close(backend->stop);
	pthread_mutex_destroy(&backend->lock);
	free(backend);
}

struct backend *backend_start(void)
{
	struct backend *backend = calloc(1, sizeof *backend);
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	assert_non_null(backend);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	backend->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(backend->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(backend->listener, 512), 0);
	getsockname(backend->listener, (struct sockaddr *)&address, &size);
	backend->port = ntohs(address.sin_port);
	for (size_t i = 0; i < BACKEND_GATES; i++)
		backend->gates[i] = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
	backend->stop = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&backend->lock, NULL);
	assert_int_equal(pthread_create(&backend->acceptor, NULL, backend_accept, backend), 0);
	scenario_defer(backend_stop, backend);
	return backend;
}

int backend_port(const struct backend *backend)
{
	return backend->port;
}

static bool ends_script(enum step_kind kind)
{
	return kind == STEP_END || kind == STEP_AGAIN || kind == STEP_FIN || kind == STEP_RST;
}

static size_t step_len(const struct step *step)
{
	return step->len == 0 && step->bytes != NULL ? strlen(step->bytes) : step->len;
}

/* One block: the steps, then their bytes. */
static struct step *copy_script(const struct step *steps)
{
	size_t count = 1, size = step_len(&steps[0]);
	for (; !ends_script(steps[count - 1].kind); count++)
		size += step_len(&steps[count]);
	struct step *copy = malloc(count * sizeof *copy + size);
	if (copy == NULL)
		abort();
	char *to = (char *)(copy + count);
	for (size_t i = 0; i < count; i++) {
		size_t len = step_len(&steps[i]);
		copy[i] = (struct step){steps[i].kind, to, len, steps[i].count};
		to = mempcpy(to, len == 0 ? "" : steps[i].bytes, len);
	}
	return copy;
}

void backend_script(struct backend *backend, const struct step *steps)
{
	struct step *script = copy_script(steps);
	pthread_mutex_lock(&backend->lock);
	backend->scripts = backend_grow(backend->scripts, backend->script_count, sizeof script);
	backend->scripts[backend->script_count++] = script;
	pthread_mutex_unlock(&backend->lock);
}

void backend_reply(struct backend *backend, const char *content_type, const char *body)
{
	struct bytes text = {0};
	bytes_printf(&text, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", content_type,
		     strlen(body), body);
	backend_script(backend, (const struct step[]){SEND_BYTES(text.at, text.len), AGAIN});
	bytes_free(&text);
}

void backend_open_gate(struct backend *backend)
{
	backend_open_gate_of(backend, 0);
}

void backend_open_gate_of(struct backend *backend, size_t gate)
{
	uint64_t one = 1;
	assert_int_equal(write(backend->gates[gate], &one, sizeof one), sizeof one);
}

size_t backend_requests(struct backend *backend)
{
	pthread_mutex_lock(&backend->lock);
	size_t count = backend->request_count;
	pthread_mutex_unlock(&backend->lock);
	return count;
}

size_t backend_connections(struct backend *backend)
{
	pthread_mutex_lock(&backend->lock);
	size_t count = backend->connection_count;
	pthread_mutex_unlock(&backend->lock);
	return count;
}

void backend_wait_requests(struct backend *backend, size_t count)
{
	struct patience patience = patience_for("a request to reach the backend");
	while (backend_requests(backend) < count)
		patience_wait(&patience);
}

void backend_request(struct backend *backend, size_t index, struct bytes *text)
{
	backend_wait_requests(backend, index + 1);
	pthread_mutex_lock(&backend->lock);
	bytes_append(text, backend->requests[index].text.at, backend->requests[index].text.len);
	pthread_mutex_unlock(&backend->lock);
}

void backend_request_body(struct backend *backend, size_t index, struct bytes *body)
{
	struct bytes text = {0};
	backend_request(backend, index, &text);
	pthread_mutex_lock(&backend->lock);
	size_t at = backend->requests[index].body_at;
	pthread_mutex_unlock(&backend->lock);
	bytes_append(body, text.at + at, text.len - at);
	bytes_free(&text);
}

uint64_t backend_wait_left(struct backend *backend, size_t index)
{
	struct patience patience = patience_for("sluice to leave the backend");
	for (;;) {
		pthread_mutex_lock(&backend->lock);
		uint64_t left = backend->requests[index].left_us;
		pthread_mutex_unlock(&backend->lock);
		if (left != 0)
			return left;
		patience_wait(&patience);
	}
}
