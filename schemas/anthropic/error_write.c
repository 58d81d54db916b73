/* SPDX-License-Identifier: MIT */
/* Errors of the Anthropic dialect; error_write.h holds the contract. */
#include "schemas/anthropic/error_write.h"

#include "lib/json_write.h"

/* The first of a type is the status that it stands for. */
static const struct {
	int status;
	struct span type;
} types[] = {
    {400, SPAN_INIT("invalid_request_error")}, {401, SPAN_INIT("authentication_error")},
    {402, SPAN_INIT("billing_error")},         {403, SPAN_INIT("permission_error")},
    {404, SPAN_INIT("not_found_error")},       {413, SPAN_INIT("request_too_large")},
    {429, SPAN_INIT("rate_limit_error")},      {500, SPAN_INIT("api_error")},
    {504, SPAN_INIT("timeout_error")},         {529, SPAN_INIT("overloaded_error")},
    {503, SPAN_INIT("overloaded_error")},
};

int anthropic_error_status(struct span type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_equal(types[i].type, type))
			return types[i].status;
	return 0;
}

/* Returns the word that Anthropic has for a status. */
static struct span type_of(int status)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].status == status)
			return types[i].type;
	return status < 500 ? SPAN("invalid_request_error") : SPAN("api_error");
}

void anthropic_error_write_object(struct buf *out, const struct error_told *told)
{
	int status = told->status == 0 ? error_row(told->code)->status : told->status;
	buf_append(out, SPAN("{\"type\":"));
	json_write_string(out, type_of(status));
	buf_append(out, SPAN(",\"message\":"));
	json_write_string(out, error_message(told));
	error_write_members(out, told);
	buf_append(out, SPAN("}"));
}

void anthropic_error_write(struct buf *out, const struct error_told *told)
{
	buf_append(out, SPAN("{\"type\":\"error\",\"error\":"));
	anthropic_error_write_object(out, told);
	if (told->request_id.at != NULL) {
		buf_append(out, SPAN(",\"request_id\":"));
		json_write_string(out, told->request_id);
	}
	buf_append(out, SPAN("}"));
}
