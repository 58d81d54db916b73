/* SPDX-License-Identifier: MIT */
/*
 * Options of a curl easy. Those that stay are set once, as the easy is pooled
 * with its origin: a reset would cost a tenth of a request, a new easy a
 * quarter. The callbacks only note what curl says; see call.h.
 */
#include "clients/http/easy.h"

#include <errno.h>
#include <stdlib.h>

#include "clients/http/origin.h"

enum {
	EASY_INBOX_BYTES = 64 * 1024,
	EASY_IDLE_SECONDS = 60, /* an older idle connection is not used again */
	EASY_MAX_HEADER = 8192,
	/* bytes of one read, and of a buffer that lives as long as the call */
	EASY_STREAM_READ = 2048,
	EASY_WHOLE_READ = 16384
};

/* One line of a head, or a trailer. */
static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	struct span line = {bytes, size * count};
	enum head_state state = head_line(&call->head, line);
	if (state == HEAD_ST_REFUSED) {
		call_fail(call, ERROR_UPSTREAM_PROTOCOL, call->head.why);
		return 0;
	}
	if (state == HEAD_ST_COMPLETE && call->state == CALL_ST_SENT) {
		call_set_state(call, CALL_ST_BODY);
		call->head_due = true;
		call_make_ready(call);
	}
	return line.len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	struct span chunk = {bytes, size * count};
	if (call->state != CALL_ST_BODY) {
		call_fail(call, ERROR_UPSTREAM_PROTOCOL, "a body without a head");
		return 0;
	}
	if (call->paused || buf_len(&call->inbox) + chunk.len > EASY_INBOX_BYTES) {
		call->stalled = true;
		call_make_ready(call);
		return CURL_WRITEFUNC_PAUSE;
	}
	if (!buf_append(&call->inbox, chunk)) {
		call_fail(call, ERROR_OVERLOADED, "no memory for the body");
		return 0;
	}
	call_make_ready(call);
	return chunk.len;
}

/* Called when a connection is there and the request will be sent. A second time: curl is about to resend it. */
static int on_request(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_call *call = context;
	(void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
	if (call->state != CALL_ST_CONNECTING) {
		call_fail(call, ERROR_UPSTREAM_RESET, "the reused connection was closed without an answer");
		return CURL_PREREQFUNC_ABORT;
	}
	call->reused = !call->opened;
	sockets_connected(call);
	call_set_state(call, CALL_ST_SENT);
	return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_call *call = context;
	(void)purpose;
	if (call->state != CALL_ST_CONNECTING) {
		/* only a resend connects again, and there will be none */
		call_fail(call, ERROR_UPSTREAM_RESET, "the reused connection was closed without an answer");
		return CURL_SOCKET_BAD;
	}
	call->opened = true;
	curl_socket_t fd = sockets_open(&call->origin->client->sockets, address);
	if (fd == CURL_SOCKET_BAD && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
		call_fail(call, ERROR_OVERLOADED, "no descriptor or memory for a socket");
	return fd;
}

static void easy_set_callbacks(struct http_call *call)
{
	CURL *easy = call->easy;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error_text);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	/* the connection outlives the call, so this one's context is the client's */
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, sockets_on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &call->origin->client->sockets);
}

static bool easy_set_tls(CURL *easy, const struct http_origin *origin)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SHARE, origin->client->share);
	if (origin->ca_file != NULL && curl_easy_setopt(easy, CURLOPT_CAINFO, origin->ca_file) != CURLE_OK)
		return false;
	return origin->certificate == NULL ||
	       (curl_easy_setopt(easy, CURLOPT_SSLCERT, origin->certificate) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSLKEY, origin->key) == CURLE_OK);
}

bool easy_init(struct http_call *call)
{
	const struct http_origin *origin = call->origin;
	CURL *easy = call->easy = curl_easy_init();
	if (easy == NULL)
		return false;
	uint64_t timeout_ms = (origin->connect_timeout_us + 999) / 1000;
	easy_set_callbacks(call);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout_ms == 0 ? 1 : timeout_ms));
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)EASY_IDLE_SECONDS);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L); /* addresses come from name.c */
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	bool ok = curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
	return ok && (!origin->secure || easy_set_tls(easy, origin));
}

