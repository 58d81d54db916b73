/* SPDX-License-Identifier: MIT */
/* Models in OpenAI's form; models_write.h holds the contract. */
#include "schemas/openai/models_write.h"

#include "lib/json_write.h"

void openai_model_write(struct buf *out, struct span name)
{
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, name);
	buf_append(out, SPAN(",\"object\":\"model\",\"created\":0,\"owned_by\":\"sluice\"}"));
}

void openai_models_begin(struct buf *out)
{
	buf_append(out, SPAN("{\"object\":\"list\",\"data\":["));
}
