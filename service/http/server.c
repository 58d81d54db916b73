/* SPDX-License-Identifier: MIT */
/*
 * One worker's HTTP server: h2o's configuration with a single handler that
 * catches everything, and the set-up and tear-down of listeners and
 * connections around it. Routing is the application's.
 */
#include "service/http/server.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/http/connection_limit.h"
#include "service/http/h1_disconnect.h"
#include "service/http/h2_frames.h"
#include "service/http/h2_stream.h"
#include "service/http/lingering_close.h"
#include "service/http/listener.h"
#include "service/http/request.h"
#include "service/http/spare_descriptors.h"
#include "service/http/tls_handshakes.h"

/*
 * The private fields of h2o that service/http and service/loop use are those of this version: _cb of h2o_socket_t,
 * _generator and _ostr_top of h2o_req_t, _prototype of h2o_buffer_t, _initial_buf of h2o_buffer_prototype_t. Look at
 * all places before you admit another one.
 */
_Static_assert(H2O_VERSION_MAJOR == 2 && H2O_VERSION_MINOR == 2, "h2o's private fields may be others");

enum {
	HTTP1_VERSIONS = 0x200,   /* h2o's versions below are HTTP/1 */
	LARGE_INPUT_ROOM = 262144 /* bytes that the body behind a large one finds room for at once */
};

struct catch_all {
	h2o_handler_t super;
	struct http_server *server;
};

static void on_http1(struct http_server *server, h2o_req_t *req)
{
	struct http_connection *connection = connection_of(req->conn->callbacks->get_socket(req->conn));
	struct http_request *request = connection->request;
	server->callbacks.on_request(server->callbacks.context, request);
	if (request->state > REQUEST_ST_ANSWERING)
		response_pump(request); /* answered on the spot: the loop is spared two passes and two epoll_ctl */
	else
		h1_disconnect_check(connection);
}

static void on_http2(struct http_server *server, h2o_req_t *req)
{
	struct h2_stream *stream = H2O_STRUCT_FROM_MEMBER(struct h2_stream, req, req);
	server->callbacks.on_request(server->callbacks.context, stream->request);
}

static int on_req(h2o_handler_t *handler, h2o_req_t *req)
{
	struct http_server *server = ((struct catch_all *)handler)->server;
	if (req->version < HTTP1_VERSIONS)
		on_http1(server, req);
	else
		on_http2(server, req);
	return 0;
}

/* h2o's only filter is the chunked coding, which is ours (response.c). */
static void drop_filters(h2o_pathconf_t *path)
{
	for (size_t i = 0; i < path->filters.size; i++)
		free(path->filters.entries[i]);
	path->filters.size = 0;
}

static void setup_h2o(struct http_server *server)
{
	h2o_globalconf_t *config = &server->h2o_config;
	h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX; /* prompts never touch /tmp */
	server->large_input = h2o_socket_buffer_prototype;
	server->large_input.allocator = (h2o_mem_recycle_t){0}; /* none is kept */
	server->large_input._initial_buf.capacity = LARGE_INPUT_ROOM;
	h2o_config_init(config);
	config->server_name = h2o_iovec_init(H2O_STRLIT("sluice/" SLUICE_VERSION));
	h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("sluice")), 65535);
	drop_filters(&host->fallback_path);
	struct catch_all *handler = (void *)h2o_create_handler(&host->fallback_path, sizeof(*handler));
	handler->super.on_req = on_req;
	handler->server = server;
	h2o_context_init(&server->h2o, loop_h2o(server->loop), config);
	server->h2o_accept = (h2o_accept_ctx_t){.ctx = &server->h2o, .hosts = config->hosts};
}

struct http_server *http_server_create(struct loop *loop, const struct config *config,
				       const struct http_server_callbacks *callbacks, struct buf *error)
{
	struct http_server *server = calloc(1, sizeof(*server));
	if (server == NULL) {
		buf_printf(error, "out of memory\n");
		return NULL;
	}
	signal(SIGPIPE, SIG_IGN); /* h2o writes with writev, which has no MSG_NOSIGNAL */
	server->loop = loop;
	server->reactor = loop_reactor(loop);
	server->config = config;
	server->callbacks = *callbacks;
	server->refused_fd = -1;
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	connection_limits_init(server);
	reserve_fill(server);
	setup_h2o(server);
	if (handshakes_init(server) && h2_setup(server) && listeners_create(server, error))
		return server;
	http_server_destroy(server);
	return NULL;
}

bool http_server_listen(struct http_server *server, struct http_listener_address *addresses, struct buf *error)
{
	return listeners_bind(server, addresses, error);
}

void http_server_drain(struct http_server *server)
{
	if (server->state != HTTP_SERVER_ST_RUNNING)
		return;
	server->state = HTTP_SERVER_ST_DRAINING;
	listeners_close(server);
	connections_drain(server);
}

size_t http_server_connections(const struct http_server *server)
{
	return server->crowds[HTTP_CROWD_CLIENTS].count + server->crowds[HTTP_CROWD_ADMIN].count;
}

void http_server_destroy(struct http_server *server)
{
	server->state = HTTP_SERVER_ST_DESTROYING;
	listeners_close(server);
	connections_close_all(server);
	linger_close_all(server);
	handshakes_fini(server);
	listeners_destroy(server);
	h2_teardown(server);
	h2o_context_dispose(&server->h2o);
	h2o_config_dispose(&server->h2o_config);
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	reserve_close(server);
	free(server);
}
