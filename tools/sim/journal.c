/* SPDX-License-Identifier: MIT */
/* The ring of calls and its JSON; journal.h holds the contract. */
#include "tools/sim/journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <ctype.h>

#include "lib/json_write.h"
#include "tools/sim/http_parse.h"

static struct journal_call *slot_of(struct journal *journal, uint64_t id)
{
	return &journal->calls[id % JOURNAL_CALLS];
}

static void texts_free(struct journal *journal, struct journal_call *call)
{
	journal->bytes -= call->head_len + call->body_len + call->model_len;
	free(call->texts);
	free(call->model);
	call->texts = call->model = NULL;
	call->head_len = call->body_len = call->model_len = 0;
}

/* Drops the oldest texts until size more bytes fit. */
static void make_room(struct journal *journal, size_t size)
{
	for (; journal->bytes + size > JOURNAL_BYTES_MOST && journal->oldest <= journal->last; journal->oldest++) {
		struct journal_call *call = slot_of(journal, journal->oldest);
		if (call->id == journal->oldest)
			texts_free(journal, call);
	}
}

struct journal_call *journal_begin(struct journal *journal, uint64_t now_us, struct span head, struct span body)
{
	size_t kept = body.len > JOURNAL_BODY_MOST ? JOURNAL_BODY_MOST : body.len;
	struct journal_call *call = slot_of(journal, ++journal->last);
	texts_free(journal, call);
	make_room(journal, head.len + kept);
	*call = (struct journal_call){.id = journal->last, .at_us = now_us, .body_size = body.len, .fault = "none"};
	journal->open++;
	call->texts = malloc(head.len + kept + 1);
	if (call->texts == NULL)
		return call;
	memcpy(call->texts, head.at, head.len);
	memcpy(call->texts + head.len, body.at, kept);
	call->head_len = head.len;
	call->body_len = kept;
	journal->bytes += head.len + kept;
	return call;
}

void journal_set_model(struct journal *journal, struct journal_call *call, struct span model)
{
	size_t kept = model.len > JOURNAL_BODY_MOST ? JOURNAL_BODY_MOST : model.len;
	call->model = malloc(kept + 1);
	if (call->model == NULL)
		return;
	memcpy(call->model, model.at, kept);
	call->model_len = kept;
	journal->bytes += kept;
}

struct journal_call *journal_find(struct journal *journal, uint64_t id)
{
	struct journal_call *call = slot_of(journal, id);
	return id != 0 && call->id == id ? call : NULL;
}

void journal_finish(struct journal *journal, uint64_t id, enum journal_end end, uint64_t now_us)
{
	journal->open--;
	struct journal_call *call = journal_find(journal, id);
	if (call == NULL)
		return;
	call->end = end;
	call->ended_at_us = now_us;
}

void journal_forget(struct journal *journal)
{
	for (size_t i = 0; i < JOURNAL_CALLS; i++) {
		texts_free(journal, &journal->calls[i]);
		journal->calls[i] = (struct journal_call){.id = 0};
	}
	journal->oldest = journal->last + 1;
}

void journal_fini(struct journal *journal)
{
	journal_forget(journal);
}

static struct span call_head(const struct journal_call *call)
{
	return (struct span){call->texts == NULL ? "" : call->texts, call->head_len};
}

static struct span call_model(const struct journal_call *call)
{
	return (struct span){call->model == NULL ? "" : call->model, call->model_len};
}

/* True when an earlier header of the same name exists: its values were joined there. */
static bool is_repeated(const struct http_request *request, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (request->headers[i].name.len == request->headers[at].name.len &&
		    strncasecmp(request->headers[i].name.at, request->headers[at].name.at,
				request->headers[at].name.len) == 0)
			return true;
	return false;
}

