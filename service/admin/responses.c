/* SPDX-License-Identifier: MIT */
/* /v1/responses/{id} and its input items: what is stored for whoever asks. */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/json.h"
#include "lib/json_write.h"
#include "lib/timers.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"
#include "service/admin/admin.h"
#include "service/responses/response_memory.h"

enum { ITEMS_DEPTH = 512 };

static void refuse(const struct admin_request *request, struct admin_answer *answer)
{
	answer->error = ERROR_RESPONSE_NOT_FOUND;
	buf_printf(&answer->body, "There is no stored response `%.*s`.", SPAN_ARG(request->argument));
}

/* Returns the response, held; NULL when it is refused. */
static struct stored_response *find(const struct admin_request *request, struct admin_answer *answer)
{
	struct stored_response *found =
	    request->responses == NULL
		? NULL
		: response_store_get(request->responses, request->tenant, request->argument, timers_monotonic(NULL));
	if (found == NULL)
		refuse(request, answer);
	return found;
}

static void give_response(const struct admin_request *request, struct admin_answer *answer)
{
	struct stored_response *found = find(request, answer);
	if (found == NULL)
		return;
	buf_append(&answer->body, stored_response_answer(found));
	stored_response_drop(found);
}

static void write_deleted(const struct admin_request *request, struct admin_answer *answer)
{
	buf_append(&answer->body, SPAN("{\"id\":"));
	json_write_string(&answer->body, request->argument);
	buf_append(&answer->body, SPAN(",\"object\":\"response\",\"deleted\":true}"));
}

static void remove_response(const struct admin_request *request, struct admin_answer *answer)
{
	if (request->responses != NULL &&
	    response_store_remove(request->responses, request->tenant, request->argument, timers_monotonic(NULL)))
		write_deleted(request, answer);
	else
		refuse(request, answer);
}

/* ---- input items ---- */

/* A page of the items. */
struct page {
	int64_t first, step, count; /* the places of the items: first, first + step, … */
	bool more;                  /* there are others after these */
};

/* Items have no ids of their own: they get one by their place. */
static void write_id(struct buf *out, int64_t place)
{
	buf_printf(out, "\"item_%" PRId64 "\"", place);
}

/* Returns the place that an id names; -1: none of count. */
static int64_t place_of(struct span id, int64_t count)
{
	int64_t place = 0;
	if (!span_begins(id, "item_") || id.len == 5 || id.len > 12)
		return -1;
	for (size_t i = 5; i < id.len; i++) {
		if (id.at[i] < '0' || id.at[i] > '9')
			return -1;
		place = place * 10 + (id.at[i] - '0');
	}
	return place < count ? place : -1;
}

/* Returns false when after names no item. */
static bool choose_page(const struct input_items_query *query, int64_t total, struct page *page)
{
	bool ascending = span_is(query->order.value, "asc");
	int64_t after = -1;
	page->step = ascending ? 1 : -1;
	page->first = ascending ? 0 : total - 1;
	if (query->after.node != JSON_NONE && (after = place_of(query->after.value, total)) < 0)
		return false;
	if (after >= 0)
		page->first = after + page->step;
	int64_t left = ascending ? total - page->first : page->first + 1;
	page->count = left < query->limit.value ? left : query->limit.value;
	page->more = left > page->count;
	return true;
}

/* Appends the item with its type and an id in place of its own. */
static void write_item(struct buf *out, const struct json *json, uint32_t item, int64_t place)
{
	buf_append(out, SPAN("{\"id\":"));
	write_id(out, place);
	if (json_member(json, item, "type") == JSON_NONE)
		buf_append(out, SPAN(",\"type\":\"message\""));
	for (uint32_t at = json_first(json, item); at != JSON_NONE; at = json_next(json, item, at)) {
		if (json_string_is(json, at, "id"))
			continue;
		buf_append(out, SPAN(","));
		buf_append(out, json_raw(json, at));
		buf_append(out, SPAN(":"));
		buf_append(out, json_raw(json, at + 1));
	}
	buf_append(out, SPAN("}"));
}

static void write_end(struct buf *out, const char *name, const struct page *page, int64_t place)
{
	buf_printf(out, ",\"%s\":", name);
	if (page->count == 0)
		buf_append(out, SPAN("null"));
	else
		write_id(out, place);
}

static void write_page(struct buf *out, const struct json *json, const uint32_t *items, const struct page *page)
{
	buf_append(out, SPAN("{\"object\":\"list\",\"data\":["));
	for (int64_t i = 0; i < page->count; i++) {
		int64_t place = page->first + i * page->step;
		buf_append(out, i == 0 ? SPAN("") : SPAN(","));
		write_item(out, json, items[place], place);
	}
	buf_append(out, SPAN("]"));
	write_end(out, "first_id", page, page->first);
	write_end(out, "last_id", page, page->first + (page->count - 1) * page->step);
	buf_append(out, page->more ? SPAN(",\"has_more\":true}") : SPAN(",\"has_more\":false}"));
}

static void refuse_after(const struct input_items_query *query, struct admin_answer *answer)
{
	answer->error = ERROR_RESPONSE_NOT_FOUND;
	answer->param = SPAN("after");
	buf_printf(&answer->body, "This response has no item `%.*s`.", SPAN_ARG(query->after.value));
}

