/* SPDX-License-Identifier: MIT */
/*
 * The proxy's thread: one poll over all connections, each a pair of sockets. Nothing in here may use cmocka's checks:
 * they are for the main thread.
 */
#include "tests/scenario/harness/garbler.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/scenario/harness/bytes.h"
#include "tests/scenario/harness/resp.h"
#include "tests/scenario/harness/scenario.h"

enum {
	PAIRS_MOST = 64,
	KEPT = 64,
	KEPT_MOST = 8192,
	TURN_MS = 5,
	DELAY_MOST_MS = 80,
	SWAP_MOST_MS = 10,
	DEPTH_MOST = 8
};

struct pair {
	int client, server;   /* client -1 = free */
	struct bytes replies; /* from the server, not yet understood */
	struct bytes out;     /* to the client */
	struct bytes swapped; /* a reply that waits for the next one */
	uint64_t swapped_until_us, late_until_us;
	bool cut; /* as soon as out is through */
};

struct garbler_thread {
	struct garbler garbler;
	pthread_t thread;
	int listener, redis_port;
	atomic_bool ended;
	atomic_uint one_in, ways;
	atomic_size_t counts[GARBLE_COUNT];
	atomic_size_t allowed; /* bytes to Redis; SIZE_MAX = any */
	atomic_bool cut;
	const char *holds, *instead;
	atomic_size_t insteads; /* how many replies that hold it; written last */
	struct dice dice;
	struct pair pairs[PAIRS_MOST];
	struct bytes kept[KEPT]; /* replies of before */
	size_t kept_next;
};

/* ---- replies ---- */

static void keep_reply(struct garbler_thread *thread, const char *reply, size_t len)
{
	if (len > KEPT_MOST)
		return;
	struct bytes *kept = &thread->kept[thread->kept_next++ % KEPT];
	bytes_drop(kept, kept->len);
	bytes_append(kept, reply, len);
}

static enum garble choose(struct garbler_thread *thread)
{
	unsigned one_in = atomic_load(&thread->one_in), ways = atomic_load(&thread->ways);
	enum garble garble = GARBLE_NOT;
	if (one_in != 0 && dice_roll(&thread->dice, one_in) == 0) {
		do
			garble = (enum garble)(1 + dice_roll(&thread->dice, GARBLE_COUNT - 1));
		while ((ways & 1u << garble) == 0);
	}
	atomic_fetch_add(&thread->counts[garble], 1);
	return garble;
}

static void send_foreign(struct garbler_thread *thread, struct bytes *out, const char *reply, size_t len)
{
	for (int look = 0; look < KEPT && reply[0] != '+'; look++) { /* of the same kind, so that it is believed */
		const struct bytes *kept = &thread->kept[dice_roll(&thread->dice, KEPT)];
		if (kept->len > 0 && kept->at[0] == reply[0] &&
		    (kept->len != len || memcmp(kept->at, reply, len) != 0)) {
			bytes_append(out, kept->at, kept->len);
			return;
		}
	}
	bytes_append(out, reply, len);
}

static void pass_reply(struct garbler_thread *thread, struct pair *pair, const char *reply, size_t len)
{
	enum garble garble = choose(thread);
	struct bytes *out = &pair->out;
	size_t start = out->len;
	switch (garble) {
	case GARBLE_MAKE_UP:
		resp_make_up(&thread->dice, out);
		break;
	case GARBLE_TRUNCATE:
		bytes_append(out, reply, dice_roll(&thread->dice, len));
		break;
	case GARBLE_DROP:
		break;
	case GARBLE_FOREIGN:
		send_foreign(thread, out, reply, len);
		break;
	case GARBLE_SWAP:
		if (pair->swapped.len == 0) {
			bytes_append(&pair->swapped, reply, len);
			pair->swapped_until_us = clock_us() + SWAP_MOST_MS * 1000;
			return;
		}
		bytes_append(out, reply, len);
		break;
	case GARBLE_CUT:
		bytes_append(out, reply, dice_roll(&thread->dice, len));
		pair->cut = true;
		break;
	case GARBLE_DELAY:
		pair->late_until_us = clock_us() + dice_roll(&thread->dice, DELAY_MOST_MS) * 1000;
		bytes_append(out, reply, len);
		break;
	case GARBLE_TWICE:
		bytes_append(out, reply, len);
		bytes_append(out, reply, len);
		break;
	default:
		bytes_append(out, reply, len);
	}
	if (garble == GARBLE_FLIP)
		resp_flip(&thread->dice, out->at + start, len);
	bytes_append(out, pair->swapped.at, pair->swapped.len);
	bytes_drop(&pair->swapped, pair->swapped.len);
}

