/* SPDX-License-Identifier: MIT */
/* The names of keys in Redis, made and read; remote.h tells what there is under them. */
#ifndef SLUICE_SERVICE_CACHE_REMOTE_NAME_H
#define SLUICE_SERVICE_CACHE_REMOTE_NAME_H

#include "lib/buf.h"
#include "service/cache/cache_key.h"
#include "service/cache/store.h"

struct remote;

/* Room for the name of any key. */
enum { REMOTE_PREFIX_MOST = 64, REMOTE_NAME_SIZE = REMOTE_PREFIX_MOST + 224 };

struct remote_name {
	char text[REMOTE_NAME_SIZE];
	size_t len;
};

/* The name of the answer of that key. */
struct remote_name remote_answer_name(const struct remote *remote, const struct store_tags *tags,
				      const struct cache_key *key);

/* Appends to a name, which must have room for it. */
void remote_name_add(struct remote_name *name, struct span text);

static inline struct span remote_name_span(const struct remote_name *name)
{
	return (struct span){name->text, name->len};
}

/* Which answers are wanted: hashes as in their names, what has no has_ is any. */
struct remote_wanted {
	bool has_key, has_model, has_tenant;
	struct cache_key key;
	uint64_t model, tenant;
};

/* Appends them as MODEL:TENANT:{KEY} in hexadecimal, each of which is "*" for any, as in names; and reads that. False
 * when it is something else. */
void remote_wanted_write(const struct remote_wanted *wanted, struct buf *text);
bool remote_wanted_read(struct span text, struct remote_wanted *wanted);

/* The pattern (of SCAN) of the names of those answers. */
struct remote_name remote_pattern(const struct remote *remote, const struct remote_wanted *wanted);

/* What an answer's name says of it. False when it is none, or when its model is not configured here. */
bool remote_read_name(const struct remote *remote, struct span name, struct store_tags *tags);

/* A model by how names say it: the number of the one that stands for it. False when there is none. */
bool remote_find_model(const struct remote *remote, uint64_t hash, uint32_t *model);

/* How names say the model of that number (models.h). */
uint64_t remote_model(const struct remote *remote, uint32_t model);

#endif