/* Lists the items of an input. */
static void list_items(const struct admin_request *request, struct admin_answer *answer,
		       const struct input_items_query *query, struct span input)
{
	struct json json;
	struct json_error error;
	struct page page;
	struct span array = arena_printf(request->arena, "[%.*s]", SPAN_ARG(input));
	if (array.at == NULL || !json_parse(&json, request->arena, array, ITEMS_DEPTH, &error)) {
		answer->error = ERROR_OVERLOADED;
		return;
	}
	int64_t total = json.nodes[0].count, place = 0;
	uint32_t *items = arena_alloc(request->arena, ((size_t)total + 1) * sizeof(*items));
	if (items == NULL) {
		answer->error = ERROR_OVERLOADED;
		return;
	}
	for (uint32_t at = json_first(&json, 0); at != JSON_NONE; at = json_next(&json, 0, at))
		items[place++] = at;
	if (choose_page(query, total, &page))
		write_page(&answer->body, &json, items, &page);
	else
		refuse_after(query, answer);
}

static void give_items(const struct admin_request *request, struct admin_answer *answer)
{
	struct input_items_query query;
	struct findings findings = {.count = 0};
	if (!query_read(request->query, &input_items_query_fields, request->arena, &query, &findings)) {
		admin_refuse_findings(request, answer, &findings);
		return;
	}
	struct stored_response *found = find(request, answer);
	if (found == NULL)
		return;
	list_items(request, answer, &query, stored_response_input(found));
	stored_response_drop(found);
}

/* ---- where replicas share responses: Redis is asked first ---- */

typedef void (*give_answer)(const struct admin_request *request, struct admin_answer *answer);

/* Waits for Redis. */
struct looking {
	struct admin_job job;
	struct response_recall recall;
	give_answer give;
	struct admin_request request; /* what give needs of it; its texts are behind */
	enum recall_result result;
	char texts[];
};

/* Returns whether memory has the response; false: only Redis knows. */
static bool has(const struct admin_request *request)
{
	struct stored_response *found =
	    response_store_get(request->responses, request->tenant, request->argument, timers_monotonic(NULL));
	stored_response_drop(found);
	return found != NULL;
}

static void answer_recalled(const struct looking *looking, struct admin_answer *answer)
{
	const struct admin_request *request = &looking->request;
	bool removes = looking->recall.removes;
	if (looking->result == RECALL_SILENT && (removes || !has(request)))
		answer->error = ERROR_RESPONSE_STORE;
	else if (removes && looking->result == RECALL_FOUND)
		write_deleted(request, answer);
	else
		looking->give(request, answer);
}

static void looking_tell(struct admin_job *job, struct admin_answer *answer)
{
	struct looking *looking = container_of(job, struct looking, job);
	looking->request.arena = answer->arena;
	answer_recalled(looking, answer);
	free(looking);
}

static void looking_leave(struct admin_job *job)
{
	struct looking *looking = container_of(job, struct looking, job);
	response_recall_cancel(&looking->recall);
	free(looking);
}

static void on_recalled(struct response_recall *recall, enum recall_result result)
{
	struct looking *looking = container_of(recall, struct looking, recall);
	looking->result = result;
	looking->job.on_ready(looking->job.waiter);
}

static struct span copy_text(char **at, struct span text)
{
	struct span copy = {*at, text.len};
	if (text.len > 0)
		memcpy(*at, text.at, text.len);
	*at += text.len;
	return copy;
}

static struct looking *looking_create(const struct admin_request *request, give_answer give, bool removes)
{
	size_t texts = request->argument.len + request->tenant.len + request->query.len;
	struct looking *looking = calloc(1, sizeof(*looking) + texts);
	if (looking == NULL)
		return NULL;
	char *at = looking->texts;
	looking->give = give;
	looking->job = (struct admin_job){.tell = looking_tell, .leave = looking_leave};
	looking->request = (struct admin_request){.responses = request->responses,
						  .argument = copy_text(&at, request->argument),
						  .tenant = copy_text(&at, request->tenant),
						  .query = copy_text(&at, request->query),
						  .arena = request->arena};
	looking->recall = (struct response_recall){.tenant = looking->request.tenant,
						   .id = looking->request.argument,
						   .limits = response_limits(&request->config->responses),
						   .removes = removes,
						   .on_done = on_recalled};
	return looking;
}

/* Answers by give, once Redis was asked; of a removal give is for what Redis does not have. */
static void look(const struct admin_request *request, struct admin_answer *answer, give_answer give, bool removes)
{
	if (request->responses == NULL || request->shared_responses == NULL ||
	    !shared_responses_may_have(request->argument)) {
		give(request, answer);
		return;
	}
	struct looking *looking = looking_create(request, give, removes);
	if (looking == NULL) {
		answer->error = ERROR_OVERLOADED;
		return;
	}
	if (shared_responses_recall(request->shared_responses, &looking->recall)) {
		answer->job = &looking->job;
		return;
	}
	looking->result = RECALL_SILENT;
	answer_recalled(looking, answer);
	free(looking);
}

void admin_response(const struct admin_request *request, struct admin_answer *answer)
{
	look(request, answer, give_response, false);
}

void admin_response_delete(const struct admin_request *request, struct admin_answer *answer)
{
	look(request, answer, remove_response, true);
}

void admin_response_items(const struct admin_request *request, struct admin_answer *answer)
{
	look(request, answer, give_items, false);
}