static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < ' ' && text.at[i] != '\t')
			return true;
	return false;
}

/* Bytes of its line, with the NUL; 0 when it is too long. */
static size_t line_size(const struct http_field *header)
{
	size_t size = header->name.len + header->value.len + sizeof(": ");
	return size > EASY_MAX_HEADER ? 0 : size;
}

static bool is_sendable(const struct http_field *header)
{
	return header->name.len > 0 && line_size(header) > 0 && !has_control(header->name) &&
	       !has_control(header->value) && memchr(header->name.at, ':', header->name.len) == NULL;
}

/* curl's notation: "name: value", or "name;" for an empty value. There is room for it. */
static char *extra_write(struct buf *lines, const struct http_field *header)
{
	char *line = buf_reserve(lines, 1);
	buf_append(lines, header->name);
	buf_append(lines, header->value.len == 0 ? SPAN(";") : SPAN(": "));
	buf_append(lines, header->value);
	buf_append(lines, (struct span){"", 1});
	return line;
}

/* The list of the call's own fields, ending in the origin's. One that would break the request is left out. */
static struct curl_slist *extra_list(struct http_call *call, const struct http_call_request *request,
				     struct curl_slist *origins)
{
	struct curl_slist *last = NULL;
	size_t room = 0;
	for (size_t i = 0; i < request->extra_count; i++)
		room += line_size(&request->extra[i]);
	buf_reset(&call->extra_lines);
	if (request->extra_count > HTTP_CALL_EXTRA_MOST || buf_reserve(&call->extra_lines, room) == NULL)
		return NULL;
	for (size_t i = 0; i < request->extra_count; i++) {
		if (!is_sendable(&request->extra[i]))
			continue;
		struct curl_slist *node = last == NULL ? call->extra : last + 1;
		*node = (struct curl_slist){extra_write(&call->extra_lines, &request->extra[i]), origins};
		if (last != NULL)
			last->next = node;
		last = node;
	}
	return last == NULL ? origins : call->extra;
}

static bool easy_set_headers(struct http_call *call, const struct http_call_request *request)
{
	struct curl_slist *origins = call->origin->headers[request->get][request->stream];
	struct curl_slist *headers = request->extra_count == 0 ? origins : extra_list(call, request, origins);
	if (headers == NULL)
		return false;
	if (call->headers_set != headers) /* curl keeps the pointer, and reads the list when it sends */
		curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, headers);
	call->headers_set = headers;
	return true;
}

static void easy_set_body(CURL *easy, const struct http_call_request *request)
{
	if (request->get) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.len == 0 ? "" : request->body.at);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
}

bool easy_configure(struct http_call *call, const struct http_call_request *request)
{
	const struct http_path *path = origin_path(call->origin, request->path);
	if (path == NULL || !easy_set_headers(call, request))
		return false;
	if (call->path != path)
		curl_easy_setopt(call->easy, CURLOPT_CURLU, path->url);
	call->path = path;
	curl_easy_setopt(call->easy, CURLOPT_BUFFERSIZE, (long)(request->stream ? EASY_STREAM_READ : EASY_WHOLE_READ));
	curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, (long)request->fresh); /* easies are used again */
	easy_set_body(call->easy, request);
	return true;
}

/*
 * curl keeps the table of addresses in the multi and reads this list when the
 * transfer begins. Every easy brings the news itself, as the order in which
 * curl begins them is not ours.
 */
void easy_set_addresses(struct http_call *call)
{
	const struct name *name = &call->origin->name;
	if (name->state == NAME_ST_NUMERIC || call->addresses_set == name->generation)
		return;
	curl_easy_setopt(call->easy, CURLOPT_RESOLVE, name->addresses);
	call->addresses_set = name->generation;
}
