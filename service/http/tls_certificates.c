/* SPDX-License-Identifier: MIT */
/* Certificates that are read while the service runs: all of a server's are good, or none is used. */
#include <stdlib.h>

#include "service/http/listener.h"
#include "service/http/tls.h"

/* The server contexts of all listeners, in their order. */
struct http_certificates {
	size_t count;
	SSL_CTX *contexts[]; /* NULL = cleartext */
};

void http_certificates_drop(struct http_certificates *certificates)
{
	for (size_t i = 0; certificates != NULL && i < certificates->count; i++)
		tls_destroy(certificates->contexts[i]);
	free(certificates);
}

struct http_certificates *http_server_read_certificates(struct http_server *server, struct buf *error)
{
	size_t count = config_listener_total(server->config);
	struct http_certificates *read = calloc(1, sizeof(*read) + count * sizeof(read->contexts[0]));
	if (read == NULL) {
		buf_printf(error, "out of memory\n");
		return NULL;
	}
	for (; read->count < count; read->count++) {
		if (config_listener_at(server->config, read->count)->tls_certificate == NULL)
			continue;
		read->contexts[read->count] = tls_create(server, read->count, error);
		if (read->contexts[read->count] == NULL) {
			http_certificates_drop(read);
			return NULL;
		}
	}
	return read;
}

void http_server_use_certificates(struct http_server *server, struct http_certificates *certificates)
{
	for (size_t i = 0; i < server->listener_count && i < certificates->count; i++) {
		SSL_CTX *old = server->listeners[i].ssl;
		server->listeners[i].ssl = certificates->contexts[i];
		certificates->contexts[i] = old;
	}
	http_certificates_drop(certificates);
}
