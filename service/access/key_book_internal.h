/* SPDX-License-Identifier: MIT */
/* What key_book.c (reading) and key_task.c (operations) share; nobody else includes it. */
#ifndef SLUICE_SERVICE_ACCESS_KEY_BOOK_INTERNAL_H
#define SLUICE_SERVICE_ACCESS_KEY_BOOK_INTERNAL_H

#include "lib/hmac.h"
#include "service/access/key_book.h"

struct key_book {
	const struct config *config;
	struct hmac *hmac; /* under the pepper */
	struct key_store *store;
	struct key_copy *copy; /* NULL = never read */
	uint64_t version;      /* of the store, that the copy has */
	bool answered;         /* the last refresh was good */
	char why[KEY_STORE_WHY_MAX];
};

#endif
