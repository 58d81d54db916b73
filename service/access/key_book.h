/* SPDX-License-Identifier: MIT */
/*
 * The keys of a store and what operators do to them: the store, the copy of it in memory, and the operations of `sluice
 * keys` and /admin/keys. Calls wait for the store: one thread's, which is no worker.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEY_BOOK_H
#define SLUICE_SERVICE_ACCESS_KEY_BOOK_H

#include "lib/errors.h"
#include "service/access/key_copy.h"

struct key_book;

/* Opens the store of options->config, which has one; it need not answer yet. NULL: out of memory. */
struct key_book *key_book_create(const struct key_store_options *options);
/* NULL is harmless. */
void key_book_destroy(struct key_book *book);

/* Reads what is new in the store; all: everything. False: key_book_why() says why, and the copy is as before. */
bool key_book_refresh(struct key_book *book, bool all);

/* Returns whether the last refresh was good, of those that operations begin with, too. */
bool key_book_answered(const struct key_book *book);

/* Returns the keys as of the last refresh, borrowed until the next call; NULL: the store was never read. */
struct key_copy *key_book_copy(const struct key_book *book);

/* Says in a line why the last call failed. */
const char *key_book_why(const struct key_book *book);

enum key_operation {
	KEY_LIST,   /* query: a KeysQuery; answers a KeyList */
	KEY_SHOW,   /* id; answers a Key */
	KEY_CREATE, /* body: a KeyCreateRequest; answers a ShownKey */
	KEY_CHANGE, /* id, body: a KeyChangeRequest; answers a Key */
	KEY_ROTATE, /* id, body: a KeyRotateRequest or nothing; answers a ShownKey */
	KEY_REVOKE  /* id; answers a Key */
};

/* One operation, and how it ended. */
struct key_task {
	enum key_operation operation;
	struct span id;   /* of the key; any text */
	struct span body; /* JSON text */
	struct span query;
	struct arena arena; /* of all texts below, and scratch */
	enum error_code error;
	struct span message; /* of an error; {NULL,0} = its own text */
	struct span param;   /* as of admin_answer */
	struct span details;
	struct buf answer; /* JSON text, with a new key in it where one was made */
};

/* operation: all else is empty. */
void key_task_init(struct key_task *task, enum key_operation operation);
/* Wipes what may hold a key. */
void key_task_fini(struct key_task *task);

/* Runs it. Changes are in the store, and in the copy, when it ends with ERROR_NONE. */
void key_book_run(struct key_book *book, struct key_task *task);

#endif
