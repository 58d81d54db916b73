/* SPDX-License-Identifier: MIT */
/*
 * The client of an exchange, replaced: it notes what it is sent, reads as slowly as the test says, and fails the test
 * when its response begins or ends twice. Include it after cmocka.h.
 */
#ifndef SLUICE_TESTS_UNIT_SERVICE_EXCHANGE_FAKE_CLIENT_H
#define SLUICE_TESTS_UNIT_SERVICE_EXCHANGE_FAKE_CLIENT_H

#include <stdio.h>
#include <string.h>

#include "service/exchange/exchange.h"

enum { TEXT_MAX = 65536 };

static char said[TEXT_MAX];   /* bytes of the body */
static char fields[TEXT_MAX]; /* "name: value;" each */
static int status;            /* 0 = no head was sent */
static int64_t length;        /* Content-Length; -1 = none */
static bool finished;
static bool aborted;
static bool no_memory;        /* writing fails */
static size_t client_backlog; /* bytes that it has not read */

static void client_head(void *client, int s, const struct http_field *list, size_t count, int64_t content_length)
{
	(void)client;
	assert_int_equal(status, 0);
	status = s;
	length = content_length;
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(fields);
		snprintf(fields + used, TEXT_MAX - used, "%.*s: %.*s;", SPAN_ARG(list[i].name),
			 SPAN_ARG(list[i].value));
	}
}

static bool client_write(void *client, struct span bytes)
{
	(void)client;
	assert_false(finished || aborted);
	size_t used = strlen(said);
	snprintf(said + used, TEXT_MAX - used, "%.*s", SPAN_ARG(bytes));
	return !no_memory;
}

static size_t client_waiting(const void *client)
{
	(void)client;
	return client_backlog;
}

static bool client_is_full(void *client, size_t most)
{
	return client_waiting(client) >= most;
}

static void client_finish(void *client)
{
	(void)client;
	assert_false(finished || aborted);
	finished = true;
}

static void client_abort(void *client)
{
	(void)client;
	assert_false(finished || aborted);
	aborted = true;
}

static const struct exchange_client_ops client_ops = {.head = client_head,
						      .write = client_write,
						      .backlog = client_waiting,
						      .is_full = client_is_full,
						      .finish = client_finish,
						      .abort = client_abort};

/* Forgets what was sent; for each test's set-up, and before another request. */
static void client_reset(void)
{
	said[0] = fields[0] = '\0';
	status = 0;
	length = 0;
	finished = aborted = no_memory = false;
	client_backlog = 0;
}

#endif
