/* SPDX-License-Identifier: MIT */
/* Cuts a connection whose peer acknowledged next to nothing for a whole period while the end of a response waits. */
#include "service/http/h1_stall.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

static uint64_t acknowledged(struct http_connection *connection)
{
	/* glibc's struct tcp_info ends before tcpi_bytes_acked; the kernel's begins the same way */
	struct {
		struct tcp_info known;
		uint64_t pacing_rate, max_pacing_rate, bytes_acked;
	} info = {.bytes_acked = 0};
	socklen_t len = sizeof(info);
	getsockopt(h2o_socket_get_fd(connection->sock), IPPROTO_TCP, TCP_INFO, &info, &len);
	return info.bytes_acked;
}

static void stall_on_due(struct timer *timer)
{
	struct http_connection *connection = H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer);
	uint64_t acked = acknowledged(connection);
	if (connection->acked != UINT64_MAX && acked - connection->acked < CONFIG_PROGRESS) {
		shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR); /* h2o's write fails */
		return;
	}
	connection->acked = acked;
	timer_start(&connection->server->reactor->timers, timer, connection->server->config->limits.stalled_us,
		    stall_on_due);
}

void h1_stall_watch(struct http_connection *connection)
{
	connection->acked = UINT64_MAX; /* read when the first period is over: costs nothing for those who read */
	timer_start(&connection->server->reactor->timers, &connection->timer,
		    connection->server->config->limits.stalled_us, stall_on_due);
}
