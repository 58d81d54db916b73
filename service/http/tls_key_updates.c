/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL reports every handshake message that it reads. The first one comes during a step of the handshake, so that it
 * is known whose it is; h2o has no way from an SSL to its socket.
 */
#include "service/http/tls_key_updates.h"

#include <sys/socket.h>

#include "service/http/connection.h"

static void on_message(int sent, int version, int type, const void *bytes, size_t len, SSL *ssl, void *context)
{
	const struct http_server *server = context;
	(void)version;
	if (sent != 0 || type != SSL3_RT_HANDSHAKE || len == 0)
		return;
	if (SSL_get_app_data(ssl) == NULL)
		SSL_set_app_data(ssl, server->handshakes.stepping);
	struct http_connection *connection = SSL_get_app_data(ssl);
	if (*(const unsigned char *)bytes == SSL3_MT_KEY_UPDATE && connection != NULL &&
	    ++connection->key_updates > KEY_UPDATES_MOST)
		shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR); /* h2o closes it when it reads next */
}

void key_updates_limit(SSL_CTX *ssl, struct http_server *server)
{
	SSL_CTX_set_msg_callback(ssl, on_message);
	SSL_CTX_set_msg_callback_arg(ssl, server);
}
