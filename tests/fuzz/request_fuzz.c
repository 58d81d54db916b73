/* SPDX-License-Identifier: MIT */
/*
 * Decoding a request of any endpoint, as a fan-out and as Messages: either it holds what it promises, or the finding
 * tells why not.
 */
#include <assert.h>
#include <stdint.h>

#include "lib/json_write.h"
#include "schemas/dialect.h"
#include "schemas/error_body.h"
#include "schemas/fanout_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_finding(const struct finding *finding)
{
	int status = error_row(finding->code)->status;
	assert(status == 400 && finding->message.at != NULL && finding->message.len < 1000);
	assert(finding->param.at == NULL || finding->param.len > 0);
}

/* What a client is told of them is JSON in both forms. */
static void check_answer(const struct findings *findings)
{
	const struct finding *first = &findings->list[0];
	for (enum error_form form = ERROR_FORM_DIALECT; form <= ERROR_FORM_PROBLEM; form++) {
		struct arena arena;
		struct buf details, out;
		struct json json;
		struct json_error error;
		arena_init(&arena, 0);
		buf_init(&details, 1 << 20);
		buf_init(&out, 1 << 20);
		finding_write_all(&details, findings);
		error_write(&out, form, NULL,
			    &(struct error_told){.code = first->code,
						 .message = first->message,
						 .param = first->param,
						 .details = buf_span(&details)});
		assert(!buf_failed(&details) && !buf_failed(&out));
		assert(json_parse(&json, &arena, buf_span(&out), 16 + 8, &error));
		buf_fini(&out);
		buf_fini(&details);
		arena_fini(&arena);
	}
}

static void check_findings(const struct findings *findings)
{
	assert(findings->count > 0 && findings->count <= FINDINGS_MOST);
	for (size_t i = 0; i < findings->count; i++)
		check_finding(&findings->list[i]);
	check_answer(findings);
}

/* What the tables of a fan-out let pass, those of a chat completion let pass, too. */
static void check_fanout(struct span body, size_t arena_limit)
{
	struct arena arena;
	struct fanout_request fanout;
	struct request request;
	struct findings findings;
	arena_init(&arena, arena_limit);
	if (fanout_request_decode(&fanout, &request, &arena, body, &JSON_DEPTH(16), &findings)) {
		assert(span_is(request.model, FANOUT_MODEL) && request.stream == fanout.fields.stream.value);
		assert(!request.include_usage && request.choices >= 1);
	} else if (arena_failed(&arena)) {
		assert(findings.count > 0);
	} else {
		check_findings(&findings);
	}
	arena_fini(&arena);
}

/* A Messages request becomes a chat request, whatever it holds; and what it is measured as is never more than it is. */
static void check_messages(struct span body, size_t arena_limit)
{
	const struct dialect *dialect = dialect_by_field(SPAN("anthropic-version"));
	struct arena arena;
	struct request request = {.endpoint = ENDPOINT_CHAT};
	struct findings findings;
	struct input_size size;
	arena_init(&arena, arena_limit);
	if (dialect->request_decode(&request, &arena, body, &JSON_DEPTH(16), &findings))
		assert(request.dropped != NULL && request.model.len > 0 && request.json.text.len > 0);
	else
		assert(findings.count > 0);
	arena_fini(&arena);
	arena_init(&arena, arena_limit);
	if (dialect->count_read(body, &JSON_DEPTH(16), NULL, &arena, &findings, &size))
		assert(size.model.len > 0 && size.text + size.documents <= body.len);
	else if (arena_failed(&arena))
		assert(findings.count > 0);
	else
		check_findings(&findings);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct span body = {(const char *)data + 1, size - 1};
	struct arena arena;
	struct request request;
	struct findings findings;
	size_t limit = (data[0] & 128) != 0 ? (size_t)(data[0] & 127) * 64 + 1 : 0;
	check_fanout(body, limit);
	check_messages(body, limit);
	arena_init(&arena, limit);
	bool good =
	    openai_request_decode(&request, (enum endpoint)(data[0] % 3), &arena, body, &JSON_DEPTH(16), &findings);
	if (good)
		assert(request.model.len > 0 && request.choices >= 1);
	if (good && openai_request_check_strict(&request, &arena, &findings))
		assert(findings.count == 0);
	else if (arena_failed(&arena))
		assert(findings.count > 0);
	else
		check_findings(&findings);
	arena_fini(&arena);
	return 0;
}
