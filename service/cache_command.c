/* SPDX-License-Identifier: MIT */
/* `sluice cache key`: why a request hits or misses; cache_command.h holds the contract. */
#include "service/cache_command.h"

#include "schemas/dialect.h"
#include "schemas/operations.h"
#include "service/cache/eligible.h"
#include "service/cache/key.h"

static enum endpoint endpoint_of(struct span body, unsigned depth, struct arena *arena)
{
	struct json json;
	struct json_error error;
	if (!json_parse(&json, arena, body, depth, &error) || json_type(&json, 0) != JSON_OBJECT)
		return ENDPOINT_CHAT;
	if (json_member(&json, 0, "input") != JSON_NONE)
		return ENDPOINT_EMBEDDINGS;
	return json_member(&json, 0, "prompt") != JSON_NONE ? ENDPOINT_COMPLETIONS : ENDPOINT_CHAT;
}

/* The canonical form and the key that it makes. */
static bool write_key(const struct key_parts *parts, struct buf *out)
{
	struct cache_key key;
	if (!cache_key_compute(parts, &key))
		return false;
	buf_append(out, SPAN("canonical: "));
	buf_append(out, parts->canonical);
	buf_append(out, SPAN("\nkey:       "));
	cache_key_write(&key, out);
	buf_append(out, SPAN("\n"));
	return true;
}

/* A key for each input of embeddings. */
static bool write_input_keys(const struct embedding_inputs *inputs, struct key_parts *parts, struct arena *arena,
			     struct buf *canonical, struct buf *out)
{
	const struct dialect_embeddings *wire = parts->request->dialect->embeddings;
	struct embedding_frame frame;
	uint32_t *nodes = arena_zalloc(arena, inputs->count, sizeof(*nodes));
	bool done = nodes != NULL && wire->frame_make(parts->request, arena, &frame);
	if (done)
		wire->inputs_list(inputs, nodes);
	for (size_t i = 0; i < inputs->count && done; i++) {
		buf_reset(canonical);
		wire->input_write_canonical(&frame, inputs, nodes[i], arena, canonical);
		parts->canonical = buf_span(canonical);
		done = !buf_failed(canonical) && !arena_failed(arena) && write_key(parts, out);
	}
	return done;
}

static bool write_keys(struct key_parts *parts, struct arena *arena, struct buf *out)
{
	struct buf canonical;
	struct embedding_inputs inputs;
	bool done = false;
	buf_init(&canonical, parts->request->json.text.len * 6 + 64);
	if (parts->request->endpoint == ENDPOINT_EMBEDDINGS &&
	    parts->request->dialect->embeddings->inputs_read(parts->request, &inputs)) {
		done = write_input_keys(&inputs, parts, arena, &canonical, out);
	} else {
		parts->request->dialect->write_canonical(parts->request, arena, &canonical);
		parts->canonical = buf_span(&canonical);
		done = !buf_failed(&canonical) && !arena_failed(arena) && write_key(parts, out);
	}
	buf_fini(&canonical);
	return done;
}

static bool write_verdict(const struct config_model *model, const struct request *request, struct span tenant,
			  struct arena *arena, struct buf *out)
{
	struct key_parts parts = {.tenant = tenant, .model = model, .request = request};
	const char *why_not = cache_ineligible(request, &model->cache);
	buf_printf(out,
		   "cached:    %s%s\nplan:      ", why_not == NULL ? "yes" : "no: ", why_not == NULL ? "" : why_not);
	cache_key_write_plan(model->plan, out);
	buf_append(out, SPAN("\n"));
	return write_keys(&parts, arena, out);
}

static bool explain(const struct config *config, struct span body, struct span tenant, struct arena *arena,
		    struct buf *out)
{
	struct request request = {.dialect = operation_row(OPERATION_CHAT)->dialect,
				  .endpoint = endpoint_of(body, config->limits.json.depth, arena)};
	struct findings findings = {.count = 0};
	if (!request.dialect->request_decode(&request, arena, body, &config->limits.json, &findings)) {
		for (size_t i = 0; i < findings.count; i++)
			buf_printf(out, "%.*s\n", SPAN_ARG(findings.list[i].message));
		return false;
	}
	const struct config_model *model = config_find_model(config, request.model);
	if (model != NULL)
		return write_verdict(model, &request, tenant, arena, out);
	buf_printf(out, "the model \"%.*s\" is not in %s\n", SPAN_ARG(request.model), config->file);
	return false;
}

bool cache_command_key(const struct config *config, struct span body, struct span tenant, struct buf *out)
{
	struct arena arena;
	arena_init(&arena, 0);
	bool explained = explain(config, body, tenant, &arena, out);
	arena_fini(&arena);
	return explained;
}
