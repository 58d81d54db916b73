/* SPDX-License-Identifier: MIT */
/* What commands have in common; command.h holds the contract. */
#include "service/command.h"

void command_print(FILE *stream, struct buf *text)
{
	struct span span = buf_span(text);
	fwrite(span.at, 1, span.len, stream);
	buf_reset(text);
}

const struct config *command_load(const char *path, struct buf *text)
{
	const struct config *config =
	    path == NULL ? config_load_text(config_demo_yaml(), "(embedded)", text) : config_load_file(path, text);
	if (config == NULL)
		command_print(stderr, text);
	return config;
}
