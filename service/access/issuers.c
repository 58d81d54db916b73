/* SPDX-License-Identifier: MIT */
/* One cell for each issuer under one lock, which is taken when sets change and when workers take them over; issuers.h
 * holds the contract. */
#include "service/access/issuers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"

enum { NOTES_MOST = 16 * 1024 };

struct issuer_cell {
	struct jwk_set *keys;   /* NULL = none yet */
	atomic_uint generation; /* of keys; 0 = none yet */
	atomic_bool wanted;     /* the fetcher was woken, and has not looked since */
};

struct issuers {
	pthread_mutex_t lock;
	struct issuers_fetcher fetcher;
	size_t count;
	struct issuer_cell cells[];
};

/* ---- files ---- */

/* Reads up to one byte more than a set may have. */
static bool read_file(const char *path, struct buf *text)
{
	FILE *file = fopen(path, "re");
	char *room = buf_reserve(text, JWK_SET_BYTES_MAX + 1);
	if (file != NULL && room != NULL)
		buf_commit(text, fread(room, 1, JWK_SET_BYTES_MAX + 1, file));
	bool good = file != NULL && room != NULL && !ferror(file);
	if (file != NULL)
		fclose(file);
	return good;
}

/* Logs the keys of a file that cannot be used; the others are. */
static void log_notes(const struct config_issuer *issuer, struct span notes)
{
	struct log_line line;
	if (notes.len == 0)
		return;
	log_begin(&line, LOG_WARN, "some keys of an issuer cannot be used");
	log_str(&line, "issuer", span_of(issuer->name));
	log_str(&line, "file", span_of(issuer->keys));
	log_str(&line, "keys", notes);
	log_end(&line);
}

static bool read_keys(struct issuers *issuers, size_t index, const struct config *config, struct buf *errors)
{
	const struct config_issuer *issuer = &config->auth.issuers[index];
	struct jwk_set *set = NULL;
	struct buf text, notes;
	buf_init(&text, JWK_SET_BYTES_MAX + 1);
	buf_init(&notes, NOTES_MOST);
	errno = 0;
	if (!read_file(issuer->keys, &text))
		buf_printf(&notes, "%s\n", strerror(errno == 0 ? ENOMEM : errno));
	else
		set = jwk_set_read(buf_span(&text), &notes);
	if (set == NULL)
		buf_printf(errors, "%s:%u: auth.jwt.%s.keys: %.*s", config->file, issuer->line, issuer->name,
			   SPAN_ARG(buf_span(&notes)));
	else
		log_notes(issuer, buf_span(&notes));
	buf_fini(&text);
	buf_fini(&notes);
	if (set != NULL)
		issuers_replace(issuers, index, set);
	return set != NULL;
}

struct issuers *issuers_create(const struct config *config, struct buf *errors)
{
	size_t count = config->auth.issuer_count;
	struct issuers *issuers = calloc(1, sizeof(*issuers) + count * sizeof(issuers->cells[0]));
	bool good = true;
	if (issuers == NULL)
		return NULL;
	pthread_mutex_init(&issuers->lock, NULL);
	issuers->count = count;
	for (size_t i = 0; i < count; i++) /* all of them, so that one run reports everything */
		if (config->auth.issuers[i].keys != NULL)
			good = read_keys(issuers, i, config, errors) && good;
	if (good)
		return issuers;
	issuers_destroy(issuers);
	return NULL;
}

void issuers_destroy(struct issuers *issuers)
{
	if (issuers == NULL)
		return;
	for (size_t i = 0; i < issuers->count; i++)
		jwk_set_drop(issuers->cells[i].keys);
	pthread_mutex_destroy(&issuers->lock);
	free(issuers);
}

/* ---- sets ---- */

unsigned issuers_generation(const struct issuers *issuers, size_t index)
{
	return atomic_load_explicit(&issuers->cells[index].generation, memory_order_acquire);
}

struct jwk_set *issuers_keys(struct issuers *issuers, size_t index, unsigned *generation)
{
	struct issuer_cell *cell = &issuers->cells[index];
	pthread_mutex_lock(&issuers->lock);
	struct jwk_set *set = cell->keys == NULL ? NULL : jwk_set_hold(cell->keys);
	*generation = atomic_load_explicit(&cell->generation, memory_order_relaxed);
	pthread_mutex_unlock(&issuers->lock);
	return set;
}

void issuers_replace(struct issuers *issuers, size_t index, struct jwk_set *set)
{
	struct issuer_cell *cell = &issuers->cells[index];
	pthread_mutex_lock(&issuers->lock);
	struct jwk_set *before = cell->keys;
	cell->keys = set;
	unsigned next = atomic_load_explicit(&cell->generation, memory_order_relaxed) + 1;
	atomic_store_explicit(&cell->generation, next == 0 ? 1 : next, memory_order_release);
	pthread_mutex_unlock(&issuers->lock);
	jwk_set_drop(before);
}

/* ---- wishes ---- */

void issuers_set_fetcher(struct issuers *issuers, struct issuers_fetcher fetcher)
{
	pthread_mutex_lock(&issuers->lock);
	issuers->fetcher = fetcher;
	pthread_mutex_unlock(&issuers->lock);
}

void issuers_want(struct issuers *issuers, size_t index)
{
	if (atomic_exchange_explicit(&issuers->cells[index].wanted, true, memory_order_acq_rel))
		return;
	pthread_mutex_lock(&issuers->lock);
	if (issuers->fetcher.on_want != NULL)
		issuers->fetcher.on_want(issuers->fetcher.context, index);
	pthread_mutex_unlock(&issuers->lock);
}

void issuers_looked(struct issuers *issuers, size_t index)
{
	atomic_store_explicit(&issuers->cells[index].wanted, false, memory_order_release);
}
