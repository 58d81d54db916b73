/* SPDX-License-Identifier: MIT */
/*
 * struct http_request over h2o's request: its making, its end, and the
 * accessors of http_server.h. The disposer of the pool's shared memory is the
 * one place that both versions pass when a request ends for any reason.
 */
#include "service/http/request.h"

#include <assert.h>

#include "config/config.h"
#include "lib/gunzip.h"
#include "lib/hash.h"
#include "lib/ledger.h"
#include "lib/media_type.h"
#include "service/http/body_memory.h"
#include "service/http/h1_session.h"
#include "service/http/h2_stream.h"
#include "service/http/listener.h"

enum {
	REQUEST_COST = 32 << 10,          /* bytes that an exchange is charged: its parts and its small buffers */
	REQUEST_WRITE_MOST = 128 << 20,   /* bytes */
	REQUEST_UNPACKED_EXTRA = 1 << 17, /* room to see that a body is too large */
};

static const char *const state_names[] = {"waiting", "answering", "finished", "aborted", "gone"};

void request_set_state(struct http_request *request, enum request_state to)
{
	static const unsigned allowed[] = {
	    [REQUEST_ST_WAITING] = 1u << REQUEST_ST_ANSWERING | 1u << REQUEST_ST_ABORTED | 1u << REQUEST_ST_GONE,
	    [REQUEST_ST_ANSWERING] = 1u << REQUEST_ST_FINISHED | 1u << REQUEST_ST_ABORTED | 1u << REQUEST_ST_GONE,
	};
	if (request->state > REQUEST_ST_ANSWERING || (allowed[request->state] & 1u << to) == 0) {
		fprintf(stderr, "http_request: %s after %s\n", state_names[to], state_names[request->state]);
		abort();
	}
	request->state = to;
}

void request_tell_gone(struct http_request *request)
{
	if (request->state > REQUEST_ST_ANSWERING)
		return;
	request_set_state(request, REQUEST_ST_GONE);
	if (request->ops != NULL)
		request->ops->on_gone(request->context);
}

static void forget_unpacked(struct http_request *request)
{
	body_memory_fit(request->connection->address, request->connection->party, &request->room, 0);
	buf_fini(&request->unpacked);
}

static void on_dispose(void *memory)
{
	struct http_request *request = memory;
	request_tell_gone(request);
	task_drop(request->server->reactor, &request->pump);
	forget_unpacked(request);
	bytes_drop(request->held);
	buf_fini(&request->filling);
	buf_fini(&request->flying);
	struct http_connection *connection = request->connection;
	ledger_give(connection->party, request->charged);
	holder_drop(request->holder);
	if (connection->request != request)
		return;
	connection->request = NULL;
	timer_stop(&request->server->reactor->timers, &connection->timer);
}

/* The target without scheme and authority, where a client sent the absolute form (RFC 9112 section 3.2.2). */
static struct span origin_form(struct span target)
{
	size_t scheme = 0;
	if (target.len >= 7 && strncasecmp(target.at, "http://", 7) == 0)
		scheme = 7;
	else if (target.len >= 8 && strncasecmp(target.at, "https://", 8) == 0)
		scheme = 8;
	else
		return target;
	for (size_t i = scheme; i < target.len; i++)
		if (target.at[i] == '/' || target.at[i] == '?')
			return (struct span){target.at + i, target.len - i};
	return SPAN("/");
}

static void set_target(struct http_request *request, struct span target)
{
	target = origin_form(target);
	const char *mark = target.len == 0 ? NULL : memchr(target.at, '?', target.len);
	if (mark == NULL) {
		request->path = target;
		request->query = (struct span){"", 0};
		return;
	}
	request->path = (struct span){target.at, (size_t)(mark - target.at)};
	request->query = (struct span){mark + 1, target.len - request->path.len - 1};
}

/* A head that broke off, is over its limit, or is CONNECT's lacks them. */
static void set_missing(h2o_iovec_t *part, const char *text)
{
	if (part->len == 0)
		*part = h2o_iovec_init(text, strlen(text));
}

