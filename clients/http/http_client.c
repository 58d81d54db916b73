/* SPDX-License-Identifier: MIT */
/*
 * The client: one curl multi on the reactor, which connects. curl is driven from
 * here only, when a descriptor is ready, a deadline has passed or calls were
 * queued; after it has returned, its results are collected and the callers are
 * told.
 */
#include "clients/http/http_client.h"

#include <signal.h>
#include <stdlib.h>

#include "clients/http/call.h"
#include "clients/http/client.h"
#include "clients/http/connect_attempt.h"
#include "clients/http/origin.h"
#include "clients/http/transfer.h"
#include "lib/container.h"

bool http_client_global_setup(void)
{
	signal(SIGPIPE, SIG_IGN); /* OpenSSL's writes raise it */
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void http_client_global_teardown(void)
{
	curl_global_cleanup();
}

size_t http_client_active(const struct http_client *client)
{
	return client->active;
}

static void client_collect(struct http_client *client)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct http_attempt *attempt = NULL;
		CURLcode code = message->data.result; /* the message goes with its easy */
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&attempt);
		call_attempted(attempt->call, code);
	}
}

static void client_deliver(struct http_client *client)
{
	struct http_call *call;
	client_collect(client);
	while ((call = TAILQ_FIRST(&client->ready)) != NULL)
		call_deliver(call, (struct span){"", 0});
}

void client_drive_socket(struct http_client *client, int fd, int bits)
{
	int running;
	curl_multi_socket_action(client->multi, fd, bits, &running);
	client_deliver(client);
}

static void client_on_due(struct timer *timer);

/* Rounded up: curl floors, and would find nothing due. 0 means the next turn, so that the others get theirs. */
static void client_arm(struct http_client *client, long timeout_ms)
{
	struct timers *timers = &client->reactor->timers;
	if (timeout_ms < 0)
		timer_stop(timers, &client->timer);
	else
		timer_start(timers, &client->timer, timeout_ms == 0 ? 0 : ((uint64_t)timeout_ms + 1) * 1000,
			    client_on_due);
}

static int on_deadline_changed(CURLM *multi, long timeout_ms, void *context)
{
	struct http_client *client = context;
	(void)multi;
	if (!client->driving)
		client_arm(client, timeout_ms);
	return 0;
}

/* The next deadline is asked for: curl does not repeat one that did not change. */
static void client_drive_deadlines(struct http_client *client)
{
	int running;
	long timeout_ms = -1;
	client->driving = true;
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	client->driving = false;
	curl_multi_timeout(client->multi, &timeout_ms);
	client_arm(client, timeout_ms);
	client_deliver(client);
}

static void client_on_due(struct timer *timer)
{
	client_drive_deadlines(container_of(timer, struct http_client, timer));
}

static void on_turn_end(struct task *task)
{
	struct http_client *client = container_of(task, struct http_client, task);
	struct http_call *call;
	bool connecting = false;
	client->driving = true;
	while ((call = TAILQ_FIRST(&client->queued)) != NULL) {
		call_begin(call);
		connecting |= call->attempt != NULL;
	}
	client->driving = false;
	if (connecting)
		client_drive_deadlines(client);
	else
		client_deliver(client);
}

void client_wake(struct http_client *client)
{
	task_queue(client->reactor, &client->task);
}

static bool client_set_up_curl(struct http_client *client)
{
	client->share = curl_share_init();
	client->multi = curl_multi_init();
	if (client->share == NULL || client->multi == NULL)
		return false;
	curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, sockets_on_interest);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, &client->sockets);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_deadline_changed);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return true;
}

struct http_client *http_client_create(struct reactor *reactor, unsigned max_connections)
{
	struct http_client *client = calloc(1, sizeof(*client));
	if (client == NULL)
		return NULL;
	client->reactor = reactor;
	client->max_idle = max_connections == 0 ? 1 : max_connections;
	client->task.run = on_turn_end;
	TAILQ_INIT(&client->queued);
	TAILQ_INIT(&client->running);
	TAILQ_INIT(&client->ready);
	TAILQ_INIT(&client->idle);
	TAILQ_INIT(&client->origins);
	sockets_init(&client->sockets, client);
	client->lookups = lookups_create(reactor);
	client->read_buffer = malloc(TRANSFER_READ);
	if (client->lookups != NULL && client->read_buffer != NULL && client_set_up_curl(client))
		return client;
	http_client_destroy(client);
	return NULL;
}

static void client_cancel_all(struct call_list *list)
{
	struct http_call *call;
	while ((call = TAILQ_FIRST(list)) != NULL)
		http_call_cancel(call);
}

void http_client_destroy(struct http_client *client)
{
	struct http_origin *origin;
	if (client == NULL)
		return;
	client_cancel_all(&client->queued);
	client_cancel_all(&client->running);
	while ((origin = TAILQ_FIRST(&client->origins)) != NULL) {
		origin->holders++; /* the last of its calls may be the last that holds it */
		client_cancel_all(&origin->name.waiting);
		origin_detach(origin);
		http_origin_destroy(origin);
	}
	if (client->lookups != NULL)
		lookups_destroy(client->lookups);
	if (client->multi != NULL)
		curl_multi_cleanup(client->multi);
	if (client->share != NULL)
		curl_share_cleanup(client->share);
	timer_stop(&client->reactor->timers, &client->timer);
	timer_stop(&client->reactor->timers, &client->rest);
	task_drop(client->reactor, &client->task);
	sockets_fini(&client->sockets);
	free(client->read_buffer);
	free(client);
}
