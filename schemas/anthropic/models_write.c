/* SPDX-License-Identifier: MIT */
/* Models in Anthropic's form; models_write.h holds the contract. */
#include "schemas/anthropic/models_write.h"

#include "lib/json_write.h"

/* Models are configured, not released: the day is the one that Anthropic documents for an unknown date. */
void anthropic_model_write(struct buf *out, struct span name)
{
	buf_append(out, SPAN("{\"type\":\"model\",\"id\":"));
	json_write_string(out, name);
	buf_append(out, SPAN(",\"display_name\":"));
	json_write_string(out, name);
	buf_append(out, SPAN(",\"created_at\":\"1970-01-01T00:00:00Z\"}"));
}

void anthropic_models_begin(struct buf *out)
{
	buf_append(out, SPAN("{\"data\":["));
}
