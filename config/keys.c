/* SPDX-License-Identifier: MIT */
/* The table of keys in memory, and looking keys up by section and name. */
#include "config/keys.h"

#include "config/config.h"

#define REQUIRED KEY_REQUIRED
#define SHORT KEY_SHORT

const struct key keys_table[] = {
#define GROUP(path_, type_, flags_, text_) {.path = (path_), .type = KEY_##type_, .flags = (flags_), .text = (text_)},
#define KEY(path_, type_, owner_, member_, standard_, least_, most_, words_, flags_, text_) \
	{                                                                                   \
	    .path = (path_),                                                                \
	    .type = KEY_##type_,                                                            \
	    .owner = KEY_OF_##owner_,                                                       \
	    .offset = offsetof(struct owner_, member_),                                     \
	    .standard = (standard_),                                                        \
	    .least = (least_),                                                              \
	    .most = (most_),                                                                \
	    .words = (words_),                                                              \
	    .flags = (flags_),                                                              \
	    .text = (text_),                                                                \
	},
#include "config/keys.def"
};

const size_t keys_count = sizeof(keys_table) / sizeof(keys_table[0]);

const char *key_leaf(const struct key *key)
{
	const char *dot = strrchr(key->path, '.');
	return dot == NULL ? key->path : dot + 1;
}

bool key_is_in(const struct key *key, const char *section)
{
	size_t parent = (size_t)(key_leaf(key) - key->path);
	if (parent != 0)
		parent--; /* the dot */
	return parent == strlen(section) && memcmp(key->path, section, parent) == 0;
}

const struct key *key_find(const char *section, struct span name)
{
	for (size_t i = 0; i < keys_count; i++)
		if (key_is_in(&keys_table[i], section) && span_is(name, key_leaf(&keys_table[i])))
			return &keys_table[i];
	return NULL;
}

bool key_next_word(const char **at, struct span *word)
{
	if (*at == NULL)
		return false;
	const char *space = strchr(*at, ' ');
	*word = (struct span){*at, space == NULL ? strlen(*at) : (size_t)(space - *at)};
	*at = space == NULL ? NULL : space + 1;
	return true;
}
