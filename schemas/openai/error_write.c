/* SPDX-License-Identifier: MIT */
/* Errors as clients of the OpenAI dialect receive them; error_write.h holds the contract. */
#include "schemas/openai/error_write.h"

#include "lib/json_edit.h"
#include "lib/json_write.h"
#include "schemas/event.h"

bool openai_error_add_details(struct span body, struct span details, struct arena *scratch, struct buf *out)
{
	struct json json;
	if (!event_parse(body, scratch, &json))
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

void openai_error_write_object(struct buf *out, const struct error_told *told)
{
	buf_append(out, SPAN("{\"message\":"));
	json_write_string(out, error_message(told));
	buf_append(out, SPAN(",\"type\":"));
	json_write_string(out, span_of(error_row(told->code)->type));
	error_write_members(out, told);
	buf_append(out, SPAN("}"));
}

void openai_error_write(struct buf *out, const struct error_told *told)
{
	buf_append(out, SPAN("{\"error\":"));
	openai_error_write_object(out, told);
	buf_append(out, SPAN("}"));
}
