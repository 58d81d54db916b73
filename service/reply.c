/* SPDX-License-Identifier: MIT */
/* Heads and bodies of made answers, with their validators; reply.h holds the contract. */
#include "service/reply.h"

#include "lib/etag.h"
#include "service/client_dialect.h"
#include "service/exchange/report.h"

enum { REPLY_FIELDS_MAX = ADMIN_FIELDS_MAX + 5, REPLY_TAGS = 16 };

struct head {
	struct http_field fields[REPLY_FIELDS_MAX];
	size_t count;
};

static void reply_add(struct head *head, struct span name, struct span value)
{
	head->fields[head->count++] = (struct http_field){name, value};
}

static void add_request_id(struct head *head, const struct http_request *request, struct arena *arena)
{
	struct span id = exchange_request_id(http_request_field(request, "x-request-id"), arena);
	reply_add(head, SPAN("x-request-id"), id);
	if (client_dialect(request)->tells)
		reply_add(head, SPAN("request-id"), id);
}

/* RFC 9110, section 13.1.2; the list may be spread over several fields. */
static bool client_has(const struct http_request *request, struct span etag)
{
	for (size_t i = 0; i < http_request_field_count(request); i++) {
		struct http_field field = http_request_field_at(request, i);
		if (span_is(field.name, "if-none-match") && etag_matches(field.value, etag))
			return true;
	}
	return false;
}

static bool says_cache_control(const struct admin_answer *answer)
{
	for (size_t i = 0; i < answer->field_count; i++)
		if (span_is(answer->fields[i].name, "cache-control"))
			return true;
	return false;
}

/*
 * The tag of a body that lives as long as the process is made once by each thread: that of the OpenAPI document takes a
 * millisecond, and a client may ask for it by hundreds of streams in one turn.
 */
static void write_tag(const struct admin_answer *answer, struct span body, char etag[ETAG_SIZE])
{
	static _Thread_local struct {
		struct span body;
		char etag[ETAG_SIZE];
	} known[REPLY_TAGS];
	static _Thread_local size_t next;
	if (answer->constant.at == NULL) {
		etag_write(body, etag);
		return;
	}
	size_t at = 0;
	while (at < REPLY_TAGS && (known[at].body.at != body.at || known[at].body.len != body.len))
		at++;
	if (at == REPLY_TAGS) {
		at = next++ % REPLY_TAGS;
		known[at].body = body;
		etag_write(body, known[at].etag);
	}
	memcpy(etag, known[at].etag, ETAG_SIZE);
}

void reply_made(struct http_request *request, const struct operation_row *row, const struct admin_answer *answer,
		struct arena *arena)
{
	struct head head = {.count = 0};
	char etag[ETAG_SIZE] = "";
	struct span body = answer->constant.at == NULL ? buf_span(&answer->body) : answer->constant;
	bool revalidates = row->revalidates && answer->status == 200;
	if (revalidates) {
		write_tag(answer, body, etag);
		reply_add(&head, SPAN("etag"), span_of(etag));
	}
	if (!says_cache_control(answer))
		reply_add(&head, SPAN("cache-control"), revalidates ? SPAN("no-cache") : SPAN("no-store"));
	add_request_id(&head, request, arena);
	for (size_t i = 0; i < answer->field_count; i++)
		reply_add(&head, answer->fields[i].name, answer->fields[i].value);
	if (revalidates && client_has(request, span_of(etag))) {
		http_respond_head(request, 304, head.fields, head.count, -1);
	} else {
		reply_add(&head, SPAN("content-type"), span_of(answer->content_type));
		http_respond_head(request, answer->status, head.fields, head.count, (int64_t)body.len);
		if (answer->constant.at != NULL)
			http_respond_constant(request, body);
		else
			http_respond_write(request, body);
	}
	http_respond_finish(request);
}

void reply_allow(struct http_request *request, const char *allow, struct arena *arena)
{
	struct head head = {.count = 0};
	reply_add(&head, SPAN("allow"), span_of(allow));
	add_request_id(&head, request, arena);
	http_respond_head(request, 204, head.fields, head.count, -1);
	http_respond_finish(request);
}

void reply_redirect(struct http_request *request, const char *path)
{
	struct arena arena;
	struct head head = {.count = 0};
	arena_init(&arena, 0);
	reply_add(&head, SPAN("location"), span_of(path));
	reply_add(&head, SPAN("cache-control"), SPAN("no-store"));
	add_request_id(&head, request, &arena);
	http_respond_head(request, 302, head.fields, head.count, 0);
	http_respond_finish(request);
	arena_fini(&arena);
}

void reply_empty(struct http_request *request)
{
	struct arena arena;
	struct head head = {.count = 0};
	arena_init(&arena, 0);
	reply_add(&head, SPAN("cache-control"), SPAN("no-store"));
	add_request_id(&head, request, &arena);
	http_respond_head(request, 200, head.fields, head.count, 0);
	http_respond_finish(request);
	arena_fini(&arena);
}
