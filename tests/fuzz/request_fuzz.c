/* SPDX-License-Identifier: MIT */
/* Decoding a request of any endpoint: either it holds what it promises, or the finding tells why not. */
#include <assert.h>
#include <stdint.h>

#include "lib/json_write.h"
#include "schemas/openai_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_finding(const struct finding *finding)
{
	struct arena arena;
	struct buf out;
	struct json json;
	struct json_error error;
	int status = error_row(finding->code)->status;
	assert(status == 400 && finding->message.at != NULL && finding->message.len < 1000);
	assert(finding->param.at == NULL || finding->param.len > 0);
	arena_init(&arena, 0);
	buf_init(&out, 1 << 20);
	error_write_openai(&out, finding->code, finding->message, finding->param);
	assert(!buf_failed(&out) && json_parse(&json, &arena, buf_span(&out), 2, &error));
	buf_fini(&out);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct span body = {(const char *)data + 1, size - 1};
	struct arena arena;
	struct openai_request request;
	struct finding finding;
	arena_init(&arena, (data[0] & 128) != 0 ? (size_t)(data[0] & 127) * 64 + 1 : 0);
	if (openai_request_decode(&request, (enum openai_endpoint)(data[0] % 3), &arena, body, 16, &finding))
		assert(request.model.len > 0 && request.n >= 1 && request.n <= 128);
	else if (arena_failed(&arena))
		assert(finding.code != ERROR_NONE);
	else
		check_finding(&finding);
	arena_fini(&arena);
	return 0;
}
