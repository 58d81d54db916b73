/* SPDX-License-Identifier: MIT */
/*
 * Loading a configuration from a file or from memory: all of it or nothing.
 * tree.c reads the YAML, walk.c gives it meaning.
 */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>

#include "config/advice.h"
#include "config/walk.h"

/* The directory of a file, with a trailing slash; "" for none. */
static const char *directory_of(struct arena *arena, const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash == NULL ? "" : arena_copy(arena, (struct span){name, (size_t)(slash - name) + 1}).at;
}

/* Copies the advice among the findings into the snapshot. */
static void keep_advices(struct snapshot *snapshot, const struct findings *findings)
{
	struct arena *arena = &snapshot->arena;
	struct config_advice *advices = arena_zalloc(arena, findings->count + 1, sizeof(*advices));
	snapshot->config.advices = advices;
	for (size_t i = 0; advices != NULL && i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];
		if (finding->advice)
			advices[snapshot->config.advice_count++] =
			    (struct config_advice){finding->line, arena_copy(arena, span_of(finding->key)).at,
						   arena_copy(arena, span_of(finding->text)).at};
	}
}

/* Fills the snapshot; everything wrong goes to findings. */
static void load(struct snapshot *snapshot, struct span yaml, const char *name, struct findings *findings)
{
	struct arena *arena = &snapshot->arena;
	snapshot->config.file = arena_copy(arena, span_of(name)).at;
	const char *directory = directory_of(arena, name);
	const struct tree_node *root = tree_read(arena, yaml, findings);
	if (root == NULL)
		return;
	walk_file(snapshot, findings, directory == NULL ? "" : directory, root);
	advice_give(&snapshot->config, findings);
	keep_advices(snapshot, findings);
	if (findings->total == 0 && (arena_failed(arena) || !snapshot_seal(snapshot)))
		findings_add(findings, 0, NULL, "out of memory");
}

const struct config *config_load_text(struct span yaml, const char *name, struct buf *errors)
{
	struct findings findings;
	findings_init(&findings, name);
	struct snapshot *snapshot = snapshot_create();
	const struct config *config = snapshot == NULL ? NULL : &snapshot->config;
	if (snapshot == NULL)
		findings_add(&findings, 0, NULL, "out of memory");
	else
		load(snapshot, yaml, name, &findings);
	if (findings.total != 0) {
		findings_write(&findings, errors);
		config_drop(config);
		config = NULL;
	}
	findings_fini(&findings);
	return config;
}

/* Reads a whole file, up to one byte more than a configuration may have. */
static bool read_bytes(const char *path, struct buf *bytes)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	size_t got = 1;
	while (got != 0 && buf_len(bytes) <= TREE_BYTES_MAX) {
		char *at = buf_reserve(bytes, 1 << 16);
		if (at == NULL)
			break;
		got = fread(at, 1, 1 << 16, file);
		buf_commit(bytes, got);
	}
	int error = ferror(file) || buf_failed(bytes) ? (errno == 0 ? ENOMEM : errno) : 0;
	fclose(file);
	errno = error;
	return error == 0;
}

const struct config *config_load_file(const char *path, struct buf *errors)
{
	struct buf bytes;
	buf_init(&bytes, TREE_BYTES_MAX + (2 << 16));
	const struct config *config = NULL;
	errno = 0;
	if (read_bytes(path, &bytes))
		config = config_load_text(buf_span(&bytes), path, errors);
	else
		buf_printf(errors, "%s: the file cannot be read: %s\n", path, strerror(errno));
	buf_fini(&bytes);
	return config;
}

void config_write_advices(const struct config *config, struct buf *out)
{
	for (size_t i = 0; i < config->advice_count; i++)
		buf_printf(out, "%s:%u: %s: warning: %s\n", config->file, config->advices[i].line,
			   config->advices[i].key, config->advices[i].text);
}