/* `"name":"value"`, the values of equal names joined by a comma as RFC 9110, section 5.3 does. */
static void header_write(struct buf *out, struct buf *scratch, const struct http_request *request, size_t at)
{
	struct span name = request->headers[at].name;
	buf_reset(scratch);
	for (size_t i = 0; i < name.len; i++) {
		char lower = (char)tolower((unsigned char)name.at[i]);
		buf_append(scratch, (struct span){&lower, 1});
	}
	json_write_string(out, buf_span(scratch));
	buf_append(out, SPAN(":"));
	buf_reset(scratch);
	buf_append(scratch, request->headers[at].value);
	for (size_t i = at + 1; i < request->header_count; i++) {
		struct span other = request->headers[i].name;
		if (other.len != name.len || strncasecmp(other.at, name.at, name.len) != 0)
			continue;
		buf_append(scratch, SPAN(", "));
		buf_append(scratch, request->headers[i].value);
	}
	json_write_string(out, buf_span(scratch));
}

static void texts_write(struct buf *out, const struct journal_call *call, const struct http_request *request)
{
	struct buf scratch;
	buf_init(&scratch, HTTP_HEAD_BYTES_MOST * 2);
	buf_append(out, SPAN(",\"headers\":{"));
	bool first = true;
	for (size_t i = 0; i < request->header_count; i++) {
		if (is_repeated(request, i))
			continue;
		if (!first)
			buf_append(out, SPAN(","));
		first = false;
		header_write(out, &scratch, request, i);
	}
	buf_printf(out, "},\"body_size\":%zu,\"body\":", call->body_size);
	json_write_string(out, (struct span){call->texts == NULL ? "" : call->texts + call->head_len, call->body_len});
	buf_fini(&scratch);
}

static void call_write(struct buf *out, const struct journal_call *call, bool bodies)
{
	static const char *const ends[] = {"open", "complete", "peer_closed", "fault"};
	static struct http_request request;
	request.header_count = 0;
	request.method = request.path = SPAN("");
	if (call->texts != NULL)
		http_head_parse(&request, call_head(call));
	buf_printf(out, "{\"id\":%" PRIu64 ",\"connection\":%" PRIu64 ",\"attempt\":%" PRIu64 ",\"method\":", call->id,
		   call->connection, call->attempt);
	json_write_string(out, request.method);
	buf_append(out, SPAN(",\"path\":"));
	json_write_string(out, request.path);
	buf_append(out, SPAN(",\"model\":"));
	json_write_string(out, call_model(call));
	buf_printf(out,
		   ",\"stream\":%s,\"fault\":\"%s\",\"status\":%d,\"at_us\":%" PRIu64 ",\"head_at_us\":%" PRIu64
		   ",\"ended_at_us\":%" PRIu64 ",\"end\":\"%s\",\"peer_left_at_us\":%" PRIu64,
		   call->stream ? "true" : "false", call->fault, call->status, call->at_us, call->head_at_us,
		   call->ended_at_us, ends[call->end], call->peer_left_at_us);
	buf_printf(out, ",\"events_sent\":%" PRIu64 ",\"tokens_sent\":%" PRIu64 ",\"bytes_sent\":%" PRIu64,
		   call->events_sent, call->tokens_sent, call->bytes_sent);
	if (bodies)
		texts_write(out, call, &request);
	buf_append(out, SPAN("}"));
}

static bool query_fits(const struct journal_query *query, const struct journal_call *call)
{
	struct span model = call_model(call);
	return query->model.len == 0 || memmem(model.at, model.len, query->model.at, query->model.len) != NULL;
}

void journal_write(struct journal *journal, struct buf *out, const struct journal_query *query)
{
	uint64_t first = journal->last >= JOURNAL_CALLS ? journal->last - JOURNAL_CALLS + 1 : 1;
	if (query->since >= first)
		first = query->since + 1;
	uint64_t from = journal->last + 1;
	for (uint64_t taken = 0; from > first && (query->limit == 0 || taken < query->limit); from--) {
		const struct journal_call *call = journal_find(journal, from - 1);
		taken += call != NULL && query_fits(query, call);
	}
	bool comma = false;
	buf_append(out, SPAN("["));
	for (uint64_t id = from; id <= journal->last; id++) {
		const struct journal_call *call = journal_find(journal, id);
		if (call == NULL || !query_fits(query, call))
			continue;
		if (comma)
			buf_append(out, SPAN(","));
		comma = true;
		call_write(out, call, query->bodies);
	}
	buf_append(out, SPAN("]"));
}
