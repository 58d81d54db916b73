/* SPDX-License-Identifier: MIT */
/* Store and file of the record of use; usage_check.h lists the rules. */
#include "config/usage_check.h"

/* A finding at usage.file, at the line of usage when it lacks the key. */
static void refuse(const struct reader *reader, const struct tree_node *root, const char *text)
{
	findings_add(reader->findings, tree_line(tree_member(root, "usage"), "file"), "usage.file", "%s", text);
}

void usage_check(const struct reader *reader, const struct tree_node *root, const struct config *config)
{
	const struct config_usage *usage = &config->usage;
	if (usage->store == CONFIG_USAGE_SQLITE && usage->file == NULL)
		refuse(reader, root, "missing; expected the path of the SQLite file, such as usage.db");
	if (usage->store != CONFIG_USAGE_SQLITE && usage->file != NULL)
		refuse(reader, root, "no store is in a file; expected store: sqlite beside it");
	if (usage->file != NULL && config->auth.file != NULL && strcmp(usage->file, config->auth.file) == 0)
		refuse(reader, root, "it is auth.file, too; expected a file of its own");
	if (usage->store == CONFIG_USAGE_REDIS && !config_redis_is_used(&config->redis))
		findings_add(reader->findings, tree_line(tree_member(root, "usage"), "store"), "usage.store",
			     "it is redis, and there is none; expected servers or unix in \"redis\", or store: sqlite");
}
