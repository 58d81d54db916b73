/* SPDX-License-Identifier: MIT */
/* Lists of those that yield, oldest first, and a table of counts by address; connection_limit.h holds the contract. */
#include "service/http/connection_limit.h"

#include "lib/hash.h"
#include "lib/ledger.h"
#include "lib/random.h"
#include "service/http/listener.h"

enum {
	ADMIN_MOST = 32, /* connections of the admin listener per worker: a few people, scrapers and probes */
	NETWORK_6 = 8,   /* bytes of an IPv6 address that one client may have all of */
	/* bytes that a connection is charged, the first buffers of its requests included */
	CONNECTION_COST = 24 << 10,
	CONNECTION_COST_TLS = 40 << 10,
	GRACE_US = 250000 /* for a connection to say what it wants before it has to yield */
};

void connection_limits_init(struct http_server *server)
{
	for (size_t i = 0; i < HTTP_CROWDS; i++) {
		server->crowds[i].server = server;
		server->crowds[i].yielding_tail = &server->crowds[i].yielding;
	}
}

static bool is_admin(const struct http_crowd *crowd)
{
	return crowd == &crowd->server->crowds[HTTP_CROWD_ADMIN];
}

size_t connection_limit_most(const struct http_crowd *crowd)
{
	size_t most = crowd->server->config->limits.connections;
	size_t allowed = crowd->server->callbacks.connections_most;
	if (is_admin(crowd))
		return ADMIN_MOST;
	return allowed != 0 && allowed < most ? allowed : most;
}

bool connection_limit_admits(const struct http_crowd *crowd)
{
	return crowd->count < connection_limit_most(crowd) ||
	       (crowd->yielding != NULL && connection_limit_patience_us(crowd) == 0);
}

uint64_t connection_limit_patience_us(const struct http_crowd *crowd)
{
	if (crowd->yielding == NULL)
		return 0;
	uint64_t passed_us = timers_now(&crowd->server->reactor->timers) - crowd->yielding->yields_us;
	return passed_us >= GRACE_US ? 0 : GRACE_US - passed_us;
}

void connection_limit_make_room(struct http_crowd *crowd)
{
	if (crowd->count >= connection_limit_most(crowd) && crowd->yielding != NULL)
		connection_end(crowd->yielding);
}

bool connection_limit_yield(struct http_crowd *crowd)
{
	if (crowd->yielding == NULL || connection_limit_patience_us(crowd) > 0)
		return false;
	connection_end(crowd->yielding);
	return true;
}

void connection_limit_idle(struct http_connection *connection)
{
	struct http_crowd *crowd = connection->listener->crowd;
	if (connection->yield_back != NULL)
		return;
	connection->yields_us = timers_now(&crowd->server->reactor->timers);
	connection->yield_next = NULL;
	connection->yield_back = crowd->yielding_tail;
	*crowd->yielding_tail = connection;
	crowd->yielding_tail = &connection->yield_next;
	if (crowd->count >= connection_limit_most(crowd))
		listeners_update(crowd->server);
}

void connection_limit_busy(struct http_connection *connection)
{
	if (connection->yield_back == NULL)
		return;
	*connection->yield_back = connection->yield_next;
	if (connection->yield_next != NULL)
		connection->yield_next->yield_back = connection->yield_back;
	else
		connection->listener->crowd->yielding_tail = connection->yield_back;
	connection->yield_back = NULL;
}

static uint64_t network_of(h2o_socket_t *sock)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	struct span address = {"", 0};
	if (h2o_socket_getpeername(sock, (struct sockaddr *)&peer) > 0 && peer.ss_family == AF_INET)
		address = (struct span){(char *)&((struct sockaddr_in *)&peer)->sin_addr, sizeof(struct in_addr)};
	else if (peer.ss_family == AF_INET6)
		address = (struct span){(char *)&((struct sockaddr_in6 *)&peer)->sin6_addr, NETWORK_6};
	return hash_bytes(hash_bytes(random_secret(), (struct span){(char *)&peer.ss_family, sizeof(peer.ss_family)}),
			  address);
}

/* Addresses that share a number share the limit, which is as if they were one. Which do is a secret of the process. */
enum error_code connection_limit_enter(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	unsigned most = server->config->limits.connections_per_address;
	connection->listener->crowd->count++;
	connection->network = network_of(connection->sock);
	connection->address = connection->network % CROWD_ADDRESSES;
	if (is_admin(connection->listener->crowd))
		return ERROR_NONE;
	server->addresses[connection->address]++;
	if (most != 0 && server->addresses[connection->address] > most)
		return ERROR_OVERLOADED;
	connection->party = (uint32_t)connection->address + 1;
	size_t cost = connection->listener->ssl != NULL ? CONNECTION_COST_TLS : CONNECTION_COST;
	if (!ledger_grow(connection->party, cost)) /* before that its requests are refused, in words of their own */
		return ERROR_MEMORY_FULL;
	connection->charged = cost;
	return ERROR_NONE;
}

void connection_limit_leave(struct http_connection *connection)
{
	connection_limit_busy(connection);
	connection->listener->crowd->count--;
	ledger_give(connection->party, connection->charged);
	if (!is_admin(connection->listener->crowd))
		connection->server->addresses[connection->address]--;
}
