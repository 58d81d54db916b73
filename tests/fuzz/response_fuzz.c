/* SPDX-License-Identifier: MIT */
/*
 * What a backend sends over its connection, on any bytes: the first byte says
 * how the rest is split into reads. However they come, head and body must be
 * the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "clients/http/framing.h"
#include "clients/http/response_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	struct head head;
	struct framing framing;
	char *body;
	size_t body_len, rest;
};

static size_t outcome_take(struct outcome *outcome, const char *bytes, size_t len)
{
	size_t taken = head_take(&outcome->head, (struct span){bytes, len});
	if (taken > 0 && outcome->head.state == HEAD_ST_COMPLETE)
		framing_init(&outcome->framing, &outcome->head);
	return taken;
}

/* One read. */
static void outcome_feed(struct outcome *outcome, const char *bytes, size_t len)
{
	size_t at = outcome_take(outcome, bytes, len), rest = len - at;
	if (outcome->head.state == HEAD_ST_COMPLETE) {
		char *copy = malloc(len - at + 1);
		memcpy(copy, bytes + at, len - at);
		size_t body = framing_decode(&outcome->framing, copy, len - at, &rest);
		assert(body + rest <= len - at);
		memcpy(outcome->body + outcome->body_len, copy, body);
		outcome->body_len += body;
		free(copy);
	}
	outcome->rest += rest;
}

static void outcome_init(struct outcome *outcome, size_t size)
{
	*outcome = (struct outcome){.body = malloc(size + 1)};
	head_init(&outcome->head);
}

static void outcome_fini(struct outcome *outcome)
{
	head_fini(&outcome->head);
	free(outcome->body);
}

static void compare(const struct outcome *a, const struct outcome *b)
{
	struct http_head left, right;
	assert(a->head.state == b->head.state);
	if (a->head.state != HEAD_ST_COMPLETE)
		return;
	head_view(&a->head, &left);
	head_view(&b->head, &right);
	assert(left.status == right.status && left.content_length == right.content_length);
	assert(span_equal(left.content_type, right.content_type) && span_equal(left.request_id, right.request_id));
	assert(a->head.persistent == b->head.persistent);
	assert(a->framing.state == b->framing.state && a->rest == b->rest);
	assert(a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, split;
	if (size < 1)
		return 0;
	const char *bytes = (const char *)data + 1;
	size_t len = size - 1, step = data[0] % 17 + 1u;
	outcome_init(&whole, len);
	outcome_init(&split, len);
	outcome_feed(&whole, bytes, len);
	for (size_t at = 0; at < len; at += step)
		outcome_feed(&split, bytes + at, len - at < step ? len - at : step);
	compare(&whole, &split);
	outcome_fini(&whole);
	outcome_fini(&split);
	return 0;
}
