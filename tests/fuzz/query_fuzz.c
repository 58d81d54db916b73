/* SPDX-License-Identifier: MIT */
/* Reading a query: either its values keep the rows' bounds, or each finding is one that can be sent. */
#include <assert.h>
#include <stdint.h>

#include "lib/json.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_findings(const struct findings *findings)
{
	struct arena arena;
	struct buf out;
	struct json json;
	struct json_error error;
	assert(findings->count > 0 && findings->count <= FINDINGS_MOST);
	arena_init(&arena, 0);
	buf_init(&out, 1 << 20);
	finding_write_all(&out, findings);
	assert(!buf_failed(&out) && json_parse(&json, &arena, buf_span(&out), 4, &error));
	assert(json.nodes[0].count == findings->count);
	for (size_t i = 0; i < findings->count; i++)
		assert(error_row(findings->list[i].code)->status == 400);
	buf_fini(&out);
	arena_fini(&arena);
}

static void check_values(const struct models_query *query)
{
	assert(query->limit.node == JSON_NONE || (query->limit.value >= 1 && query->limit.value <= 1000));
	assert(query->after.node == JSON_NONE || query->after.value.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct span text = {(const char *)data + 1, size - 1};
	struct arena arena;
	struct models_query query;
	struct findings findings;
	arena_init(&arena, (data[0] & 128) != 0 ? (size_t)(data[0] & 127) * 16 + 1 : 0);
	bool good = query_read(text, &models_query_fields, &arena, &query, &findings);
	if (arena_failed(&arena))
		assert(!good && findings.list[0].code == ERROR_OVERLOADED);
	else if (good)
		check_values(&query);
	else
		check_findings(&findings);
	arena_fini(&arena);
	return 0;
}