/* ---- connections ---- */

static void pair_close(struct pair *pair)
{
	close(pair->client);
	close(pair->server);
	bytes_free(&pair->replies);
	bytes_free(&pair->out);
	bytes_free(&pair->swapped);
	*pair = (struct pair){.client = -1};
}

static void pair_open(struct garbler_thread *thread)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {htonl(INADDR_LOOPBACK)},
				      .sin_port = htons((unsigned short)thread->redis_port)};
	int client = accept4(thread->listener, NULL, NULL, SOCK_CLOEXEC);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pair *pair = thread->pairs;
	while (pair < thread->pairs + PAIRS_MOST && pair->client >= 0)
		pair++;
	if (client < 0 || server < 0 || pair == thread->pairs + PAIRS_MOST ||
	    connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
		close(client);
		close(server);
		return;
	}
	*pair = (struct pair){.client = client, .server = server};
}

/* What the client says goes on as it is, as far as that is allowed. */
static bool pair_ask(struct garbler_thread *thread, struct pair *pair)
{
	char bytes[16384];
	size_t allowed = atomic_load(&thread->allowed);
	ssize_t got = recv(pair->client, bytes, allowed < sizeof bytes ? allowed : sizeof bytes, MSG_DONTWAIT);
	if (got <= 0)
		return false;
	if (allowed != SIZE_MAX)
		atomic_fetch_sub(&thread->allowed, (size_t)got);
	return send(pair->server, bytes, (size_t)got, MSG_NOSIGNAL) == got;
}

static bool is_replaced(struct garbler_thread *thread, const char *reply, size_t len)
{
	size_t left = atomic_load(&thread->insteads);
	if (left == 0 || memmem(reply, len, thread->holds, strlen(thread->holds)) == NULL)
		return false;
	if (left != SIZE_MAX)
		atomic_store(&thread->insteads, left - 1);
	return true;
}

static bool pair_answer(struct garbler_thread *thread, struct pair *pair)
{
	char bytes[16384];
	size_t len;
	ssize_t got = recv(pair->server, bytes, sizeof bytes, MSG_DONTWAIT);
	if (got <= 0)
		return false;
	bytes_append(&pair->replies, bytes, (size_t)got);
	while (!pair->cut && (len = resp_len(bytes_text(&pair->replies), pair->replies.len)) > 0) {
		if (is_replaced(thread, pair->replies.at, len))
			bytes_append(&pair->out, thread->instead, strlen(thread->instead));
		else
			pass_reply(thread, pair, pair->replies.at, len);
		keep_reply(thread, pair->replies.at, len);
		bytes_drop(&pair->replies, len);
	}
	return true;
}

