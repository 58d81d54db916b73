/* SPDX-License-Identifier: MIT */
/* Models that a key may not use; reading.h holds the contract. */
#include "lib/buf.h"
#include "service/exchange/reading.h"

enum { SCOPE_TEXT_MOST = 2048, NAME_SHOWN = 256 };

/* "demo, gpt-*" */
static void write_patterns(struct buf *out, const struct config_key *key)
{
	for (size_t i = 0; i < key->model_count; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : ", ", key->models[i]);
}

void reading_refuse_model(struct findings *findings, const struct config_key *holder, struct span model,
			  struct span param, struct arena *arena)
{
	struct buf text;
	buf_init(&text, SCOPE_TEXT_MOST);
	if (model.len > NAME_SHOWN)
		model.len = NAME_SHOWN;
	buf_printf(&text, "The %s %s may not use the model `%.*s`: its scope %s ",
		   holder->hash == NULL ? "token of" : "key", holder->name, SPAN_ARG(model),
		   holder->hash == NULL ? "allows" : "`models` has");
	write_patterns(&text, holder);
	buf_append(&text, SPAN("."));
	struct finding finding = {.code = ERROR_KEY_SCOPE, .param = param};
	if (!buf_failed(&text)) /* else there are so many patterns that the error's own text must do */
		finding.message = arena_copy(arena, buf_span(&text));
	finding_only(findings, finding);
	buf_fini(&text);
}
