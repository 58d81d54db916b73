/* SPDX-License-Identifier: MIT */
/* Client sockets and their TLS. */
#include "tests/scenario/harness/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"

static SSL_CTX *client_context(void)
{
	static SSL_CTX *context;
	if (context == NULL) {
		context = SSL_CTX_new(TLS_client_method());
		assert_non_null(context);
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	}
	return context;
}

static void wire_handshake(struct wire *wire, const char *alpn)
{
	unsigned char list[16];
	list[0] = (unsigned char)strlen(alpn);
	memcpy(list + 1, alpn, list[0]);
	wire->ssl = SSL_new(client_context());
	SSL_set_alpn_protos(wire->ssl, list, list[0] + 1u);
	SSL_set_fd(wire->ssl, wire->fd);
	if (SSL_connect(wire->ssl) != 1)
		fail_msg("TLS handshake failed: %s", ERR_error_string(ERR_get_error(), NULL));
	const unsigned char *chosen;
	unsigned chosen_len;
	SSL_get0_alpn_selected(wire->ssl, &chosen, &chosen_len);
	if (chosen_len != list[0] || memcmp(chosen, alpn, chosen_len) != 0)
		fail_msg("ALPN: asked for %s, got «%.*s»", alpn, (int)chosen_len, (const char *)chosen);
}

/* The least receive buffer that takes a whole segment of the loopback: into a smaller one the kernel lets bytes in only
 * by the window probes of the sender, whose pauses grow to minutes. */
enum { WIRE_NARROW = 131072 };

static unsigned char source_host;

void wire_come_from(unsigned char host)
{
	source_host = host;
}

static void bind_source(int fd)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + source_host);
	if (source_host != 0)
		assert_int_equal(bind(fd, (struct sockaddr *)&source, sizeof source), 0);
}

static void open_wire(struct wire *wire, int port, const char *alpn, int receive_buffer)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*wire = (struct wire){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .port = port};
	assert_true(wire->fd >= 0);
	if (receive_buffer != 0)
		setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
	bind_source(wire->fd);
	if (connect(wire->fd, (struct sockaddr *)&address, sizeof address) != 0)
		fail_msg("connect to 127.0.0.1:%d: %s", port, strerror(errno));
	int on = 1;
	setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (alpn != NULL)
		wire_handshake(wire, alpn);
	fcntl(wire->fd, F_SETFL, fcntl(wire->fd, F_GETFL) | O_NONBLOCK);
}

void wire_open(struct wire *wire, int port, const char *alpn)
{
	open_wire(wire, port, alpn, 0);
}

void wire_open_narrow(struct wire *wire, int port, const char *alpn)
{
	open_wire(wire, port, alpn, WIRE_NARROW);
}

static ssize_t tls_result(struct wire *wire, int got)
{
	int error = SSL_get_error(wire->ssl, got);
	ERR_clear_error();
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return WIRE_AGAIN;
	return error == SSL_ERROR_ZERO_RETURN ? 0 : WIRE_BROKEN;
}

static ssize_t socket_result(void)
{
	return errno == EAGAIN || errno == EINTR ? WIRE_AGAIN : WIRE_BROKEN;
}

ssize_t wire_read(struct wire *wire, void *into, size_t size)
{
	if (wire->ssl == NULL) {
		ssize_t got = recv(wire->fd, into, size, 0);
		return got >= 0 ? got : socket_result();
	}
	int got = SSL_read(wire->ssl, into, (int)size);
	return got > 0 ? got : tls_result(wire, got);
}

ssize_t wire_write(struct wire *wire, const void *from, size_t size)
{
	if (wire->ssl == NULL) {
		ssize_t put = send(wire->fd, from, size, MSG_NOSIGNAL);
		return put >= 0 ? put : socket_result();
	}
	int put = SSL_write(wire->ssl, from, (int)size);
	if (put > 0)
		return put;
	ssize_t result = tls_result(wire, put);
	return result == 0 ? WIRE_BROKEN : result;
}

static bool wire_poll(struct wire *wire, short events, int timeout_ms)
{
	struct pollfd want = {.fd = wire->fd, .events = events};
	return poll(&want, 1, timeout_ms) > 0;
}

bool wire_write_all(struct wire *wire, const void *from, size_t size)
{
	const char *at = from;
	while (size > 0) {
		ssize_t put = wire_write(wire, at, size);
		if (put == WIRE_BROKEN)
			return false;
		if (put == WIRE_AGAIN) {
			if (!wire_poll(wire, POLLOUT, HANG_GUARD_MS))
				fail_msg("the peer takes no bytes");
			continue;
		}
		at += put;
		size -= (size_t)put;
	}
	return true;
}

bool wire_wait(struct wire *wire, int timeout_ms)
{
	if (wire->ssl != NULL && SSL_pending(wire->ssl) > 0)
		return true;
	return wire_poll(wire, POLLIN, timeout_ms);
}

void wire_half_close(struct wire *wire)
{
	if (wire->ssl != NULL)
		SSL_shutdown(wire->ssl);
	shutdown(wire->fd, SHUT_WR);
}

void wire_close(struct wire *wire)
{
	if (wire->fd < 0)
		return;
	SSL_free(wire->ssl);
	close(wire->fd);
	*wire = (struct wire){.fd = -1};
}

void wire_reset(struct wire *wire)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	wire_close(wire);
}
