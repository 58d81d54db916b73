/* SPDX-License-Identifier: MIT */
/* The errors that backends tell, in the several forms they use. */
#include "lib/json_edit.h"
#include "schemas/openai_answer.h"
#include "schemas/openai_internal.h"

static const struct span no_text = {NULL, 0};

/* The non-empty string member key of the object at object; {NULL,0} when there is none. */
static struct span string_member(const struct json *json, uint32_t object, const char *key, struct arena *arena)
{
	uint32_t value = json_member(json, object, key);
	if (value == JSON_NONE || json_type(json, value) != JSON_STRING || !openai_is_filled(json, value))
		return no_text;
	return json_string(json, value, arena);
}

struct span openai_error_text(const struct json *json, uint32_t node, struct arena *arena)
{
	if (json_type(json, node) == JSON_STRING)
		return json_string(json, node, arena);
	struct span message = string_member(json, node, "message", arena);
	return message.at != NULL ? message : json_raw(json, node);
}

static int status_member(const struct json *json, uint32_t object, const char *key)
{
	int64_t status = 0;
	uint32_t value = json_member(json, object, key);
	if (value == JSON_NONE || !json_int(json, value, &status) || status < 400 || status > 599)
		return 0;
	return (int)status;
}

int openai_error_status(const struct json *json, uint32_t node)
{
	int status = status_member(json, node, "code");
	if (status == 0)
		status = status_member(json, node, "status");
	return status != 0 ? status : status_member(json, 0, "status");
}

/* FastAPI's form: a string, or an array of objects with "msg". */
static struct span detail_text(const struct json *json, struct arena *arena)
{
	struct span text = string_member(json, 0, "detail", arena);
	uint32_t detail = json_member(json, 0, "detail");
	if (text.at != NULL || detail == JSON_NONE)
		return text;
	if (json_type(json, detail) == JSON_OBJECT)
		return string_member(json, detail, "message", arena);
	uint32_t first = json_first(json, detail);
	return first == JSON_NONE ? no_text : string_member(json, first, "msg", arena);
}

struct span openai_error_message(struct span body, struct arena *arena)
{
	struct json json;
	if (!openai_read_object(&json, arena, body))
		return no_text;
	struct span text = string_member(&json, 0, "error", arena);
	uint32_t error = json_member(&json, 0, "error");
	if (text.at == NULL && error != JSON_NONE)
		text = string_member(&json, error, "message", arena);
	if (text.at == NULL)
		text = string_member(&json, 0, "message", arena);
	return text.at != NULL ? text : detail_text(&json, arena);
}

bool openai_error_add_details(struct span body, struct span details, struct arena *scratch, struct buf *out)
{
	struct json json;
	if (!openai_read_object(&json, scratch, body))
		return false;
	uint32_t error = json_member(&json, 0, "error");
	if (error == JSON_NONE || json_type(&json, error) != JSON_OBJECT || json.nodes[error].count == 0 ||
	    json_member(&json, error, "details") != JSON_NONE)
		return false;
	struct json_edit edit = json_edit_start(&json, out);
	json_edit_insert_last(&edit, error, "details");
	buf_append(out, details);
	json_edit_finish(&edit);
	return true;
}
