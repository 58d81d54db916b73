/* SPDX-License-Identifier: MIT */
/* Slow and idle clients. They never wait: each look moves each of them a little. */
#include "tests/soak/guests.h"

#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/sse.h"

/* The answer is larger than all buffers on its way, so that its backend is paused. */
enum { SLOW_TOKENS = 8000, SLOW_BODY_LEAST = 8000000, SLOW_PAUSE = 20, STAY = 100, ARRIVE_EVERY = 2 };

#define SLOW_MODEL "slow"

static void come_slow(struct guests *guests, struct guest *guest)
{
	struct client *client = &guest->client;
	*client = (struct client){.via = guest->via};
	if (guest->via == VIA_H2 || guest->via == VIA_H2_TLS) {
		client_chat(client, guests->sluice, guest->via, SLOW_MODEL, true);
		return;
	}
	bool tls = guest->via == VIA_H1_TLS;
	wire_open_narrow(&client->h1.wire, tls ? guests->sluice->tls_port : guests->sluice->port,
			 tls ? "http/1.1" : NULL);
	h1_post(&client->h1, "/v1/chat/completions", "", chat_body(SLOW_MODEL, true));
}

/* Bytes that no server may take for a request: the answer is a 400, and the connection is over. */
static void say_nonsense(struct guests *guests)
{
	struct h1 h1;
	h1_open(&h1, guests->sluice->port, false);
	h1_send(&h1, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
		     "Transfer-Encoding: chunked\r\n\r\n{}");
	h1_wait_end(&h1);
	if (h1.answer.status != 400)
		fail_msg("a request that smuggles: status %d", h1.answer.status);
	h1_close(&h1);
	guests->refused++;
}

static void come(struct guests *guests, struct guest *guest)
{
	size_t turn = guests->arrivals++;
	guest->via = (enum via)(turn % VIA_COUNT);
	guest->looks = 0;
	switch (turn / VIA_COUNT % 4) {
	case 0:
	case 1:
		client_send(&guest->client, guests->sluice, guest->via, "GET", "/livez", NULL, NULL);
		client_wait_end(&guest->client);
		guest->is = GUEST_IDLE;
		break;
	case 2:
		come_slow(guests, guest);
		guest->is = GUEST_SLOW;
		break;
	default:
		/* half of a head, or of a preface, and nothing more */
		guest->via = VIA_H1;
		guest->client = (struct client){.via = VIA_H1};
		h1_open(&guest->client.h1, guests->sluice->port, false);
		h1_send(&guest->client.h1, turn % 2 == 0 ? "POST /v1/chat/comp" : "PRI * HTT");
		guest->is = GUEST_SILENT;
		say_nonsense(guests);
		break;
	}
}

static void go(struct guest *guest)
{
	if (guest->is != GUEST_AWAY)
		client_close(&guest->client);
	guest->is = GUEST_AWAY;
}

static void check_served(struct guests *guests, const struct answer *answer)
{
	struct sse sse = {0};
	if (answer->status != 200 || !answer->ended || answer->body.len < SLOW_BODY_LEAST)
		fail_msg("a slow reader got status %d and %zu bytes, %s", answer->status, answer->body.len,
			 answer->ended ? "ended" : "broken");
	sse_read(&sse, &answer->body);
	assert_true(sse_is_done(&sse));
	check_sse_counted(&sse, 0, SLOW_TOKENS);
	sse_free(&sse);
	guests->served++;
}

/* Reads nothing at first, then a block at each look. */
static void look_slow(struct guests *guests, struct guest *guest)
{
	enum { BLOCKS = 8 };
	struct client *client = &guest->client;
	struct answer *answer = client_answer(client);
	bool h1 = guest->via == VIA_H1 || guest->via == VIA_H1_TLS;
	if (guest->looks < SLOW_PAUSE)
		return;
	for (int i = 0; i < BLOCKS && !answer->ended && !answer->broken; i++)
		if (!(h1 ? h1_pump(&client->h1) : h2_pump(&client->h2)))
			break;
	if (!answer->ended && !answer->broken)
		return;
	check_served(guests, answer);
	go(guest);
}

void guests_look(struct guests *guests)
{
	static size_t looks;
	for (size_t i = 0; i < GUESTS; i++) {
		struct guest *guest = &guests->all[i];
		guest->looks++;
		if (guest->is == GUEST_SLOW)
			look_slow(guests, guest);
		else if (guest->is != GUEST_AWAY && guest->looks >= STAY)
			go(guest);
	}
	if (++looks % ARRIVE_EVERY != 0)
		return;
	for (size_t i = 0; i < GUESTS; i++)
		if (guests->all[i].is == GUEST_AWAY) {
			come(guests, &guests->all[i]);
			return;
		}
}

void guests_leave(struct guests *guests)
{
	for (size_t i = 0; i < GUESTS; i++)
		go(&guests->all[i]);
}
