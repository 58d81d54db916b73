/* SPDX-License-Identifier: MIT */
/* Sockets and TLS. Connecting blocks: it is not what is measured. */
#include "tests/bench/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void conn_watch(struct conn *conn, int operation, bool wants_write)
{
	struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = conn};
	conn->wants_write = wants_write;
	if (epoll_ctl(conn->load->epoll_fd, operation, conn->fd, &event) != 0)
		load_fail("epoll_ctl: %s", strerror(errno));
}

static void conn_handshake(struct conn *conn)
{
	conn->ssl = SSL_new(conn->load->tls);
	const char *protocol = conn->load->options.http2 ? "\x02h2" : "\x08http/1.1";
	SSL_set_alpn_protos(conn->ssl, (const unsigned char *)protocol, (unsigned)strlen(protocol));
	SSL_set_fd(conn->ssl, conn->fd);
	if (SSL_connect(conn->ssl) != 1)
		load_fail("TLS handshake failed");
}

static void conn_connect(struct conn *conn)
{
	const struct options *options = &conn->load->options;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
	if (inet_pton(AF_INET, options->address, &to.sin_addr) != 1)
		load_fail("bad address %s", options->address);
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&to, sizeof to) != 0)
		load_fail("connect to port %d: %s", options->port, strerror(errno));
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (options->tls)
		conn_handshake(conn);
	fcntl(conn->fd, F_SETFL, O_NONBLOCK);
	conn_watch(conn, EPOLL_CTL_ADD, false);
}

void conn_open(struct conn *conn, struct load *load)
{
	conn->load = load;
	conn_connect(conn);
	if (load->options.http2)
		h2_create(conn);
	else
		h1_create(conn);
}

long conn_read(struct conn *conn, char *into, size_t size)
{
	if (conn->ssl != NULL) {
		int got = SSL_read(conn->ssl, into, (int)size);
		if (got > 0)
			return got;
		int why = SSL_get_error(conn->ssl, got);
		return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	ssize_t got = recv(conn->fd, into, size, 0);
	if (got > 0)
		return got;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Bytes sent, 0 = no room, -1 = lost. */
static long conn_write(struct conn *conn, const char *out, size_t len)
{
	if (conn->ssl != NULL) {
		int sent = SSL_write(conn->ssl, out, (int)len);
		if (sent > 0)
			return sent;
		int why = SSL_get_error(conn->ssl, sent);
		return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	ssize_t sent = send(conn->fd, out, len, MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool conn_flush(struct conn *conn)
{
	while (conn->out_left > 0) {
		long sent = conn_write(conn, conn->out, conn->out_left);
		if (sent < 0)
			return false;
		if (sent == 0)
			break;
		conn->out += sent;
		conn->out_left -= (size_t)sent;
	}
	if ((conn->out_left > 0) != conn->wants_write)
		conn_watch(conn, EPOLL_CTL_MOD, conn->out_left > 0);
	return true;
}

bool conn_send(struct conn *conn, const char *out, size_t len)
{
	conn->out = out;
	conn->out_left = len;
	return conn_flush(conn);
}

void conn_reopen(struct conn *conn)
{
	const struct options *options = &conn->load->options;
	if (conn->ssl != NULL)
		SSL_free(conn->ssl);
	conn->ssl = NULL;
	close(conn->fd);
	conn->out_left = 0;
	for (size_t i = 0; i < options->streams; i++)
		slot_done(&conn->slots[i], false);
	conn_connect(conn);
	if (conn->h2 != NULL)
		h2_reset(conn);
	else
		h1_reset(conn);
}
