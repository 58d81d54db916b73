/* SPDX-License-Identifier: MIT */
/* What is wrong with a query of the service's own operations, told in the form of all errors. */
#include "lib/json_write.h"
#include "service/admin/admin.h"

enum { DETAILS_BYTES_MAX = 64 * 1024 };

void admin_refuse_findings(const struct admin_request *request, struct admin_answer *answer,
			   const struct findings *findings)
{
	const struct finding *first = &findings->list[0];
	struct buf details;
	buf_init(&details, DETAILS_BYTES_MAX);
	finding_write_all(&details, findings);
	answer->error = first->code;
	answer->param = first->param;
	buf_append(&answer->body, first->message);
	if (first->loc.at != NULL && !buf_failed(&details))
		answer->details = arena_copy(request->arena, buf_span(&details));
	buf_fini(&details);
}

void admin_find_unknown(const struct admin_request *request, const char *name, struct span value,
			struct findings *findings)
{
	struct buf input;
	buf_init(&input, DETAILS_BYTES_MAX);
	json_write_string(&input, value);
	finding_only(findings, (struct finding){
				   .code = ERROR_MODEL_NOT_FOUND,
				   .message = arena_printf(request->arena, "%s must be the id of a listed model", name),
				   .param = span_of(name),
				   .loc = arena_printf(request->arena, "[\"query\",\"%s\"]", name),
				   .input = buf_failed(&input) ? (struct span){NULL, 0}
							       : arena_copy(request->arena, buf_span(&input))});
	buf_fini(&input);
}
