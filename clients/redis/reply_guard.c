/* SPDX-License-Identifier: MIT */
/* The root of an answer is an allocation of its own; elements lie in their array, texts are copies. */
#include "clients/redis/reply_guard.h"

#include <stdlib.h>

static const char unasked[] = "it sent an answer that nobody asked for";
static const char too_large[] = "it sent an answer that is too large";

/* Room for an object, which the gate admits; NULL makes the reader fail. */
static struct redis_reply *place(const redisReadTask *task, size_t bytes)
{
	struct redis_reply_guard *gate = task->privdata;
	if (task->parent == NULL) {
		if (gate->expected == 0) {
			gate->violation = unasked;
			return NULL;
		}
		gate->expected--;
		gate->used = sizeof(struct redis_reply);
	}
	if (bytes > REDIS_REPLY_MOST - gate->used) {
		gate->violation = too_large;
		return NULL;
	}
	gate->used += bytes;
	if (task->parent == NULL)
		return calloc(1, sizeof(struct redis_reply));
	const struct redis_reply *array = task->parent->obj;
	return (struct redis_reply *)&array->elements[task->idx];
}

static void discard(const redisReadTask *task, struct redis_reply *reply)
{
	if (task->parent == NULL)
		free(reply);
}

static void *create_string(const redisReadTask *task, char *bytes, size_t len)
{
	struct redis_reply *reply = place(task, len);
	if (reply == NULL)
		return NULL;
	char *text = malloc(len + 1);
	if (text == NULL) {
		discard(task, reply);
		return NULL;
	}
	memcpy(text, bytes, len);
	text[len] = '\0';
	reply->kind = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
		      : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
							 : REDIS_BYTES;
	reply->text = (struct span){text, len};
	return reply; /* cppcheck-suppress memleak ; free_parts() frees it */
}

static void *create_array(const redisReadTask *task, int count)
{
	struct redis_reply *reply = place(task, (size_t)count * sizeof(struct redis_reply));
	if (reply == NULL)
		return NULL;
	reply->kind = REDIS_ARRAY;
	reply->elements = calloc((size_t)count + 1, sizeof(struct redis_reply));
	if (reply->elements == NULL) {
		discard(task, reply);
		return NULL;
	}
	reply->count = (size_t)count;
	return reply;
}

static void *create_integer(const redisReadTask *task, long long integer)
{
	struct redis_reply *reply = place(task, 0);
	if (reply == NULL)
		return NULL;
	reply->kind = REDIS_INTEGER;
	reply->integer = integer;
	return reply;
}

static void *create_nil(const redisReadTask *task)
{
	struct redis_reply *reply = place(task, 0);
	if (reply != NULL)
		reply->kind = REDIS_NIL;
	return reply;
}

/* An element that never came is all zero. The reader nests no deeper than 7. */
static void free_parts(const struct redis_reply *reply) /* NOLINT(misc-no-recursion) */
{
	for (size_t i = 0; i < reply->count; i++)
		free_parts(&reply->elements[i]);
	free((void *)reply->elements);
	free((void *)reply->text.at);
}

static void free_root(void *object)
{
	if (object == NULL)
		return;
	free_parts(object);
	free(object);
}

void redis_reply_guard_install(struct redis_reply_guard *gate, redisReader *reader)
{
	static redisReplyObjectFunctions functions = {create_string, create_array, create_integer, create_nil,
						      free_root};
	*gate = (struct redis_reply_guard){.expected = 0};
	reader->fn = &functions;
	reader->privdata = gate;
}

/* The length that the head of a bulk announces, when all of the head is there. */
static bool bulk_fits(const char *head, size_t have)
{
	size_t length = 0;
	for (size_t i = 0; i < have; i++) {
		if (head[i] == '\r')
			return length <= REDIS_REPLY_MOST;
		if (head[i] < '0' || head[i] > '9')
			return i == 0; /* -1; the reader judges the rest */
		if (i > 9)
			return false;
		length = length * 10 + (size_t)(head[i] - '0');
	}
	return true;
}

bool redis_reply_guard_admits(struct redis_reply_guard *gate, const redisReader *reader)
{
	if (reader->ridx < 0 || reader->buf == NULL || reader->len <= reader->pos)
		return true;
	size_t have = reader->len - reader->pos;
	int type = reader->rstack[reader->ridx].type;
	bool fits = type == REDIS_REPLY_STRING ? bulk_fits(reader->buf + reader->pos, have) : have <= REDIS_LINE_MOST;
	if (!fits)
		gate->violation = too_large;
	return fits;
}
