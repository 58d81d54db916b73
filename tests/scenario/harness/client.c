/* SPDX-License-Identifier: MIT */
/* One exchange over HTTP/1.1 or HTTP/2, cleartext or TLS. */
#include "tests/scenario/harness/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/sse.h"

const char *via_name(enum via via)
{
	static const char *const names[] = {"h1", "h1+tls", "h2c", "h2+tls"};
	return names[via];
}

static bool via_is_h1(enum via via)
{
	return via == VIA_H1 || via == VIA_H1_TLS;
}

static bool via_is_tls(enum via via)
{
	return via == VIA_H1_TLS || via == VIA_H2_TLS;
}

static void send_h1(struct h1 *h1, const char *method, const char *path, const struct h2_header *headers,
		    const char *body)
{
	struct bytes request = {0};
	bytes_printf(&request, "%s %s HTTP/1.1\r\nHost: sluice.test\r\n", method, path);
	if (body != NULL)
		bytes_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	for (; headers != NULL && headers->name != NULL; headers++)
		bytes_printf(&request, "%s: %s\r\n", headers->name, headers->value);
	bytes_printf(&request, "\r\n%s", body == NULL ? "" : body);
	h1->head_only = strcmp(method, "HEAD") == 0;
	h1_send_bytes(h1, request.at, request.len);
	bytes_free(&request);
}

void client_send(struct client *client, const struct sluice *sluice, enum via via, const char *method, const char *path,
		 const struct h2_header *headers, const char *body)
{
	int port = via_is_tls(via) ? sluice->tls_port : sluice->port;
	*client = (struct client){.via = via};
	if (via_is_h1(via)) {
		h1_open(&client->h1, port, via_is_tls(via));
		send_h1(&client->h1, method, path, headers, body);
	} else {
		h2_open(&client->h2, port, via_is_tls(via) ? H2_TLS : 0);
		client->stream = h2_request(&client->h2, method, path, headers, body);
	}
}

void client_post(struct client *client, const struct sluice *sluice, enum via via, const char *path, const char *body)
{
	client_send(client, sluice, via, "POST", path, NULL, body);
}

const char *chat_body(const char *model, bool stream)
{
	static char body[512];
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hello\"}]%s}",
		 model, stream ? ",\"stream\":true" : "");
	return body;
}

char *chat_body_large(const char *model, size_t size)
{
	static const char end[] = "\"}]}";
	char *body = malloc(size + 1);
	assert_non_null(body);
	size_t head =
	    (size_t)snprintf(body, size, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"", model);
	memset(body + head, 'x', size - head);
	memcpy(body + size + 1 - sizeof end, end, sizeof end);
	return body;
}

void client_chat(struct client *client, const struct sluice *sluice, enum via via, const char *model, bool stream)
{
	client_post(client, sluice, via, "/v1/chat/completions", chat_body(model, stream));
}

struct answer *client_answer(struct client *client)
{
	return via_is_h1(client->via) ? &client->h1.answer : &client->stream->answer;
}

void client_wait_head(struct client *client)
{
	if (via_is_h1(client->via))
		h1_wait_head(&client->h1);
	else
		h2_wait_head(&client->h2, client->stream);
}

void client_wait_body(struct client *client, size_t len)
{
	if (via_is_h1(client->via))
		h1_wait_body(&client->h1, len);
	else
		h2_wait_body(&client->h2, client->stream, len);
}

void client_wait_end(struct client *client)
{
	if (via_is_h1(client->via))
		h1_wait_end(&client->h1);
	else
		h2_wait_end(&client->h2, client->stream);
}

void client_wait_events(struct client *client, struct sse *sse, size_t count)
{
	struct answer *answer = client_answer(client);
	sse_read(sse, &answer->body);
	while (sse->count < count) {
		if (answer->ended || answer->broken)
			fail_msg("the stream ended after %zu of %zu events (status %d):\n%.2000s", sse->count, count,
				 answer->status, bytes_text(&answer->body));
		client_wait_body(client, answer->body.len + 1);
		sse_read(sse, &answer->body);
	}
}

uint64_t client_leave(struct client *client, enum leave how)
{
	struct wire *wire = via_is_h1(client->via) ? &client->h1.wire : &client->h2.wire;
	uint64_t left_us = clock_us();
	if (how == LEAVE_CANCEL && !via_is_h1(client->via))
		h2_cancel(&client->h2, client->stream);
	else if (how == LEAVE_FIN)
		wire_close(wire);
	else
		wire_reset(wire);
	return left_us;
}

void client_close(struct client *client)
{
	if (via_is_h1(client->via))
		h1_close(&client->h1);
	else
		h2_close(&client->h2);
}

void client_finish(struct client *client, struct answer *answer)
{
	client_wait_end(client);
	struct answer *own = client_answer(client);
	*answer = *own;
	*own = (struct answer){0};
	client_close(client);
}

void client_ask(const struct sluice *sluice, enum via via, const char *method, const char *path,
		const struct h2_header *headers, const char *body, struct answer *answer)
{
	struct client client;
	client_send(&client, sluice, via, method, path, headers, body);
	client_finish(&client, answer);
}

void client_fetch(const struct sluice *sluice, enum via via, const char *path, const char *body, struct answer *answer)
{
	client_ask(sluice, via, "POST", path, NULL, body, answer);
}

void client_fetch_chat(const struct sluice *sluice, enum via via, const char *model, bool stream, struct answer *answer)
{
	client_fetch(sluice, via, "/v1/chat/completions", chat_body(model, stream), answer);
}
