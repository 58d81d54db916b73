/* SPDX-License-Identifier: MIT */
/*
 * Backends that say in their errors what they were sent: as a status with whatever body, in fields, inside a 200, and
 * in the middle of a stream. No client and no log receives the key that the gateway sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/planted.h"
#include "tests/scenario/harness/scenario.h"

#define ECHOED "Authorization: Bearer %1$s"
#define ERROR_BODY                                                                                          \
	"{\"error\":{\"message\":\"I do not take %1$s (" ECHOED ")\",\"type\":\"%1$s\",\"param\":\"%1$s\"," \
	"\"code\":\"%1$s\"},\"request\":{\"authorization\":\"Bearer %1$s\"}}"
#define EVENT                                                                                                          \
	"data: "                                                                                                       \
	"{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]" \
	"}\n\n"
#define CLOSES "Connection: close\r\n\r\n"

/* %1$s: the key as JSON has it in a string. */
static const char *const echoes[] = {
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n" CLOSES ERROR_BODY,
    "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nWWW-Authenticate: Bearer %1$s\r\n" CLOSES
	ERROR_BODY,
    "HTTP/1.1 403 %1$s\r\nContent-Type: application/json\r\n" CLOSES ERROR_BODY,
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n" CLOSES ERROR_BODY,
    "HTTP/1.1 429 Slow\r\nContent-Type: application/json\r\nRetry-After: %1$s\r\n" CLOSES ERROR_BODY,
    "HTTP/1.1 500 %1$s\r\nContent-Type: application/json\r\nX-Request-Id: %1$s\r\n" CLOSES ERROR_BODY,
    "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\n" CLOSES "no: " ECHOED,
    "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n" CLOSES "<pre>" ECHOED "</pre>",
    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/%1$s\r\n" CLOSES,
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" CLOSES "<pre>" ECHOED "</pre>",
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" CLOSES ERROR_BODY,
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" CLOSES "{\"authorization\":\"Bearer %1$s\"}",
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" CLOSES "Bearer %1$s",
    "HTTP/1.1 200 OK\r\n%1$s\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Debug: %1$s\r\n" CLOSES "data: " ERROR_BODY "\n\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Debug: %1$s\r\n" CLOSES EVENT "data: " ERROR_BODY "\n\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" CLOSES EVENT "event: error\ndata: " ERROR_BODY "\n\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" CLOSES EVENT "data: {Bearer %1$s\n\n",
    "%1$s\r\n\r\n",
};

enum { ECHOES = sizeof echoes / sizeof *echoes };

/* The key within a JSON string. */
static void escape(const char *key, char *out)
{
	for (; *key != '\0'; key++) {
		if (*key == '"')
			*out++ = '\\';
		*out++ = *key;
	}
	*out = '\0';
}

static void script_echo(struct backend *backend, const char *echo, const char *key)
{
	char escaped[64];
	char *text;
	escape(key, escaped);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	assert_true(asprintf(&text, echo, escaped) > 0);
#pragma GCC diagnostic pop
	const struct step steps[] = {SEND(text), FIN};
	backend_script(backend, steps);
	free(text);
}

static void a_backend_that_echoes_its_key_in_errors_does_not_tell_clients(void **state)
{
	(void)state;
	struct planted planted = planted_start(PLANTED_REDIS);
	for (size_t i = 0; i < ECHOES; i++) {
		for (size_t j = 0; j < 2 * PLANTED_BACKENDS; j++) {
			const char model[] = {'m', (char)('0' + j / 2), '\0'};
			script_echo(planted.backends[j / 2], echoes[i], planted_backend_keys[j / 2]);
			planted_ask_as(&planted, planted.client, "POST", CHAT, chat_body(model, j % 2 == 1));
		}
		for (size_t j = 0; j < PLANTED_BACKENDS; j++)
			script_echo(planted.backends[j], echoes[i], planted_backend_keys[j]);
		planted_ask_as(&planted, planted.client, "POST", CHAT, chat_body("each", i % 2 == 1));
		for (size_t j = 0; j < PLANTED_BACKENDS; j++)
			script_echo(planted.backends[j], echoes[i], planted_backend_keys[j]);
		planted_ask_as(&planted, planted.client, "POST", "/v1/fanout",
			       "{\"strategy\":\"all\",\"targets\":[\"m0\",\"m1\",\"m2\",\"dead\"],"
			       "\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}");
		planted_search(&planted);
	}
	for (size_t j = 0; j < PLANTED_BACKENDS; j++)
		planted_check_sent(planted.backends[j], planted_backend_keys[j]);
	check_contains(&planted.emitted, "[redacted]"); /* some of it did reach the client's side */
	planted_finish(&planted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_backend_that_echoes_its_key_in_errors_does_not_tell_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