struct http_request *http_request_create(struct http_server *server, h2o_req_t *h2o, struct http_connection *connection,
					 struct h2_stream *stream)
{
	struct http_request *request = h2o_mem_alloc_shared(&h2o->pool, sizeof(*request), on_dispose);
	*request = (struct http_request){
	    .generator = {response_on_proceed, response_on_stop},
	    .h2o = h2o,
	    .server = server,
	    .connection = connection,
	    .stream = stream,
	    .pump = {.run = response_on_pump},
	    .at_line_start = true,
	    .low = HTTP_BACKLOG_LOW,
	};
	/* who writes pauses at limits.buffer; what is written in one piece, such as a kept answer, comes on top */
	buf_init(&request->filling, server->config->limits.buffer + REQUEST_WRITE_MOST);
	buf_init(&request->flying, server->config->limits.buffer + REQUEST_WRITE_MOST);
	buf_init(&request->unpacked, server->config->limits.body + REQUEST_UNPACKED_EXTRA);
	buf_overdraw(&request->filling, connection->party);
	buf_overdraw(&request->flying, connection->party);
	request->charged = ledger_begin(connection->party, REQUEST_COST) ? REQUEST_COST : 0;
	set_missing(&h2o->input.method, "GET");
	set_missing(&h2o->input.path, "/");
	set_target(request, (struct span){h2o->input.path.base, h2o->input.path.len});
	return request;
}

bool request_is_refused(const struct http_request *request)
{
	const struct http_server_callbacks *callbacks = &request->server->callbacks;
	return callbacks->refuses != NULL && callbacks->refuses(callbacks->context, request);
}

void http_request_attach(struct http_request *request, const struct http_request_ops *ops, void *context)
{
	request->ops = ops;
	request->context = context;
}

struct span http_request_method(const struct http_request *request)
{
	return (struct span){request->h2o->input.method.base, request->h2o->input.method.len};
}

struct span http_request_path(const struct http_request *request)
{
	return request->path;
}

struct span http_request_query(const struct http_request *request)
{
	return request->query;
}

struct span http_request_body(const struct http_request *request)
{
	return (struct span){request->h2o->entity.base, request->h2o->entity.len};
}

struct bytes *http_request_hold_body(struct http_request *request)
{
	if (request->held == NULL && buf_len(&request->unpacked) > 0)
		request->held = bytes_take(&request->unpacked);
	else if (request->held == NULL && request->stream != NULL)
		request->held = h2_stream_take_body(request->stream);
	else if (request->held == NULL)
		request->held = h1_session_take_body(request->connection->h1);
	return request->held == NULL ? NULL : bytes_hold(request->held);
}

size_t http_request_body_size(const struct http_request *request)
{
	size_t came = http_request_body(request).len;
	return request->announced > came ? request->announced : came;
}

/* The unpacked body takes the place of the packed one, if there is room for it. */
static enum error_code adopt_unpacked(struct http_request *request)
{
	struct span body = buf_span(&request->unpacked);
	const struct http_connection *connection = request->connection;
	enum error_code error =
	    body_memory_take(&request->server->config->limits, connection->address, connection->party, body.len);
	if (error != ERROR_NONE) {
		request->announced = body.len;
		forget_unpacked(request);
		return error;
	}
	request->room = body.len;
	request->h2o->entity = h2o_iovec_init(body.at, body.len);
	return ERROR_NONE;
}

enum error_code http_request_gunzip_body(struct http_request *request, size_t most)
{
	switch (gunzip(http_request_body(request), most, &request->unpacked)) {
	case GUNZIP_BROKEN:
		return ERROR_INVALID_VALUE;
	case GUNZIP_TOO_LARGE:
		return ERROR_BODY_TOO_LARGE;
	case GUNZIP_MEMORY:
		return ERROR_OVERLOADED;
	case GUNZIP_DONE:
		break;
	}
	buf_fit(&request->unpacked);
	return adopt_unpacked(request);
}

enum error_code http_request_replace_body(struct http_request *request, struct buf *body)
{
	buf_fini(&request->unpacked);
	request->unpacked = buf_take(body);
	buf_uncharge(&request->unpacked); /* its bytes are charged as a body from here on */
	enum error_code error = adopt_unpacked(request);
	if (error != ERROR_NONE)
		return error;
	bytes_drop(request->held); /* the packed one, which nobody needs any more */
	request->held = NULL;
	return ERROR_NONE;
}

