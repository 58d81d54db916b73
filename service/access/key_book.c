/* SPDX-License-Identifier: MIT */
/* The copy of a store, read from time to time; key_book.h holds the contract. key_task.c has the operations. */
#include "service/access/key_book_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "lib/log.h"

/* Keys as they are read. */
struct gathering {
	struct stored_key **keys;
	size_t count, room;
	bool failed;                 /* out of memory */
	size_t unread;               /* records that are none of this build's */
	char why[KEY_STORE_WHY_MAX]; /* the first of them */
};

static bool make_room(struct gathering *gathering)
{
	size_t room = gathering->room == 0 ? 64 : gathering->room * 2;
	if (gathering->count < gathering->room)
		return true;
	struct stored_key **keys = realloc(gathering->keys, room * sizeof(struct stored_key *));
	if (keys == NULL)
		return false;
	gathering->keys = keys;
	gathering->room = room;
	return true;
}

/* A record that cannot be read stands for no key: what it would allow is not known. */
static void on_item(void *context, const struct key_store_item *item)
{
	struct gathering *gathering = context;
	struct buf why;
	char text[KEY_STORE_WHY_MAX];
	buf_init_over(&why, text, sizeof(text));
	struct stored_key *key = stored_key_create(item, &why);
	if (key != NULL && make_room(gathering)) {
		gathering->keys[gathering->count++] = key;
		return;
	}
	gathering->failed = gathering->failed || key != NULL;
	if (key == NULL && gathering->unread++ == 0)
		snprintf(gathering->why, sizeof(gathering->why), "%.*s", SPAN_ARG(buf_span(&why)));
	stored_key_drop(key);
}

static void log_unread(const struct gathering *gathering)
{
	struct log_line line;
	if (gathering->unread == 0)
		return;
	log_begin(&line, LOG_ERROR, "keys of the store cannot be read");
	log_int(&line, "keys", (int64_t)gathering->unread);
	log_str(&line, "error", span_of(gathering->why));
	log_end(&line);
}

static void drop_gathered(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->count; i++)
		stored_key_drop(gathering->keys[i]);
	gathering->count = 0;
}

/* Takes what was gathered. since 0: nothing else is there. */
static bool take(struct key_book *book, struct gathering *gathering, uint64_t since)
{
	struct key_copy *copy = NULL;
	if (gathering->failed) {
		drop_gathered(gathering);
	} else {
		copy = key_copy_create(since == 0 ? NULL : book->copy, gathering->keys, gathering->count);
		gathering->count = 0;
	}
	if (copy == NULL) {
		snprintf(book->why, sizeof(book->why), "out of memory");
		return false;
	}
	key_copy_drop(book->copy);
	book->copy = copy;
	return true;
}

/* Keys are never removed: a store that has lost all of them is no store of ours any more. */
static bool is_lost(struct key_book *book, uint64_t version)
{
	bool lost = version == 0 && book->version > 0;
	if (lost)
		snprintf(book->why, sizeof(book->why), "the store is empty, and had %zu keys", book->copy->count);
	return lost;
}

static bool read_since(struct key_book *book, uint64_t since)
{
	struct gathering gathering = {.count = 0};
	uint64_t version = 0;
	bool good = key_store_read(book->store, since, on_item, &gathering, &version);
	bool back = good && version < since; /* nothing was gathered */
	if (!good)
		snprintf(book->why, sizeof(book->why), "%s", key_store_why(book->store));
	good = good && !is_lost(book, version);
	if (good && !back)
		log_unread(&gathering);
	if (good && !back && (gathering.count > 0 || since == 0))
		good = take(book, &gathering, since);
	drop_gathered(&gathering);
	free(gathering.keys);
	if (!good)
		return false;
	if (back)
		return read_since(book, 0);
	book->version = version;
	return true;
}

bool key_book_refresh(struct key_book *book, bool all)
{
	book->answered = read_since(book, all ? 0 : book->version);
	return book->answered;
}

bool key_book_answered(const struct key_book *book)
{
	return book->answered;
}

struct key_copy *key_book_copy(const struct key_book *book)
{
	return book->copy;
}

const char *key_book_why(const struct key_book *book)
{
	return book->why;
}

struct key_book *key_book_create(const struct key_store_options *options)
{
	struct key_book *book = calloc(1, sizeof(*book));
	if (book == NULL)
		return NULL;
	book->config = options->config;
	book->hmac = hmac_create_of(options->config->auth.pepper);
	book->store = key_store_create(options);
	if (book->hmac != NULL && book->store != NULL)
		return book;
	key_book_destroy(book);
	return NULL;
}

void key_book_destroy(struct key_book *book)
{
	if (book == NULL)
		return;
	hmac_destroy(book->hmac);
	key_store_destroy(book->store);
	key_copy_drop(book->copy);
	free(book);
}