/* What is due goes to the client. False: the connection is over. */
static bool pair_flush(struct garbler_thread *thread, struct pair *pair)
{
	bool tame = atomic_load(&thread->one_in) == 0;
	if (pair->swapped.len > 0 && (tame || clock_us() >= pair->swapped_until_us)) {
		bytes_append(&pair->out, pair->swapped.at, pair->swapped.len);
		bytes_drop(&pair->swapped, pair->swapped.len);
	}
	if (!tame && clock_us() < pair->late_until_us)
		return true;
	ssize_t put =
	    pair->out.len == 0 ? 0 : send(pair->client, pair->out.at, pair->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (put > 0)
		bytes_drop(&pair->out, (size_t)put);
	return !pair->cut || pair->out.len > 0;
}

static void turn(struct garbler_thread *thread)
{
	struct pollfd fds[1 + 2 * PAIRS_MOST];
	short asking = atomic_load(&thread->allowed) == 0 ? 0 : POLLIN;
	fds[0] = (struct pollfd){.fd = thread->listener, .events = POLLIN};
	for (size_t i = 0; i < PAIRS_MOST; i++) {
		const struct pair *pair = &thread->pairs[i];
		fds[1 + 2 * i] = (struct pollfd){.fd = pair->client, .events = asking};
		fds[2 + 2 * i] = (struct pollfd){.fd = pair->client < 0 ? -1 : pair->server, .events = POLLIN};
	}
	poll(fds, 1 + 2 * PAIRS_MOST, TURN_MS);
	for (size_t i = 0; i < PAIRS_MOST; i++) {
		struct pair *pair = &thread->pairs[i];
		if (pair->client < 0)
			continue;
		bool open = (fds[1 + 2 * i].revents == 0 || pair_ask(thread, pair)) &&
			    (fds[2 + 2 * i].revents == 0 || pair_answer(thread, pair)) && pair_flush(thread, pair);
		if (!open)
			pair_close(pair);
	}
	if (fds[0].revents != 0)
		pair_open(thread);
}

static void cut_all(struct garbler_thread *thread)
{
	for (size_t i = 0; i < PAIRS_MOST; i++)
		if (thread->pairs[i].client >= 0)
			pair_close(&thread->pairs[i]);
	atomic_store(&thread->allowed, SIZE_MAX);
	atomic_store(&thread->cut, false);
}

static void *run(void *context)
{
	struct garbler_thread *thread = context;
	while (!atomic_load(&thread->ended)) {
		turn(thread);
		if (atomic_load(&thread->cut))
			cut_all(thread);
	}
	return NULL;
}

/* ---- the test's side ---- */

static void finish(void *object)
{
	struct garbler_thread *thread = object;
	atomic_store(&thread->ended, true);
	pthread_join(thread->thread, NULL);
	cut_all(thread);
	for (size_t i = 0; i < KEPT; i++)
		bytes_free(&thread->kept[i]);
	close(thread->listener);
	free(thread);
}

struct garbler *garbler_start(int redis_port, uint64_t seed)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof address;
	struct garbler_thread *thread = calloc(1, sizeof *thread);
	assert_non_null(thread);
	thread->garbler.thread = thread;
	thread->redis_port = redis_port;
	thread->dice.state = seed;
	atomic_store(&thread->allowed, SIZE_MAX);
	for (size_t i = 0; i < PAIRS_MOST; i++)
		thread->pairs[i].client = -1;
	thread->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(thread->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(thread->listener, PAIRS_MOST), 0);
	assert_int_equal(getsockname(thread->listener, (struct sockaddr *)&address, &size), 0);
	thread->garbler.port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&thread->thread, NULL, run, thread), 0);
	scenario_defer(finish, thread);
	return &thread->garbler;
}

void garbler_set(struct garbler *garbler, unsigned one_in, unsigned ways)
{
	atomic_store(&garbler->thread->ways, ways);
	atomic_store(&garbler->thread->one_in, one_in);
}

void garbler_tame(struct garbler *garbler)
{
	atomic_store(&garbler->thread->one_in, 0);
}

void garbler_answer(struct garbler *garbler, size_t times, const char *holds, const char *instead)
{
	garbler->thread->holds = holds;
	garbler->thread->instead = instead;
	atomic_store(&garbler->thread->insteads, times);
}

void garbler_choke(struct garbler *garbler, size_t bytes)
{
	atomic_store(&garbler->thread->allowed, bytes);
}

size_t garbler_left(const struct garbler *garbler)
{
	return atomic_load(&garbler->thread->allowed);
}

bool garbler_is_choked(const struct garbler *garbler)
{
	return atomic_load(&garbler->thread->allowed) == 0;
}

void garbler_cut(struct garbler *garbler)
{
	struct patience patience = patience_for("the proxy to end its connections");
	atomic_store(&garbler->thread->cut, true);
	while (atomic_load(&garbler->thread->cut))
		patience_wait(&patience);
}

size_t garbler_count(const struct garbler *garbler, enum garble garble)
{
	return atomic_load(&garbler->thread->counts[garble]);
}
