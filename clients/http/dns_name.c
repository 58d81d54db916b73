/* SPDX-License-Identifier: MIT */
/*
 * The addresses of an origin. A name is looked up ahead of the first call or with
 * it, and again and again after; curl is given the addresses and never resolves by
 * itself (it would join its resolver thread in the middle of the loop when a
 * call is cancelled). Calls wait for the first answer, for as long as they
 * would wait for a connection. Once known, old addresses are better than none.
 * Connections to an address that a lookup no longer finds are retired, however
 * well they are kept alive: so a backend that moved is left soon.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/http/call.h"
#include "clients/http/channel.h"
#include "clients/http/origin.h"
#include "lib/container.h"

enum { NAME_RETRY_US = 2 * 1000000 };

static void name_look_up(struct http_origin *origin);

static void name_on_due(struct timer *timer)
{
	struct name *name = container_of(timer, struct name, timer);
	name_look_up(container_of(name, struct http_origin, name));
}

static void name_look_up_in(struct http_origin *origin, uint64_t delay_us)
{
	timer_start(&origin->client->reactor->timers, &origin->name.timer, delay_us, name_on_due);
}

/* False: the addresses stay what they were, for lack of memory. */
static bool name_set_addresses(struct http_origin *origin, const char *addresses)
{
	struct name *name = &origin->name;
	size_t size = strlen(name->host) + strlen(addresses) + 16;
	char *line = malloc(size);
	if (line == NULL)
		return false;
	snprintf(line, size, "%s:%u:%s", name->host, name->port, addresses);
	if (name->addresses != NULL && strcmp(name->addresses->data, line) == 0) {
		free(line);
		return true;
	}
	struct curl_slist *list = curl_slist_append(NULL, line);
	free(line);
	if (list == NULL)
		return false;
	curl_slist_free_all(name->addresses);
	name->addresses = list;
	name->addresses_at = strlen(list->data) - strlen(addresses);
	name->generation++;
	channels_retire(origin);
	return true;
}

bool name_leads_to(const struct name *name, int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	char text[LOOKUP_ADDRESS_CHARS];
	if (name->addresses == NULL)
		return true;
	if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
	    !lookup_write_address((struct sockaddr *)&peer, text))
		return false;
	const char *addresses = name->addresses->data + name->addresses_at;
	size_t len = strlen(text);
	for (const char *at = addresses; (at = strstr(at, text)) != NULL; at += len)
		if ((at == addresses || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

static void name_queue_waiting(struct http_origin *origin)
{
	struct http_call *call;
	while ((call = TAILQ_FIRST(&origin->name.waiting)) != NULL) {
		timer_stop(&origin->client->reactor->timers, &call->timer);
		call_set_state(call, CALL_ST_QUEUED);
	}
	client_wake(origin->client);
}

static void name_fail(struct http_origin *origin, const char *why)
{
	struct http_call *call;
	origin->name.state = NAME_ST_FAILED;
	origin->name.why = why;
	while ((call = TAILQ_FIRST(&origin->name.waiting)) != NULL)
		call_end(call, ERROR_UPSTREAM_DNS, why);
}

static void on_answer(void *context, const char *addresses, const char *why)
{
	struct http_origin *origin = context;
	struct name *name = &origin->name;
	name->lookup = NULL;
	bool known = addresses != NULL && name_set_addresses(origin, addresses);
	name_look_up_in(origin, known || origin->resolve_us < NAME_RETRY_US ? origin->resolve_us : NAME_RETRY_US);
	if (known) {
		name->state = NAME_ST_KNOWN;
		name_queue_waiting(origin);
	} else if (name->state != NAME_ST_KNOWN) {
		name_fail(origin, addresses != NULL ? "out of memory" : why);
	}
}

static void name_look_up(struct http_origin *origin)
{
	struct name *name = &origin->name;
	if (name->lookup != NULL)
		return;
	name->lookup = lookup_start(origin->client->lookups, name->host, on_answer, origin);
	if (name->lookup == NULL)
		on_answer(origin, NULL, "no thread for a lookup");
}

void name_init(struct http_origin *origin, char *host, unsigned port)
{
	struct name *name = &origin->name;
	unsigned char bytes[sizeof(struct in6_addr)];
	name->host = host;
	name->port = port;
	TAILQ_INIT(&name->waiting);
	bool numeric = inet_pton(AF_INET, host, bytes) == 1 || strchr(host, ':') != NULL;
	name->state = numeric ? NAME_ST_NUMERIC : NAME_ST_UNKNOWN;
}

void http_origin_resolve(struct http_origin *origin)
{
	if (origin->name.state == NAME_ST_UNKNOWN)
		name_look_up(origin);
}

void name_fini(struct http_origin *origin)
{
	struct name *name = &origin->name;
	if (name->lookup != NULL)
		lookup_abandon(name->lookup);
	name->lookup = NULL;
	timer_stop(&origin->client->reactor->timers, &name->timer);
	curl_slist_free_all(name->addresses);
	name->addresses = NULL;
	free(name->host);
	name->host = NULL;
}

static void on_wait_over(struct timer *timer)
{
	struct http_call *call = container_of(timer, struct http_call, timer);
	call_end(call, ERROR_UPSTREAM_DNS, "the name was not resolved in time");
}

void name_admit(struct http_origin *origin, struct http_call *call)
{
	struct timers *timers = &origin->client->reactor->timers;
	switch (origin->name.state) {
	case NAME_ST_NUMERIC:
	case NAME_ST_KNOWN:
		call_set_state(call, CALL_ST_QUEUED);
		client_wake(origin->client);
		break;
	case NAME_ST_UNKNOWN:
		call_set_state(call, CALL_ST_RESOLVING);
		if (!timer_start(timers, &call->timer, origin->connect_timeout_us, on_wait_over))
			call_end(call, ERROR_OVERLOADED, "no memory for a timer");
		else
			name_look_up(origin);
		break;
	case NAME_ST_FAILED:
		call_end(call, ERROR_UPSTREAM_DNS, origin->name.why);
		break;
	}
}