/* The next line of the field from *index on, which is moved behind it; {NULL,0} when there is none. */
static struct span next_line(const h2o_req_t *h2o, struct span name, size_t *index)
{
	while (*index < h2o->headers.size) {
		const h2o_header_t *header = &h2o->headers.entries[(*index)++];
		if (header->name->len == name.len && memcmp(header->name->base, name.at, name.len) == 0)
			return (struct span){header->value.len == 0 ? "" : header->value.base, header->value.len};
	}
	return (struct span){NULL, 0};
}

struct span http_request_field(const struct http_request *request, const char *name)
{
	const h2o_req_t *h2o = request->h2o;
	size_t index = 0;
	if (strcmp(name, "host") == 0)
		return (struct span){h2o->input.authority.base, h2o->input.authority.len};
	return next_line(h2o, span_of(name), &index);
}

struct span http_request_list(const struct http_request *request, const char *name)
{
	size_t index = 0;
	struct span list = next_line(request->h2o, span_of(name), &index), line;
	while ((line = next_line(request->h2o, span_of(name), &index)).at != NULL) {
		h2o_iovec_t both = h2o_concat(&request->h2o->pool, h2o_iovec_init(list.at, list.len),
					      h2o_iovec_init(H2O_STRLIT(", ")), h2o_iovec_init(line.at, line.len));
		list = (struct span){both.base, both.len};
	}
	return list;
}

size_t http_request_field_count(const struct http_request *request)
{
	return request->h2o->headers.size;
}

struct http_field http_request_field_at(const struct http_request *request, size_t index)
{
	assert(index < request->h2o->headers.size);
	const h2o_header_t *header = &request->h2o->headers.entries[index];
	return (struct http_field){
	    .name = {header->name->base, header->name->len},
	    .value = {header->value.len == 0 ? "" : header->value.base, header->value.len},
	};
}

int http_request_version(const struct http_request *request)
{
	int version = request->h2o->version;
	return (version >> 8) * 10 + (version & 0xff);
}

bool http_request_has_memory(const struct http_request *request)
{
	return request->charged > 0;
}

uint32_t http_request_party(const struct http_request *request)
{
	return request->connection->party;
}

uint64_t http_request_network(const struct http_request *request)
{
	return request->connection->network;
}

struct span http_request_subject(const struct http_request *request)
{
	return span_of(request->connection->subject);
}

void http_request_identify(struct http_request *request, struct holder *holder)
{
	holder_drop(request->holder);
	request->holder = holder_hold(holder);
}

struct holder *http_request_holder(const struct http_request *request)
{
	return request->holder;
}

struct span http_request_tenant(const struct http_request *request)
{
	return request->holder != NULL ? span_of(request->holder->key->identity)
				       : http_request_field(request, "authorization");
}

uint64_t http_request_client(const struct http_request *request)
{
	struct span tenant = http_request_tenant(request);
	return tenant.len > 0 ? hash_bytes(HASH_START, tenant) : http_request_network(request);
}

bool http_request_address(const struct http_request *request, unsigned char address[16])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	if (h2o_socket_getpeername(request->connection->sock, (struct sockaddr *)&peer) == 0)
		return false;
	if (peer.ss_family == AF_INET6)
		memcpy(address, &((struct sockaddr_in6 *)&peer)->sin6_addr, 16);
	if (peer.ss_family == AF_INET) {
		memcpy(address, mapped, sizeof(mapped));
		memcpy(address + sizeof(mapped), &((struct sockaddr_in *)&peer)->sin_addr, 4);
	}
	return peer.ss_family == AF_INET6 || peer.ss_family == AF_INET;
}

enum http_hosts http_request_hosts(const struct http_request *request)
{
	return request->connection->listener->hosts;
}

bool http_request_is_admin(const struct http_request *request)
{
	const struct http_connection *connection = request->connection;
	return connection->listener->crowd == &connection->server->crowds[HTTP_CROWD_ADMIN];
}

enum error_form http_request_error_form(const struct http_request *request)
{
	struct span line;
	size_t index = 0;
	while ((line = next_line(request->h2o, SPAN("accept"), &index)).at != NULL)
		if (media_type_accepted(line, error_media_type(ERROR_FORM_PROBLEM)))
			return ERROR_FORM_PROBLEM;
	return ERROR_FORM_DIALECT;
}

enum error_code http_request_error(const struct http_request *request)
{
	return request->error;
}
