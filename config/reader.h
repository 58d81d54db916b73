/* SPDX-License-Identifier: MIT */
/* From a node of a document to the value of a key: its kind, what is expanded in it, its type and bounds. */
#ifndef SLUICE_CONFIG_READER_H
#define SLUICE_CONFIG_READER_H

#include "config/findings.h"
#include "config/keys.h"
#include "config/tree.h"
#include "config/values.h"

struct reader {
	struct arena *arena;
	struct findings *findings;
	struct config_secret **secrets; /* where those of the file are listed; NULL = there can be none */
	const char *directory;          /* where relative paths begin: "" or with a trailing slash */
	bool json;                      /* a client's JSON: nothing is expanded, and values have JSON's types */
};

/* "PATH.NAME", or NAME in a document itself; cut when it is too long. Returns place. */
enum { READER_PATH_MAX = 512 };
const char *reader_path(char place[READER_PATH_MAX], const char *path, struct span name);

/* "a list", or in JSON "an array". */
const char *reader_kind(const struct reader *reader, const struct tree_node *node);

/* False after adding a finding. path: of the node, for messages; NULL or "" = the document. */
bool reader_expect(const struct reader *reader, const char *path, const struct tree_node *node, enum tree_kind kind,
		   const struct key *key);

/*
 * Reads a scalar. A value is shown in a finding only when it came from the document as it stands:
 * never of a secret key, never after expansion. False after adding a finding.
 */
bool reader_value(const struct reader *reader, const char *path, const struct key *key, const struct tree_node *node,
		  struct value *value);

/* Reads one word of a key of WORDS, a list of them, or nothing, and sets a bit of *words for each by its place. */
void reader_words(const struct reader *reader, const char *path, const struct key *key, const struct tree_node *node,
		  unsigned *words);

/* Puts a value where its row says. owner: the struct that the row names. */
void reader_store(const struct key *key, void *owner, const struct value *value);

/* A finding for every key that a mapping has again. path: the mapping's. */
void reader_refuse_duplicates(const struct reader *reader, const char *path, const struct tree_node *mapping);

#endif
